import type { InboundEvent, InboundIgnore, Verdict } from '../core/inbound-event.ts'
import type { CauseCode } from '../core/cause-code.ts'
import type { GateEffect } from '../core/delivery.ts'

export interface RawRequest {
  channel: string | null
  /** With its secret segment replaced by `***`. */
  path: string
  headers: Readonly<Record<string, string>>
  body: Uint8Array
  sourceIp: string | null
  traceparent: string | null
}

export interface Receipt {
  kind: 'accepted' | 'duplicate' | 'conflict' | 'refused'
  /** The hub's id of the event, a UUIDv7; of the first copy for a duplicate. Null when nothing was accepted. */
  eventId: string | null
}

export interface ClaimedEvent {
  id: string
  eventId: string
  channel: string
  topic: string
  resource: string
  lease: string
  tries: number
  /** The one request that tests a channel whose circuit is open, or which is paused. */
  probe: boolean
  traceparent: string | null
}

export type EventEnding =
  | { state: 'pending'; delayMs: number; counted: boolean; cause: CauseCode; gate: GateEffect }
  | { state: 'applied'; orderId: string | null; gate: GateEffect }
  | { state: 'ignored'; reason: InboundIgnore }
  | { state: 'dead'; cause: CauseCode; gate: GateEffect }

export interface Inbox {
  /**
   * Stores the raw bytes, the verdict and the work items in ONE transaction, grouped with other requests, and answers after its commit.
   * Throws `InboxFull` when its bounded queue is full or the database refuses: nothing was stored, so nothing may be acknowledged.
   */
  record(request: RawRequest, verdict: Verdict, events: readonly InboundEvent[]): Promise<Receipt[]>
  /** Claims due events by lease; at most one per resource, never a suspect. */
  claim(channel: string, limit: number, leaseMs: number): Promise<ClaimedEvent[]>
  /** Channels with a suspect (claimed three times in a row without a finish) to claim now. Gives up on what proved to be poison first. */
  suspects(): Promise<string[]>
  /** Claims one suspect; the caller has nothing else in hand until it has ended. Null: another process has it, or the gate is shut. */
  claimSuspect(channel: string, leaseMs: number): Promise<ClaimedEvent | null>
  /** Ends a claim that applied nothing. False: fenced, nothing changed. */
  end(claim: ClaimedEvent, ending: EventEnding): Promise<boolean>
}

export class InboxFull extends Error {
  override readonly name = 'InboxFull'
}
