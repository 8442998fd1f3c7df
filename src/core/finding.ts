import { CAUSE_CODES, type CauseCode } from './cause-code.ts'

export type EvidenceTable =
  | 'silver_order'
  | 'binding'
  | 'delivery'
  | 'attempt'
  | 'inbound_event'
  | 'inbound_request'
  | 'observation'
  | 'erp_quarantine'
  | 'drift'
  | 'channel'
  | 'cursor'
  | 'worker_heartbeat'
  | 'identifier'
  | 'erp'

/** One row that a diagnosis stands on. */
export interface Evidence {
  table: EvidenceTable
  id: string
  says: string
}

/** One cause that the facts show, of one target, of the inbound side or of the order as a whole. */
export interface Finding {
  cause: CauseCode
  certainty: 'certain' | 'likely'
  sentence: string
  evidence: Evidence[]
  /** The channel it concerns; null when it concerns the order as a whole. */
  target: string | null
  /** `outbox-17` or `inbound-9`, when it stands on a dead letter. */
  deadLetter: string | null
}

/** What needs a person comes first, then what waits, then what is well. */
const URGENCY: readonly CauseCode[] = [
  'poison',
  'duplicated-at-target',
  'delivered-then-missing',
  'credentials-rejected',
  'sku-unknown',
  'totals-mismatch',
  'erp-conflict',
  'erp-write-failing',
  'rejected-by-target',
  'unsupported-by-target',
  'attempts-exhausted',
  'erp-order-invalid',
  'unmapped-status',
  'illegal-transition',
  'inbound-dead',
  'webhook-conflict',
  'ambiguous-outcome',
  'worker-down',
  'channel-paused',
  'rate-limited',
  'inbound-failing',
  'webhook-refused',
  'webhook-never-arrived',
  'drift',
  'backing-off',
  'erp-unreachable',
  'on-hold',
  'inbound-waiting',
  'collector-lagging',
  'queued',
  'erp-not-confirmed',
  'delivered',
  'not-routed',
  'superseded',
  'stale-event',
  'not-found-anywhere',
]

export function byUrgency(a: Finding, b: Finding): number {
  return URGENCY.indexOf(a.cause) - URGENCY.indexOf(b.cause)
}

/** A stored cause as a code of the closed list; `otherwise` for what is none. */
export function causeCodeOf(stored: string | null, otherwise: CauseCode): CauseCode {
  return CAUSE_CODES.find((code) => code === stored) ?? otherwise
}
