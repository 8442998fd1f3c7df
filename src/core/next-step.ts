import type { CauseCode } from './cause-code.ts'
import { isConnectedByOauth } from './channel.ts'

export const NEXT_STEPS = [
  'none',
  'wait',
  'replay',
  'fix-then-replay',
  'fix-in-erp',
  'reconnect',
  'look-elsewhere',
  'check-id',
  'restore-erp',
  'start-worker',
  'fix-sender',
  'refetch',
  'extend-map',
  'change-route',
  'do-by-hand',
  'person-decides',
  'plan-repair',
] as const
export type NextStepKind = (typeof NEXT_STEPS)[number]

export interface NextStep {
  kind: NextStepKind
  sentence: string
  /** The call that does it, for those whose scopes allow it. */
  tool: { name: string; arguments: Record<string, string> } | null
}

/** What the next safe step needs to name its subject. */
export interface Subject {
  /** An identifier that finds the order again; null when nothing is held of it. */
  orderId: string | null
  /** `outbox-17` or `inbound-9`; null when the cause stands on no dead letter. */
  deadLetter: string | null
  target: string | null
  /** Whether a version for the target was planned; then a retry plans none that is equal to it. */
  isPlanned: boolean
}

type Rule = { kind: NextStepKind; sentence: (s: Subject) => string; call?: 'replay' | 'retry' | 'plan' | 'trace' }

const at = (s: Subject): string => s.target ?? 'the target'

