/** A row of the audit chain: the very texts that its hash was made of. */
export interface ChainRow {
  seq: string
  /** UTC with microseconds, as hashed. */
  at: string
  actor: string
  body: string
  /** Hexadecimal. */
  prev: string
  hash: string
}

export interface ChainHead {
  /** `0` while the chain is empty. */
  seq: string
  hash: string
  /** Database time. */
  at: string
}

/** The audit log as a chain, for whoever checks it. */
export interface AuditChain {
  /** Every row, oldest first. */
  rows(): AsyncIterable<ChainRow>
  /** The head, and the hash that row `seq` has now; null where there is no such row. */
  head(seq: string): Promise<{ head: ChainHead; hashThen: string | null }>
}

/** Signed heads, kept outside of the database. */
export interface CheckpointLog {
  /** The newest one; null before the first. Throws when it bears no signature of ours. */
  newest(): Promise<ChainHead | null>
  append(head: ChainHead): Promise<void>
}
