import { z } from 'zod'
import type { ErpFound, ErpStock, ErpVersion } from '../../ports/erp.ts'
import type { Connection } from './connection.ts'
import type { Fragment } from '../../core/order.ts'
import { chunks, EVERYTHING, Ids, type Read, readPickings } from './order-reading.ts'
import { wasHubBorn } from './read-orders.ts'
import {
  fulfilmentOf,
  Instant,
  isoFrom,
  odooTimeFrom,
  type PickingRecord,
  recordId,
  Reference,
  Text,
  trackingOf,
  versionOf,
} from './record.ts'

/**
 * The window as a domain. Odoo stores microseconds and shows seconds; 14 compares the former and 19 the latter, so only `>=` a whole
 * second and `<` the second after the end mean the same on both.
 */
function windowOf(fromIso: string, toIso: string): unknown[] {
  return [
    ['write_date', '>=', odooTimeFrom(fromIso)],
    ['write_date', '<', odooTimeFrom(toIso, 1)],
  ]
}

/** Orders written in the window, and orders of which a picking was. The hub's own are left out, as `readOrders` leaves them out. */
export async function changedOrders(read: Read, connection: Connection, fromIso: string, toIso: string): Promise<ErpVersion[]> {
  const domain = windowOf(fromIso, toIso)
  // One search answers the ids of the whole window at once: pages would shift while people write.
  const search = { domain, order: 'write_date asc, id asc', context: EVERYTHING }
  const ids = new Set(await read(Ids, { model: 'sale.order', method: 'search', args: search }))
  if (connection.schema.has('stock.picking', 'sale_id')) {
    const args = {
      domain: [...domain, ['sale_id', '!=', false]],
      fields: ['sale_id', 'write_date'],
      order: 'write_date asc, id asc',
      context: EVERYTHING,
    }
    const moved = await read(Moves, { model: 'stock.picking', method: 'search_read', args })
    for (const { sale_id } of moved) if (sale_id) ids.add(sale_id.id)
  }
  const versions: ErpVersion[] = []
  for (const some of chunks([...ids], VERSIONS_A_CALL))
    versions.push(...(await versionsOf(read, connection, [['id', 'in', some]])).versions)
  return versions
}

const Moves = z.array(z.object({ sale_id: Reference, write_date: Instant }))
const Versioned = z.object({
  id: z.number().int(),
  write_date: Instant,
  origin: Text,
  client_order_ref: Text,
  create_uid: Reference,
})
const VERSIONS_A_CALL = 2_000

/** Versions of every order created since, whatever its version. */
export async function orderVersionsSince(read: Read, connection: Connection, fromIso: string): Promise<ErpVersion[]> {
  const created = ['create_date', '>=', odooTimeFrom(fromIso)]
  const versions: ErpVersion[] = []
  for (let after: number | undefined = 0; after !== undefined; ) {
    const page: VersionPage = await versionsOf(read, connection, [created, ['id', '>', after]])
    versions.push(...page.versions)
    after = page.next
  }
  return versions
}

interface VersionPage {
  versions: ErpVersion[]
  /** Id to go on after; undefined when there is no more. */
  next: number | undefined
}

async function versionsOf(read: Read, connection: Connection, domain: unknown[]): Promise<VersionPage> {
  const args = { domain, fields: Object.keys(Versioned.shape), order: 'id asc', limit: VERSIONS_A_CALL, context: EVERYTHING }
  const orders = await read(z.array(Versioned), { model: 'sale.order', method: 'search_read', args })
  const ids = orders.map((order) => order.id)
  const moves =
    ids.length > 0 && connection.schema.has('stock.picking', 'sale_id')
      ? await readMoves(read, ids)
      : new Map<number, { write_date: string }[]>()
  const versions: ErpVersion[] = []
  for (const order of orders) {
    if (await wasHubBorn(read, connection, order)) continue
    versions.push({ erpId: String(order.id), version: versionOf(order, moves.get(order.id) ?? []) })
  }
  return { versions, next: orders.length === VERSIONS_A_CALL ? ids.at(-1) : undefined }
}

async function readMoves(read: Read, orderIds: readonly number[]): Promise<Map<number, { write_date: string }[]>> {
  const args = { domain: [['sale_id', 'in', orderIds]], fields: ['sale_id', 'write_date'], context: EVERYTHING }
  const moves = await read(Moves, { model: 'stock.picking', method: 'search_read', args })
  return Map.groupBy(moves, (move) => move.sale_id?.id ?? 0)
}

const HubOrder = z.object({ id: z.number().int(), write_date: Instant, origin: Text, client_order_ref: Text, create_uid: Reference })

