/** OAuth token pair of one account. Tokens are secrets: never logged, encrypted at rest. */
export interface TokenPair {
  accessToken: string
  refreshToken: string | null
  /** ISO instant. */
  expiresAt: string
  version: number
}

export type RefreshLease =
  | { kind: 'leased'; lease: string; current: TokenPair }
  | { kind: 'advanced'; current: TokenPair }
  | { kind: 'busy' }
  | { kind: 'reconnect-required'; since: string }

/** Single-flight refresh across processes: the refresh token is single-use, so the lease decides who may spend it. */
export interface CredentialStore {
  read(channel: string): Promise<TokenPair | null>
  /** Leases the row if its version is still `seenVersion`; `advanced` when somebody refreshed meanwhile: use that, do not call. */
  leaseRefresh(channel: string, seenVersion: number, leaseMs: number): Promise<RefreshLease>
  /** Marks that the exchange is about to be sent. A lease that ended after this mark and without a save means a spent token: reconnect. */
  markExchange(channel: string, lease: string): Promise<boolean>
  /** Commits the new pair before it is used, keeping the previous one; retries the commit, never the exchange. */
  saveRefreshed(channel: string, lease: string, pair: Omit<TokenPair, 'version'>): Promise<TokenPair>
  /** Nothing was sent or it was refused without spending the token. */
  releaseRefresh(channel: string, lease: string): Promise<void>
  /** `invalid_grant`, or a crash between exchange and save: the channel pauses until a person reconnects. */
  requireReconnect(channel: string, lease: string | null, reason: string): Promise<void>
  /** First connection, or reconnection, of an account; unpauses its channel, and adds it where the configuration does not name the account. */
  connect(channel: string, pair: Omit<TokenPair, 'version'>): Promise<TokenPair>
}
