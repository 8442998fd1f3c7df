import type { Names } from './model-fields.ts'
import type { Row, Tables, Transaction, Value } from './tables.ts'

/** The hub's user, as Odoo's administrator set it up. */
export interface HubUser {
  login: string
  email: string | null
  lang: string
  tz: string
}

/** One call on the tables: the transaction, the context the caller sent, and who it is. */
export interface Env {
  tables: Tables
  tx: Transaction
  names: Names
  context: Record<string, unknown>
  user: HubUser
  /** An administrator's call skips the limits of the hub's user. */
  admin: boolean
}

export type Computed = (env: Env, row: Row) => Value
export const HUB_UID = 2
export const HUB_PARTNER = 3

export function microsToText(micros: number): string {
  return new Date(Math.floor(micros / 1e6) * 1000).toISOString().slice(0, 19).replace('T', ' ')
}

/** With microseconds, as the payload of an automation webhook carries it. */
export function microsToLongText(micros: number): string {
  return `${microsToText(micros)}.${String(micros % 1e6).padStart(6, '0')}`
}

/** Odoo's `YYYY-MM-DD HH:MM:SS[.ffffff]` (UTC) to microseconds; null when it is not one. */
export function textToMicros(text: string): number | null {
  const match = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?)?$/.exec(text)
  if (!match) return null
  const millis = Date.parse(`${match[1]}T${match[2] ?? '00:00:00'}Z`)
  if (Number.isNaN(millis)) return null
  return millis * 1000 + Number((match[3] ?? '').padEnd(6, '0'))
}
