import { z } from 'zod'
import { storableJson } from '../../core/storable-text.ts'

type Reviver = (this: unknown, key: string, value: unknown, context?: { source?: string }) => unknown

const WHOLE = /^-?\d+$/

/**
 * JSON whose whole numbers beyond 2^53 arrive as their own digits: MercadoLibre sends ids of up to 19 digits as numbers, and
 * `JSON.parse` alone turns 1111111111111111111 into 1111111111111111200. Its texts can be stored. Throws what `JSON.parse` throws, and RangeError when nested too deep.
 */
export function parseLossless(text: string): unknown {
  return JSON.parse(storableJson(text), exactDigits as (key: string, value: unknown) => unknown)
}

const exactDigits: Reviver = (_key, value, context) => {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  const source = context?.source
  return source !== undefined && WHOLE.test(source) ? source : value
}

/** An id in either of its forms, as text. */
export const Id = z.union([z.string().min(1).max(80), z.number().refine(Number.isSafeInteger)]).transform(String)

/** An id that will stand in a path: digits only. */
export const NumericId = Id.refine((text) => /^\d{1,20}$/.test(text), 'is not a number')
