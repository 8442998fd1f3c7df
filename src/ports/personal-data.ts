import type { Personal } from './target.ts'

/** Everything the hub holds of the person behind one order. */
export interface PersonalExport {
  orderId: string
  erasedAt: string | null
  /** As the order stands now. */
  personal: Personal | null
  /** As each system said it, oldest first. */
  observations: { channel: string; entity: string; externalId: string; observedAt: string; personal: Personal | null }[]
  /** Raw requests that led to the order, and refused ones that name it; null where the bytes are no text. */
  requests: { id: string; receivedAt: string; channel: string | null; body: string | null }[]
  /** Words of other systems about it. */
  texts: { attempt: string; channel: string; text: string }[]
}

export interface Erased {
  keys: number
  observations: number
  requests: number
  attempts: number
}

/** Personal data of one order at a time: each has a key of its own. */
export interface PersonalData {
  /** Null: there is no such order. */
  read(orderId: string): Promise<PersonalExport | null>
  /** Deletes the order's key and what stands unsealed, with a note of the operation id; for good. Null: there is no such order. */
  erase(orderId: string, operationId: string): Promise<Erased | null>
}
