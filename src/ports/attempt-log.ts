import type { ClaimedEvent } from './inbox.ts'
import type { AttemptEnd } from './outbox.ts'

/**
 * One row per request sent for a delivery or inbound event, look-ups included. The intent is committed before the request may leave;
 * the outcome is written once. `call` receives the request id to send as `X-Request-Id`; empty where reads are not recorded.
 */
export interface AttemptLog {
  /** Records a read (look-up or fetch) around `call`. Whatever `call` throws is recorded and thrown on. */
  read<T>(operation: string, call: (requestId: string) => Promise<T>): Promise<T>
}

/** Attempts of inbound events: a fetch is recorded as a send is, though it has no effect at the other system. */
export interface FetchAttempts {
  /** Commits the intent of a fetch; null: another worker took the event over. */
  intend(claim: ClaimedEvent, operation: string): Promise<string | null>
  end(end: AttemptEnd): Promise<void>
}
