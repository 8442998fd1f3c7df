export interface Random {
  /** A number in [0, 1). */
  next(): number
  /** A UUIDv7. */
  uuid(): string
}
