import { type Computed, type Env, HUB_UID } from './env.ts'
import { all, find, type Row, type Value } from './tables.ts'

/** The function behind a field that is not stored, if it is one. */
export function computedValue(env: Env, model: string, field: string): Computed | undefined {
  if (field === 'display_name') return (inner, row) => nameOf(inner, model, row)
  if (field === '__last_update') return (_inner, row) => row.write_date
  const known = COMPUTED[`${model}.${field}`]
  return known && env.tables.models.get(model)?.fields.has(field) ? known : undefined
}

export function nameOf(env: Env, model: string, row: Row): string {
  const name = String(row.name ?? `${model},${row.id}`)
  if (model === 'product.product' && row.default_code) return `[${String(row.default_code)}] ${name}`
  if (model === 'stock.location') return String(row.complete_name ?? name)
  if (model === 'product.pricelist') {
    const currency = find(env.tables, env.tx, 'res.currency', Number(row.currency_id))
    return currency ? `${name} (${String(currency.name)})` : name
  }
  if (model === 'sale.order.line') {
    const order = find(env.tables, env.tx, 'sale.order', Number(row.order_id))
    return `${String(order?.name ?? '')} - ${name.split('\n')[0]}`
  }
  if (model === 'stock.quant' || model === 'stock.move') {
    const product = find(env.tables, env.tx, 'product.product', Number(row.product_id))
    return product ? nameOf(env, 'product.product', product) : name
  }
  return name
}

const COMPUTED: Record<string, Computed> = {
  'product.product.qty_available': (env, row) => stockOf(env, row).quantity,
  'product.product.free_qty': (env, row) => stockOf(env, row).quantity - stockOf(env, row).reserved,
  'product.product.outgoing_qty': (env, row) => outgoing(env, row),
  'product.product.incoming_qty': () => 0,
  'product.product.virtual_available': (env, row) => stockOf(env, row).quantity - outgoing(env, row),
  'product.product.lst_price': (_env, row) => row.list_price ?? 0,
  'stock.quant.available_quantity': (_env, row) => Number(row.quantity) - Number(row.reserved_quantity),
  'stock.picking.move_ids_without_package': (_env, row) => row.move_lines ?? [],
  'sale.order.line.state': (env, row) => orderOf(env, row)?.state ?? null,
  'sale.order.line.currency_id': (env, row) => orderOf(env, row)?.currency_id ?? null,
  'sale.order.delivery_status': (env, row) => deliveryStatus(env, row),
  'sale.order.duplicated_order_ids': (env, row) => duplicates(env, row),
  'res.users.email': (env, row) => (row.id === HUB_UID ? env.user.email : (row.email ?? null)),
  'res.users.lang': (env, row) => (row.id === HUB_UID ? env.user.lang : (row.lang ?? null)),
  'res.currency.decimal_places': (_env, row) => decimalsOf(Number(row.rounding)),
}

/** Number of decimals of a currency from its rounding (CLP 1, USD 0.01). */
export function decimalsOf(rounding: number): number {
  return Math.max(0, Math.round(-Math.log10(rounding || 0.01)))
}

function orderOf(env: Env, line: Row): Row | undefined {
  return find(env.tables, env.tx, 'sale.order', Number(line.order_id))
}

// Only the key of this version counts; the other one is ignored without a word, and the figure is that of all warehouses.
function stockOf(env: Env, product: Row): { quantity: number; reserved: number } {
  const asked = env.context[env.names.warehouseKey]
  const warehouses = asked === undefined || asked === false || asked === null ? null : Array.isArray(asked) ? asked : [asked]
  let quantity = 0
  let reserved = 0
  for (const quant of all(env.tables, env.tx, 'stock.quant')) {
    if (quant.product_id !== product.id || !isInternal(env, quant)) continue
    if (warehouses && !warehouses.includes(quant.warehouse_id)) continue
    quantity += Number(quant.quantity)
    reserved += Number(quant.reserved_quantity)
  }
  return { quantity, reserved }
}

function isInternal(env: Env, quant: Row): boolean {
  return find(env.tables, env.tx, 'stock.location', Number(quant.location_id))?.usage === 'internal'
}

function outgoing(env: Env, product: Row): number {
  let sum = 0
  for (const move of all(env.tables, env.tx, 'stock.move')) {
    if (move.product_id === product.id && move.state !== 'done' && move.state !== 'cancel') sum += Number(move.product_uom_qty)
  }
  return sum
}

function deliveryStatus(env: Env, order: Row): Value {
  const pickings = ((order.picking_ids as number[] | null) ?? [])
    .map((id) => find(env.tables, env.tx, 'stock.picking', id))
    .filter((row): row is Row => row !== undefined && row.state !== 'cancel')
  if (pickings.length === 0) return null
  const done = pickings.filter((row) => row.state === 'done').length
  if (done === pickings.length) return 'full'
  return done > 0 ? 'partial' : 'pending'
}

function duplicates(env: Env, order: Row): number[] {
  if (!order.client_order_ref || order.state !== 'draft') return []
  const found: number[] = []
  for (const other of all(env.tables, env.tx, 'sale.order')) {
    if (other.id !== order.id && other.state !== 'cancel' && other.client_order_ref === order.client_order_ref) found.push(other.id)
  }
  return found
}
