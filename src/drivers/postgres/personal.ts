import { z } from 'zod'
import { canonicalJson } from '../../core/canonical-json.ts'
import type { Personal } from '../../ports/target.ts'
import type { Pool, PoolClient } from './pool.ts'
import type { Place, Sealer } from './sealed-column.ts'
import { isTransient, sqlstateOf } from './sqlstate.ts'

/** Seals personal fields under a key per order, so that erasing a person deletes one key. */
export interface PersonalVault {
  /** Seals under the order's key, made when it has none. */
  seal(client: PoolClient, orderId: string, keyId: string | null, personal: Personal): Promise<{ keyId: string; sealed: Buffer }>
  /** Whether these fields are other than what is sealed. What cannot be opened here counts as the same: it is left as it is. */
  differs(client: PoolClient, order: { orderId: string; keyId: string; sealed: Buffer }, personal: Personal): Promise<boolean>
  /** Null when the key is gone: the person was erased. */
  open(keyId: string, orderId: string, sealed: Buffer): Promise<Personal | null>
}

const placeOf = (orderId: string): Place => ({ table: 'silver_order', row: orderId, column: 'personal' })

export function personalVault(pool: Pool, sealed: Sealer): PersonalVault {
  return {
    async seal(client, orderId, keyId, personal) {
      const key = keyId ?? (await sealed.newDataKey(client, 'order'))
      return { keyId: key, sealed: await sealed.seal(client, key, placeOf(orderId), JSON.stringify(personal)) }
    },
    async differs(client, { orderId, keyId, sealed: bytes }, personal) {
      try {
        const text = await sealed.open(client, keyId, placeOf(orderId), bytes)
        return text !== null && canonicalJson(JSON.parse(text)) !== canonicalJson(personal)
      } catch (error) {
        if (sqlstateOf(error) !== undefined || isTransient(error)) throw error
        return false
      }
    },
    async open(keyId, orderId, bytes) {
      const text = await sealed.open(pool, keyId, placeOf(orderId), bytes)
      return text === null ? null : PersonalFields.parse(JSON.parse(text))
    },
  }
}

const field = z.string().optional()
const PersonalFields: z.ZodType<Personal> = z
  .object({ buyerName: field, buyerNickname: field, email: field, phone: field, address: field, taxId: field })
  .transform(withoutAbsent)

function withoutAbsent(fields: Record<string, string | undefined>): Personal {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}
