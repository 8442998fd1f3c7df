import type { TypedIdentifier } from '../core/identifier.ts'
import type { OrderFacts } from '../core/order-facts.ts'

/** What one delivery or inbound event of an order is, when a person asked for that one. */
export type Focus = { table: 'delivery' | 'inbound_event'; id: string }

export interface Candidate {
  orderId: string
  /** What it is best known by. */
  known: string
  kind: string
  channel: string
  origin: string
  createdAt: string
  /** 1: what was typed; 2: what it may stand for. */
  rank: number
}

/** What the hub holds apart from silver orders: a quarantined ERP record, an inbound event that was never applied. */
export interface Unapplied {
  quarantineIds: string[]
  inboundIds: string[]
}

export type Resolved =
  | { kind: 'found'; orderId: string; focus: Focus | null }
  /** More than one order answers; ranked, never a guess. At most 10. */
  | { kind: 'ambiguous'; candidates: Candidate[] }
  /** No silver order, but something was received or quarantined, or the focus is a delivery of stock. */
  | { kind: 'unapplied'; unapplied: Unapplied; focus: Focus | null }
  | { kind: 'unknown'; nearest: string[]; lookedIn: string[] }

/** Reads an order and all that happened to it by foreign keys alone; its cost does not grow with history. */
export interface OrderTrace {
  resolve(typed: TypedIdentifier): Promise<Resolved>
  /** Facts of a silver order. Null when it is gone. Newest 50 deliveries, events, observations and changes; newest 50 attempts of each. */
  facts(orderId: string, typed: string, focus: Focus | null): Promise<OrderFacts | null>
  /**
   * What shows the order in a status that no map knows, in the newest word of each system: pointers that `fetchOrder` takes, each leading to the
   * whole sale. None of which an event waits.
   */
  unmapped(orderId: string): Promise<{ channel: string; resource: string; orderKey: string }[]>
  /** Facts of what no silver order bears: channels, workers, cursors, and the rows that `resolve` named; of a delivery of stock its binding and versions. */
  factsOfUnapplied(unapplied: Unapplied, typed: string, focus: Focus | null): Promise<OrderFacts>
}
