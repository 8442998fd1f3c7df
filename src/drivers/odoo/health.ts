import { z } from 'zod'
import { IntegrationError } from '../../core/integration-error.ts'
import type { ErpHealth } from '../../ports/erp.ts'
import type { OdooClient, OdooClientOptions } from './client.ts'
import { resolveExternalId } from './external-id.ts'
import type { Read } from './order-reading.ts'
import { isoFrom, Text } from './record.ts'

/** Days before its end at which a key is warned about, each time in sharper words. */
const WARNINGS: readonly { days: number; says: string }[] = [
  { days: 1, says: 'the hub stops then: make a new one NOW' },
  { days: 7, says: 'make a new one this week' },
  { days: 14, says: 'make a new one' },
]
const Users = z.array(z.object({ email: Text }))
const Fields = z.record(z.string(), z.unknown())
const Keys = z.array(z.object({ expiration_date: Text }))

/** What a person must know before the first order: problems are sentences with their fix. Throws when Odoo cannot be reached. */
export async function erpHealth(
  client: OdooClient,
  options: Pick<OdooClientOptions, 'db' | 'user'>,
  signal: AbortSignal,
): Promise<ErpHealth> {
  const read: Read = (schema, call) => client.read(schema, call, { signal })
  const connection = await client.connection(signal)
  const now = await client.serverTime(signal)
  const keyExpiresAt = await keyExpiry(read, connection.uid, now)
  const [user] = await read(Users, { model: 'res.users', method: 'read', ids: [connection.uid], args: { fields: ['email'] } })
  const problems = [
    ...(user?.email ? [] : ['the hub user has no e-mail address: Odoo refuses its chatter messages and cancellations; give it one']),
    ...moduleProblems(connection.schema),
    ...expiryProblems(keyExpiresAt, now),
    ...(client.keyInUse() === 'next' ? ['Odoo refuses ODOO_PASSWORD and takes ODOO_PASSWORD_NEXT: move that one to ODOO_PASSWORD'] : []),
    ...(await accessProblems(read)),
  ]
  return { version: connection.version, transport: connection.transport, database: options.db, user: options.user, keyExpiresAt, problems }
}

function moduleProblems(schema: Awaited<ReturnType<OdooClient['connection']>>['schema']): string[] {
  const problems: string[] = []
  if (!schema.has('stock.picking', 'sale_id'))
    problems.push('module "sale_stock" is missing or closed to the hub user: fulfilment stays unknown')
  if (schema.missing.includes('stock.quant'))
    problems.push('stock.quant is closed to the hub user: no stock is sent; give it the Inventory user role')
  if (schema.has('stock.picking', 'id') && !schema.has('stock.picking', 'carrier_tracking_ref'))
    problems.push('module "delivery" (from Odoo 17 on "stock_delivery") is missing: tracking numbers go to the chatter alone')
  return problems
}

function expiryProblems(expiresAt: string | null, now: string): string[] {
  if (expiresAt === null) return []
  const days = Math.floor((Date.parse(expiresAt) - Date.parse(now)) / 86_400_000)
  const warning = WARNINGS.find((one) => days <= one.days)
  if (!warning) return []
  const when = `${expiresAt.slice(0, 10)} (in ${days} ${days === 1 ? 'day' : 'days'})`
  return [`an API key of the hub user ends on ${when}: ${warning.says} and set it as ODOO_PASSWORD_NEXT; both are taken, so nothing stops`]
}

async function accessProblems(read: Read): Promise<string[]> {
  return (await orNull(() => resolveExternalId(read, 'health-probe').then(() => true))) === null
    ? ['ir.model.data/check_object_reference is closed to the hub user: orders cannot be created without doubles']
    : []
}

// 14 to 17 keep no expiry, and a user may be barred from the list; with several keys the one that ends first is told.
async function keyExpiry(read: Read, uid: number, now: string): Promise<string | null> {
  const model = 'res.users.apikeys'
  const fields = await orNull(() => read(Fields, { model, method: 'fields_get', args: { attributes: ['type'] } }))
  if (!fields || !('expiration_date' in fields)) return null
  const args = { domain: [['user_id', '=', uid]], fields: ['expiration_date'] }
  const keys = (await orNull(() => read(Keys, { model, method: 'search_read', args }))) ?? []
  const ends = keys.filter((key) => key.expiration_date !== '').map((key) => isoFrom(key.expiration_date))
  return ends.filter((end) => end >= now).sort()[0] ?? null
}

async function orNull<T>(ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof IntegrationError && (error.code === 'rejected' || error.code === 'not-found')) return null
    throw error
  }
}
