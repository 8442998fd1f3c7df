import type { TokenPair } from './credential-store.ts'

/** A seller's permission that somebody asked for and that did not come yet. Verifier and state are secrets. */
export interface StartedAuthorization {
  state: string
  verifier: string
  /** Who asked: named in the audit log when the answer comes. */
  principal: string
  /** The only account that may answer; null: whichever the seller signs in with. */
  accountId: string | null
}

export type TakenAuthorization =
  | { kind: 'taken'; id: string; verifier: string; principal: string; accountId: string | null }
  /** `several`: no state was given and more than one is open. */
  | { kind: 'unknown' | 'expired' | 'used' | 'several' }

/** How it ended, as whoever waits for it is told. */
export interface AuthorizationOutcome {
  channel: string | null
  /** The outcome's kind of the flow, and the marketplace's word where it has one. */
  kind: string
  word: string | null
}

export type AuthorizationProgress = { kind: 'waiting' } | { kind: 'expired' } | { kind: 'ended'; outcome: AuthorizationOutcome }

/** Authorizations between their start and their answer, which may come to another process. */
export interface AuthorizationStore {
  /** Keeps it for `lifetimeMs`; the verifiers of those that expired are forgotten. */
  start(started: StartedAuthorization, lifetimeMs: number): Promise<{ expiresAt: string }>
  /** Takes it, once: of any number of callers one gets it. Null takes the only open one. */
  take(state: string | null): Promise<TakenAuthorization>
  finish(id: string, outcome: AuthorizationOutcome): Promise<void>
  /** Total: a state that nobody started is `expired`. */
  progress(state: string): Promise<AuthorizationProgress>
}

/** A marketplace's side of it. */
export interface AuthorizationServer {
  /** A new state and PKCE verifier, and the address of the page where the seller answers. */
  begin(): { state: string; verifier: string; address: string }
  /** Spends a code; it works once. Throws only IntegrationError. */
  exchange(grant: { code: string; verifier: string }): Promise<{ accountId: string; channel: string; pair: Omit<TokenPair, 'version'> }>
}
