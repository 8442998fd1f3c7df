import type { DeliveryState } from './delivery.ts'
import type { InboundState, Verdict } from './inbound-event.ts'
import type { AttemptOutcome } from './integration-error.ts'
import type { DisplayStatus, Flag, Fulfilment, Lifecycle, Payment } from './order.ts'
import type { Route } from './routing.ts'

/** Everything the hub knows of one order, as read in one go. Instants are ISO text of the hub's clock. Lists are newest first. */
export interface OrderFacts {
  /** The hub's clock at the reading. */
  at: string
  typed: string
  /** Null when no silver order bears the identifier. */
  order: SilverFact | null
  /** Set when a person asked for one delivery or inbound event. */
  focus: { table: 'delivery' | 'inbound_event'; id: string } | null
  bindings: BindingFact[]
  deliveries: DeliveryFact[]
  attempts: AttemptFact[]
  inbound: InboundFact[]
  observations: ObservationFact[]
  changes: SilverChange[]
  refusals: RefusalFact[]
  quarantine: QuarantineFact[]
  drifts: DriftFact[]
  actions: ActionFact[]
  channels: ChannelFact[]
  workers: WorkerFact[]
  cursors: CursorFact[]
  /** What the ERP answered when nobody here knew the order; null when it was not asked. */
  erp: ErpAnswer | null
  nearest: string[]
}

export interface SilverFact {
  id: string
  origin: string
  orderKey: string
  displayStatus: DisplayStatus
  payment: Payment
  fulfilment: Fulfilment
  lifecycle: Lifecycle
  flags: Flag[]
  currency: string | null
  totalMinor: number | null
  confirmed: boolean
  route: Route | null
  illegal: { axis: string; from: string; to: string }[]
  rawStatus: string | null
  tracking: string | null
  lines: { sku: string; quantity: string }[]
  version: number
  createdAt: string
  updatedAt: string
  identifiers: { kind: string; value: string; channel: string }[]
}

export interface BindingFact {
  id: string
  channel: string
  reference: string
  generation: number
  externalId: string | null
  observedLifecycle: string | null
  observedFulfilment: string | null
  observedAt: string | null
  missingSince: string | null
  duplicates: string[]
}

export interface DeliveryFact {
  id: string
  bindingId: string
  channel: string
  version: number
  generation: number
  state: DeliveryState
  cause: string | null
  summary: string | null
  reason: string | null
  tries: number
  maxTries: number
  dueAt: string
  leaseUntil: string | null
  createdAt: string
  endedAt: string | null
  resolvedBy: string | null
  archivedAt: string | null
  replays: number
  stateVersion: number
  /** Content: what the target should do with it. */
  lifecycle: Lifecycle
  confirm: boolean
  /** Deliveries of the channel due before this one; null when it does not wait. Counted up to 1,000. */
  ahead: number | null
  attemptsTotal: number
}

export interface AttemptFact {
  id: string
  deliveryId: string | null
  inboundId: string | null
  channel: string
  purpose: 'send' | 'look-up' | 'fetch'
  operation: string
  startedAt: string
  endedAt: string | null
  outcome: AttemptOutcome | null
  errorCode: string | null
  httpStatus: number | null
  summary: string | null
  theirText: string | null
}

export interface InboundFact {
  id: string
  eventId: string
  channel: string
  topic: string
  resource: string
  state: InboundState
  reason: string | null
  cause: string | null
  summary: string | null
  conflict: boolean
  tries: number
  maxTries: number
  dueAt: string
  receivedAt: string
  endedAt: string | null
  resolvedBy: string | null
  archivedAt: string | null
  requestId: string
  stateVersion: number
  attemptsTotal: number
}

export interface ObservationFact {
  id: string
  channel: string
  entity: string
  externalId: string
  sourceVersion: string | null
  observedAt: string
  inboundId: string | null
  rawStatus: string | null
}

export interface SilverChange {
  id: string
  type: string
  at: string
  displayStatus: string | null
}

export interface RefusalFact {
  id: string
  receivedAt: string
  channel: string | null
  verdict: Verdict
}

export interface QuarantineFact {
  id: string
  erpId: string
  erpName: string
  field: string
  problem: string
  foundAt: string
  resolvedAt: string | null
}

export interface DriftFact {
  id: string
  channel: string
  kind: string
  cause: string
  fields: string[]
  foundAt: string
  resolvedAt: string | null
}

export interface ActionFact {
  operationId: string
  at: string
  actor: string
  tool: string
  result: string
  reason: string | null
  target: string
}

export interface ChannelFact {
  id: string
  marketplace: string
  enabled: boolean
  pausedAt: string | null
  pauseCause: string | null
  circuitOpenedAt: string | null
  probeAt: string | null
  limitedUntil: string | null
  /** Deliveries ended in the last 10 minutes, counted up to 10,000; for the estimate of a wait. */
  recentlyDelivered: number
}

export interface WorkerFact {
  app: string
  beatAt: string
}

export interface CursorFact {
  name: string
  watermark: string | null
  movedAt: string | null
  triedAt: string | null
  failedSince: string | null
  failureCode: string | null
}

export type ErpAnswer =
  | { kind: 'found'; orders: { erpId: string; erpName: string; state: string; version: string }[] }
  | { kind: 'nothing' }
  | { kind: 'failed'; code: string }

/** Apps that beat in `worker_heartbeat`; a beat within the last 30 s is a live worker. */
export const DELIVERING_APP = 'worker'
export const APPLYING_APP = 'subscriber'
const ALIVE_MS = 30_000

export function msBetween(fromIso: string, toIso: string): number {
  return Date.parse(toIso) - Date.parse(fromIso)
}

/** Whether the hub holds anything under what was typed: an order, or what never became one. */
export function isHeld(facts: Pick<OrderFacts, 'order' | 'inbound' | 'quarantine' | 'deliveries'>): boolean {
  const { order, inbound, quarantine, deliveries } = facts
  return order !== null || inbound.length > 0 || quarantine.length > 0 || deliveries.length > 0
}

/** Whether a process of the app beat lately. */
export function isAlive(facts: Pick<OrderFacts, 'workers' | 'at'>, app: string): boolean {
  return facts.workers.some((w) => w.app === app && msBetween(w.beatAt, facts.at) < ALIVE_MS)
}

/** The collector's cursors; marketplaces have sweeps of their own. The one that reads orders comes first. */
export function erpCursors(facts: Pick<OrderFacts, 'cursors'>): CursorFact[] {
  return facts.cursors.filter((c) => c.name.startsWith('erp-')).sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** `12 s`, `4 min`, `3 h`, `2 d`. */
export function duration(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000))
  if (s < 120) return `${s} s`
  if (s < 7_200) return `${Math.round(s / 60)} min`
  return s < 172_800 ? `${Math.round(s / 3_600)} h` : `${Math.round(s / 86_400)} d`
}
