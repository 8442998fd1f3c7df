import type { Operation, Settlement } from '../core/delivery.ts'
import type { IntegrationErrorCode, AttemptOutcome } from '../core/integration-error.ts'
import type { Shown, ShownContent, Wanted } from './target.ts'

/** A delivery under lease. `lease` is the fence: a finish is accepted only with the current number. */
export interface Claim {
  deliveryId: string
  bindingId: string
  lease: string
  claimedAs: 'pending' | 'ambiguous'
  /** Counted sends so far, this claim's not included. */
  tries: number
  maxTries: number
  /** The one request that tests a channel whose circuit is open, or which is paused. */
  probe: boolean
  wanted: Wanted
  traceparent: string | null
}

export type Intent =
  | { kind: 'intended'; requestId: string; fetchNo: number } // the fetch number of what the answer may show, drawn before the request
  | { kind: 'fenced' } // another worker holds it, or a newer version took its place
  | { kind: 'superseded' } // a newer version waits, and this one was only being settled
  | { kind: 'gate-shut' } // paused, circuit open or rate-limited meanwhile; the lease is released, nothing is counted

/** What is written of a request when it ends. Never holds personal data or a secret. */
export interface AttemptEnd {
  requestId: string
  outcome: AttemptOutcome
  code: IntegrationErrorCode | null
  httpStatus: number | null
  summary: string | null
  /** Another system's words, quarantined. */
  theirText: string | null
}

export interface Finish {
  settlement: Settlement
  attempt: AttemptEnd | null
  externalId: string | null
  shown: ShownContent | null
  summary: string | null
  /** True when this claim sent nothing before: an uncounted settlement then takes the try back. */
  onlySend: boolean
}

export interface Outbox {
  /** Claims due deliveries of one channel by lease, debiting its bucket; none while its gate is shut, one when it is a probe, never a suspect. */
  claim(channel: string, limit: number): Promise<Claim[]>
  /** Channels with a suspect (claimed three times in a row without a finish) to claim now. Gives up on what proved to be poison first. */
  suspects(): Promise<string[]>
  /** Claims one suspect; the caller has nothing else in hand until it is finished. Null: another process has it, or the gate is shut. */
  claimSuspect(channel: string): Promise<Claim | null>
  /** Step 3: commits the send's intent (state `ambiguous`) before any byte is sent. Counts a try, once per claim. */
  intend(claim: Claim, operation: Operation): Promise<Intent>
  /** Commits the intent of a look-up. Null: fenced. Open attempts of earlier claims end as `unknown`. */
  intendLookUp(claim: Claim, operation: string): Promise<string | null>
  endLookUp(claim: Claim, end: AttemptEnd): Promise<void>
  /** Binds an id that a look-up found, at once, and keeps that there are several where it met more than one. */
  bind(claim: Claim, shown: Shown & { kind: 'found' }): Promise<void>
  /** Step 5. `fenced`: another claim took over; the attempt's outcome is recorded, nothing else changed. */
  finish(claim: Claim, finish: Finish): Promise<'finished' | 'fenced'>
}
