import type { Since } from '../core/since.ts'

/** One delivery or inbound event; `outbox-17` and `inbound-9` to people. */
export interface DeadLetterRef {
  table: 'delivery' | 'inbound_event'
  id: string
}

export interface DeadLetter extends DeadLetterRef {
  orderId: string | null
  /** What the order is best known by; null for an event that was never tied to one. */
  known: string | null
  channel: string
  cause: string
  summary: string | null
  tries: number
  diedAt: string
  stateVersion: number
}

export interface DeadLetterFilter {
  /** A marketplace's name, `odoo`, or a channel id. */
  marketplace: string | null
  cause: string | null
  since: Since | null
}

export interface DeadLetterList {
  /** Oldest first. */
  letters: DeadLetter[]
  total: number
  /** Digest of the listed rows and their state versions: two equal ones list the same dead letters, unchanged. */
  snapshot: string
  /** The filter's lower bound as an instant, null without one. */
  sinceIso: string | null
}

export interface Depth {
  deadLetters: number
  orders: number
  oldestAt: string | null
  /** The hub's clock at the reading. */
  at: string
  byTarget: { target: string; count: number; orders: number; oldestAt: string }[]
  byCause: { cause: string; count: number; oldestAt: string }[]
}

export const REPLAY_REFUSALS = ['unknown', 'not-dead', 'in-flight', 'ambiguous', 'answered-by-newer', 'changed-meanwhile'] as const
export type ReplayRefusal = (typeof REPLAY_REFUSALS)[number]

export type Replay =
  | {
      kind: 'replayed'
      ref: DeadLetterRef
      channel: string
      orderId: string | null
      before: { cause: string | null; tries: number }
      /** `ambiguous` for a poisonous row whose send is unsettled: a look-up comes first, as for any other. */
      state: 'pending' | 'ambiguous'
      stateVersion: number
    }
  | { kind: 'refused'; ref: DeadLetterRef; reason: ReplayRefusal }

/** How one row stands now, dead or not. */
export interface LetterState {
  ref: DeadLetterRef
  state: string
  stateVersion: number
  channel: string
  orderId: string | null
  cause: string | null
  dueAt: string
}

export interface Drain {
  operationId: string
  tokenId: string
  action: 'replay' | 'archive'
  filter: DeadLetterFilter
  limit: number
  snapshot: string
}

export type Drained =
  | { kind: 'drained'; changed: DeadLetterRef[]; refused: number }
  /** The token was used before. */
  | { kind: 'token-used' }
  /** What the plan showed is no longer what is there. */
  | { kind: 'stale' }
  /** Another process holds one of the rows; the token is not used up. */
  | { kind: 'in-flight' }

/**
 * What was given up on, in both directions. Archived ones and those that a later success answered are no longer counted. What is changed commits together
 * with a note of the operation id, and not at all once that operation is closed (`OperationClosed`). Nothing is changed, and `in-flight` answered, when another
 * process holds the rows for longer than a lock is waited for.
 */
export interface DeadLetters {
  depth(): Promise<Depth>
  list(filter: DeadLetterFilter, limit: number): Promise<DeadLetterList>
  state(ref: DeadLetterRef): Promise<LetterState | null>
  /**
   * Puts one dead letter back, due now, with all its tries: compare-and-set on `expectedVersion`. Refuses what is in flight, not dead, answered by a
   * newer version, or ambiguous; a poisonous ambiguous one is let out of its isolation and stays ambiguous, to be settled by look-up.
   */
  replay(ref: DeadLetterRef, expectedVersion: number, operationId: string): Promise<Replay>
  /** The newest dead letter of each of the order's bindings, and its dead inbound events. */
  replayOrder(orderId: string, operationId: string): Promise<Replay[] | 'in-flight'>
  /** Consumes the token and acts on all that the filter lists, in one transaction; changes nothing when the list is not the plan's. */
  drain(drain: Drain): Promise<Drained>
  /** How the deliveries and events of an order stand now, newest version of each binding. */
  statesOfOrder(orderId: string): Promise<LetterState[]>
}
