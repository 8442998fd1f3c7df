import { type Env, microsToLongText } from './env.ts'
import { movesOf, pickingsOf } from './stock-picking.ts'
import { find, type Row, type Value } from './tables.ts'

/** The whole order as the ledger keeps it after every act: vendor names, one version-independent shape. */
export function orderSnapshot(env: Env, order: Row): Record<string, unknown> {
  const name = (model: string, id: unknown) => (typeof id === 'number' ? (find(env.tables, env.tx, model, id)?.name ?? null) : null)
  const pickings = pickingsOf(env, order)
  const messages = ((order.message_ids as number[] | null) ?? [])
    .map((id) => find(env.tables, env.tx, 'mail.message', id))
    .filter((row) => row !== undefined)
  return {
    id: order.id,
    name: order.name,
    client_order_ref: order.client_order_ref ?? null,
    origin: order.origin ?? null,
    external_id: env.tables.externalIdOf.get(`sale.order/${order.id}`) ?? null,
    state: order.state,
    partner: { id: order.partner_id, name: name('res.partner', order.partner_id) },
    team: name('crm.team', order.team_id),
    tags: ((order.tag_ids as number[] | null) ?? []).map((id) => name('crm.tag', id)),
    pricelist: name('product.pricelist', order.pricelist_id),
    company_id: order.company_id,
    lines: linesOf(env, order),
    amount_untaxed: order.amount_untaxed ?? 0,
    amount_total: order.amount_total ?? 0,
    currency: name('res.currency', order.currency_id),
    picking_state: pickingState(pickings),
    pickings: pickings.map((row) => ({
      id: row.id,
      name: row.name,
      state: row.state,
      tracking: row.carrier_tracking_ref ?? null,
      moves: movesOf(env, row).length,
      demand: movesOf(env, row)
        .filter((move) => move.state !== 'done' && move.state !== 'cancel')
        .map((move) => ({ sku: skuOf(env, move.product_id), quantity: Number(move.product_uom_qty) })),
    })),
    tracking: pickings.map((row) => row.carrier_tracking_ref).findLast((one) => typeof one === 'string') ?? null,
    messages: messages.toReversed().map((row) => ({ body: row.body })),
    note: order.note ?? null,
    invoice_status: order.invoice_status,
    create_date: microsToLongText(order.create_date),
    write_date: microsToLongText(order.write_date),
  }
}

function skuOf(env: Env, productId: unknown): Value {
  return typeof productId === 'number' ? (find(env.tables, env.tx, 'product.product', productId)?.default_code ?? null) : null
}

function linesOf(env: Env, order: Row): Record<string, unknown>[] {
  const ids = (order.order_line as number[] | null) ?? []
  const rows = ids.map((id) => find(env.tables, env.tx, 'sale.order.line', id)).filter((row) => row !== undefined)
  return rows.map((line) => ({
    id: line.id,
    sku: skuOf(env, line.product_id),
    name: line.name,
    display_type: line.display_type ?? null,
    quantity: line.product_uom_qty,
    price_unit: line.price_unit,
    delivered: line.qty_delivered ?? 0,
    tax: line[env.names.lineTaxes] ?? [],
    price_total: line.price_total ?? 0,
    external_id: env.tables.externalIdOf.get(`sale.order.line/${line.id}`) ?? null,
  }))
}

function pickingState(pickings: Row[]): string | null {
  const live = pickings.filter((row) => row.state !== 'cancel')
  if (live.length === 0) return pickings.length > 0 ? 'cancel' : null
  if (live.every((row) => row.state === 'done')) return 'done'
  return live.some((row) => row.state === 'done') ? 'partial' : String(live[0]?.state)
}
