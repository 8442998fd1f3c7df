import { sha256 } from '../server.ts'

/** The keys of the hub's user. Only their hashes are kept, and written to the ledger. */
export interface Credentials {
  login: string
  /** sha256 of a key to whether it has expired. */
  keys: Map<string, { expired: boolean }>
}

export function isValidKey(credentials: Credentials, key: unknown): boolean {
  return typeof key === 'string' && credentials.keys.get(sha256(key))?.expired === false
}