const RULES: Record<CauseCode, Rule> = {
  'not-found-anywhere': { kind: 'check-id', sentence: () => 'Check the identifier; the nearest known ones are listed.' },
  'erp-not-confirmed': { kind: 'fix-in-erp', sentence: () => 'Confirm the order in the ERP; it is then collected by itself.' },
  'not-routed': { kind: 'change-route', sentence: () => 'Nothing is owed. If it should go there, change the routing rule that is named.' },
  'erp-order-invalid': {
    kind: 'fix-in-erp',
    sentence: () => 'Put right in the ERP what is named; the order is then read again by itself, or at once by this call.',
    call: 'retry',
  },
  'erp-unreachable': { kind: 'restore-erp', sentence: () => 'Restore the connection to the ERP; nothing is lost meanwhile.' },
  'collector-lagging': {
    kind: 'wait',
    sentence: () => 'Wait for the collector; the order is read when the cursor passes it.',
    call: 'trace',
  },
  queued: { kind: 'wait', sentence: () => 'Wait; it goes out by itself.', call: 'trace' },
  'backing-off': { kind: 'wait', sentence: () => 'Wait for the next attempt; it is made by itself.', call: 'trace' },
  'channel-paused': { kind: 'none', sentence: (s) => `Nothing to do here: ${at(s)} is tested by itself and the backlog then drains.` },
  'rate-limited': { kind: 'wait', sentence: (s) => `Wait until ${at(s)} takes requests again.`, call: 'trace' },
  'credentials-rejected': {
    kind: 'reconnect',
    sentence: (s) =>
      s.target === null || isConnectedByOauth(s.target)
        ? `Reconnect the account of ${at(s)}; what waits then goes out by itself.`
        : `Let ${at(s)} take the hub's key again (there, or a new key in .env and a restart); it is tested every minute and what waits then goes out by itself.`,
  },
  'rejected-by-target': { kind: 'fix-then-replay', sentence: () => 'Fix the data that was refused, then replay.', call: 'replay' },
  'sku-unknown': {
    kind: 'fix-then-replay',
    sentence: (s) =>
      `Map the SKU to a product of ${at(s)} (\`skuMap\` of the marketplace’s channel in hub.yaml), start the hub anew, then replay.`,
    call: 'replay',
  },
  'unsupported-by-target': { kind: 'do-by-hand', sentence: (s) => `${at(s)} cannot do it through its interface: do it there by hand.` },
  'ambiguous-outcome': { kind: 'wait', sentence: () => 'Wait: a look-up settles it. Never send it again blindly.', call: 'trace' },
  'attempts-exhausted': { kind: 'replay', sentence: (s) => `Replay it once ${at(s)} is healthy.`, call: 'replay' },
  poison: { kind: 'person-decides', sentence: () => 'It is isolated and harms nothing else; its worker needs a fix before a replay.' },
  'worker-down': { kind: 'start-worker', sentence: () => 'Start the worker; what is due then goes out by itself.' },
  superseded: { kind: 'none', sentence: () => 'Nothing: a newer version took its place.', call: 'trace' },
  delivered: { kind: 'look-elsewhere', sentence: () => 'It is there: look it up under the id and at the time that are named.' },
  'delivered-then-missing': {
    kind: 'person-decides',
    sentence: () => 'Compare with the marketplace; sending it anew makes a new generation and needs approval.',
  },
  'duplicated-at-target': { kind: 'do-by-hand', sentence: (s) => `Cancel the extra order at ${at(s)}.` },
  'webhook-never-arrived': { kind: 'refetch', sentence: () => 'Refetch the order; the sweep for missed feeds does it too.' },
  'webhook-refused': { kind: 'fix-sender', sentence: () => 'Check the shared secret, the clock and the format of the sender.' },
  'webhook-conflict': { kind: 'person-decides', sentence: () => 'Inspect both bodies; the state itself is fetched from the marketplace.' },
  'inbound-waiting': { kind: 'wait', sentence: () => 'Wait; it is applied by itself.', call: 'trace' },
  'inbound-failing': { kind: 'wait', sentence: () => 'Wait for the next try; the failure of the last one is named.', call: 'trace' },
  'inbound-dead': { kind: 'fix-then-replay', sentence: () => 'Remove the cause that is named, then replay.', call: 'replay' },
  'stale-event': { kind: 'none', sentence: () => 'Nothing: it is older than what the hub holds and was ignored on purpose.' },
  'illegal-transition': { kind: 'person-decides', sentence: () => 'A person decides which state is right.' },
  'unmapped-status': {
    kind: 'extend-map',
    sentence: () =>
      'Say what the status means (`statusMap` of the marketplace’s channel in hub.yaml), start the hub anew, then retry: the order is fetched again.',
    call: 'retry',
  },
  'erp-write-failing': { kind: 'fix-then-replay', sentence: () => 'Remove what the ERP complains of, then replay.', call: 'replay' },
  'erp-conflict': { kind: 'person-decides', sentence: () => 'A person changed the ERP order: decide which side is right.' },
  'totals-mismatch': { kind: 'fix-then-replay', sentence: () => 'Fix taxes or prices in the ERP, then replay.', call: 'replay' },
  'on-hold': { kind: 'wait', sentence: () => 'Wait for the hold to end, or let a person release it.', call: 'trace' },
  drift: {
    kind: 'plan-repair',
    sentence: (s) =>
      s.isPlanned
        ? `The hub's content goes to a marketplace again by itself, and never over what a person changed: where the fields stay, decide which side is right.`
        : 'Have what is owed planned by this call.',
    call: 'plan',
  },
}

/** The next safe step of a cause, with the call that does it where one does. */
export function nextStepOf(cause: CauseCode, subject: Subject): NextStep {
  const rule = RULES[cause]
  return { kind: rule.kind, sentence: rule.sentence(subject), tool: callOf(rule.call, subject) }
}

function callOf(call: Rule['call'], { orderId, deadLetter, isPlanned }: Subject): NextStep['tool'] {
  if (call === 'replay' && deadLetter !== null) return { name: 'replay_dlq_message', arguments: { outbox_id: deadLetter } }
  if (orderId === null || call === undefined || (call === 'plan' && isPlanned)) return null
  return { name: call === 'trace' ? 'trace_order' : 'retry_failed_sync', arguments: { order_id: orderId } }
}
