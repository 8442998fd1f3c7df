/** One verified webhook as received: a hint that something may have changed at its channel. */
export interface InboundEvent {
  channel: string
  topic: string
  /** Normalised, whitelisted pointer, for example `/orders/2000001234567890`. */
  resource: string
  /** The sender's own id of the event, where it has one. */
  sourceEventId: string | null
  /** What makes two events of a channel the same; text to be hashed by the inbox. Never built of parts that may all be missing. */
  dedupeKey: string
  /** Fields that a sender changes from try to try are left out of this text; two events with one key and two texts are a conflict. */
  comparable: string
  /** Key of the order it speaks of, where the body says it; extracted and indexed at ingest. */
  orderKey: string | null
  /** Set when nothing will be done with it: kept, and shown with this reason. */
  ignore: InboundIgnore | null
}

/** The pointer of one order by its id there. Every adapter's `fetchOrder` takes it, whatever its vendor's paths are. */
export function orderPointer(externalId: string): string {
  return `/orders/${externalId}`
}

/** Topic of an event that no sender sent: a person asked for the order to be fetched again. */
export const REFETCH_TOPIC = 'refetch'

/** Topic of an event that no sender sent: the hub itself found that the order changed, or may have. */
export const SWEEP_TOPIC = 'sweep'

export const INBOUND_STATES = ['pending', 'applied', 'ignored', 'dead'] as const
export type InboundState = (typeof INBOUND_STATES)[number]
export type InboundIgnore = 'stale-event' | 'coalesced' | 'irrelevant-topic' | 'foreign-account' | 'unchanged'

export const VERDICTS = [
  'accepted',
  'duplicate',
  'conflict',
  'bad-signature',
  'stale-timestamp',
  'malformed',
  'too-large',
  'rate-limited',
] as const
export type Verdict = (typeof VERDICTS)[number]

/** What a driver's webhook parser says of a request; total over every byte string. */
export type Reading =
  | { kind: 'events'; events: InboundEvent[] }
  | { kind: 'refused'; verdict: 'bad-signature' | 'stale-timestamp' | 'malformed'; reason: string }
