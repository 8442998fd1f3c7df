import type { Personal } from '../../ports/target.ts'
import type { PoolClient } from './pool.ts'

/** Seals personal fields under a key per order, so that erasing a person deletes one key. */
export interface PersonalVault {
  /** Seals under the order's key, made when it has none. */
  seal(client: PoolClient, orderId: string, keyId: string | null, personal: Personal): Promise<{ keyId: string; sealed: Buffer }>
  /** Null when the key is gone: the person was erased. */
  open(keyId: string, orderId: string, sealed: Buffer): Promise<Personal | null>
}