/** Orders are read again whole when one of their pickings was written: what several say together is one fragment. */
export async function changedPickings(
  read: Read,
  connection: Connection,
  { fromIso, toIso, origins }: { fromIso: string; toIso: string; origins: readonly string[] },
): Promise<Fragment[]> {
  if (origins.length === 0 || !connection.schema.has('stock.picking', 'sale_id')) return []
  const domain = [...windowOf(fromIso, toIso), ['sale_id.origin', 'in', origins]]
  const moved = await read(Moves, {
    model: 'stock.picking',
    method: 'search_read',
    args: { domain, fields: ['sale_id', 'write_date'], order: 'write_date asc, id asc', context: EVERYTHING },
  })
  const fragments: Fragment[] = []
  for (const ids of chunks([...new Set(moved.flatMap((move) => move.sale_id?.id ?? []))], ORDERS_A_CALL)) {
    const args = { domain: [['id', 'in', ids]], fields: Object.keys(HubOrder.shape), context: EVERYTHING }
    const orders = await read(z.array(HubOrder), { model: 'sale.order', method: 'search_read', args })
    const pickings = Map.groupBy(await readPickings(read, connection.schema, ids), (picking) => picking.sale_id?.id ?? 0)
    for (const order of orders)
      if (await wasHubBorn(read, connection, order)) fragments.push(pickingFragment(order, pickings.get(order.id) ?? []))
  }
  return fragments
}

const ORDERS_A_CALL = 200

function pickingFragment(order: z.infer<typeof HubOrder>, pickings: readonly PickingRecord[]): Fragment {
  const { fulfilment, partial } = fulfilmentOf(pickings)
  const tracking = trackingOf(pickings)
  return {
    entity: 'picking',
    externalId: String(order.id),
    orderKey: String(order.id),
    version: versionOf(order, pickings),
    identifiers: [],
    // Half a parcel is not shipped: the marketplace hears of it when all of it has left.
    fulfilment,
    ...(partial ? { rawStatus: 'shipped in part' } : {}),
    ...(tracking ? { tracking } : {}),
  }
}

const Quant = z.object({ product_id: Reference, write_date: Instant })
const Stocked = z.object({ id: z.number().int(), default_code: Text, free_qty: z.number() })

/**
 * Stock follows `stock.quant`: a product's own `write_date` does not move with it. Both names of the warehouse key are sent, since a
 * version ignores the other's silently. Where two products share a SKU the lower quantity is told.
 */
export async function changedStock(
  read: Read,
  { schema }: Connection,
  window: { fromIso: string; toIso: string; warehouseId?: number },
): Promise<ErpStock[]> {
  if (schema.missing.includes('stock.quant')) return []
  const domain = [...windowOf(window.fromIso, window.toIso), ['location_id.usage', '=', 'internal']]
  const args = { domain, fields: Object.keys(Quant.shape), order: 'write_date asc, id asc', context: EVERYTHING }
  const quants = await read(z.array(Quant), { model: 'stock.quant', method: 'search_read', args })
  const written = new Map(quants.flatMap((quant) => (quant.product_id ? [[quant.product_id.id, isoFrom(quant.write_date)] as const] : [])))
  const warehouse = window.warehouseId === undefined ? {} : { warehouse: window.warehouseId, warehouse_id: window.warehouseId }
  const bySku = new Map<string, ErpStock>()
  for (const ids of chunks([...written.keys()], 500)) {
    const products = await read(z.array(Stocked), {
      model: 'product.product',
      method: 'search_read',
      args: { domain: [['id', 'in', ids]], fields: ['default_code', 'free_qty'], context: { ...EVERYTHING, ...warehouse } },
    })
    for (const { id, default_code: sku, free_qty } of products) {
      const quantity = Math.max(0, Math.floor(free_qty + 1e-6))
      const before = bySku.get(sku)
      if (sku && (!before || quantity < before.quantity)) bySku.set(sku, { sku, quantity, version: written.get(id) ?? '' })
    }
  }
  return [...bySku.values()]
}

const FoundRow = z.object({ id: z.number().int(), name: Text, client_order_ref: Text, state: z.string(), write_date: Instant })
const MOST_FOUND = 20

/** By id (`42`, `odoo-42`), by name, by client reference, whole or after its prefix (`98345` finds `ML-98345`). */
export async function findOrders(read: Read, typed: string): Promise<ErpFound[]> {
  const text = typed.trim().slice(0, 200)
  if (!text) return []
  const exact = text.replace(/[\\%_]/g, '\\$&')
  const matches: unknown[][] = [
    ['name', '=ilike', exact],
    ['client_order_ref', '=ilike', exact],
  ]
  if (/^\d{3,}$/.test(text)) matches.push(['client_order_ref', '=like', `%-${text}`])
  const id = recordId(text.replace(/^odoo-/i, ''))
  if (id !== null) matches.push(['id', '=', id])
  const domain = [...Array<string>(matches.length - 1).fill('|'), ...matches]
  const args = { domain, fields: Object.keys(FoundRow.shape), order: 'id desc', limit: MOST_FOUND, context: EVERYTHING }
  const rows = await read(z.array(FoundRow), { model: 'sale.order', method: 'search_read', args })
  return rows.map((row) => ({
    erpId: String(row.id),
    erpName: row.name,
    reference: row.client_order_ref || null,
    state: row.state,
    version: isoFrom(row.write_date),
  }))
}
