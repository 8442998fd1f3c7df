import { z } from 'zod'
import { AdminProblem } from './admin-problem.ts'
import { postMessage } from './chatter.ts'
import type { Env } from './env.ts'
import { modelOf } from './reading.ts'
import { cancelOrder, confirmOrder, linesOf, writeLine, writeOrder } from './sale-order.ts'
import { movesOf, pickingsOf, validatePicking, writePicking } from './stock-picking.ts'
import { all, find, insert, noteAct, patch, type Row } from './tables.ts'
import { createRecord, unlinkRecords } from './writing.ts'

const line = z.strictObject({
  /** null with a price = the product without a code; null without one = a section line. */
  sku: z.string().nullable(),
  quantity: z.number().default(1),
  price: z.number().optional(),
  name: z.string().optional(),
  tax: z.array(z.int()).optional(),
})

const when = { commit_after_ms: z.int().min(0).max(3_600_000).optional(), transaction: z.int().optional() }

export const newOrder = z.strictObject({
  client_order_ref: z.string().optional(),
  origin: z.string().optional(),
  note: z.string().optional(),
  partner: z.union([z.string(), z.int()]).default('Cliente Web'),
  team: z.union([z.string(), z.int()]).nullable().default(null),
  tags: z.array(z.string()).default([]),
  pricelist: z.union([z.string(), z.int()]).default(1),
  company: z.int().default(1),
  lines: z.array(line).default([]),
  state: z.enum(['draft', 'sale']).default('draft'),
  count: z.int().min(1).max(5000).default(1),
  ...when,
})

export const editOrder = z.strictObject({
  /** By line id or by SKU; a SKU that is not on the order is added. */
  lines: z.array(z.strictObject({ id: z.int().optional(), ...line.partial().shape, remove: z.boolean().optional() })).default([]),
  /** Fields of `sale.order` by their Odoo names. */
  fields: z.record(z.string(), z.unknown()).default({}),
  ...when,
})

export const orderAct = z.strictObject({ tracking: z.string().nullable().optional(), body: z.string().optional(), ...when })

export type NewOrder = z.output<typeof newOrder>
export type EditOrder = z.output<typeof editOrder>

/** A person types orders into Odoo: `count` copies, references numbered when there are several. */
export function createOrders(env: Env, order: NewOrder): Row[] {
  const rows: Row[] = []
  for (let copy = 1; copy <= order.count; copy += 1) {
    const reference = order.count > 1 && order.client_order_ref ? `${order.client_order_ref}-${copy}` : order.client_order_ref
    const row = createRecord(env, 'sale.order', {
      client_order_ref: reference ?? false,
      origin: order.origin ?? false,
      note: order.note ?? false,
      partner_id: partnerOf(env, order.partner),
      team_id: order.team === null ? false : byName(env, 'crm.team', order.team, 'team'),
      tag_ids: [[6, 0, order.tags.map((tag) => tagOf(env, tag))]],
      pricelist_id: byName(env, 'product.pricelist', order.pricelist, 'pricelist'),
      company_id: byName(env, 'res.company', order.company, 'company'),
      order_line: order.lines.map((one, index) => [0, 0, lineValues(env, one, `lines.${index}.sku`)]),
    })
    if (order.state === 'sale') confirmOrder(env, row.id)
    rows.push(find(env.tables, env.tx, 'sale.order', row.id) ?? row)
  }
  return rows
}

function partnerOf(env: Env, partner: string | number): number {
  if (typeof partner === 'number') return byName(env, 'res.partner', partner, 'partner')
  for (const row of all(env.tables, env.tx, 'res.partner')) if (row.name === partner) return row.id
  return createRecord(env, 'res.partner', { name: partner }).id
}

function tagOf(env: Env, name: string): number {
  for (const row of all(env.tables, env.tx, 'crm.tag')) if (row.name === name) return row.id
  return insert(env.tables, env.tx, 'crm.tag', { name }).id
}

function byName(env: Env, model: string, wanted: string | number, field: string): number {
  const names: string[] = []
  for (const row of all(env.tables, env.tx, model)) {
    if (row.id === wanted || row.name === wanted) return row.id
    names.push(`${row.id} (${String(row.name)})`)
  }
  throw new AdminProblem(field, `there is no ${model} ${JSON.stringify(wanted)}; there are ${names.slice(0, 10).join(', ')}`)
}

/** Archived products are found too: an order may hold one. */
export function productBySku(env: Env, sku: string | null, field: string): Row {
  for (const row of all(env.tables, env.tx, 'product.product')) if ((row.default_code ?? null) === sku) return row
  throw new AdminProblem(field, `there is no product with SKU ${JSON.stringify(sku)}; add it with POST /admin/products`)
}

function lineValues(env: Env, given: z.output<typeof line>, field: string): Record<string, unknown> {
  if (given.sku === null && given.price === undefined) return { display_type: 'line_section', name: given.name ?? 'Sección' }
  const product = productBySku(env, given.sku, field)
  return {
    product_id: product.id,
    product_uom_qty: given.quantity,
    ...(given.price === undefined ? {} : { price_unit: given.price }),
    ...(given.name === undefined ? {} : { name: given.name }),
    ...(given.tax === undefined ? {} : { [env.names.lineTaxes]: [[6, 0, given.tax]] }),
  }
}

export function edit(env: Env, id: number, change: EditOrder): void {
  for (const name of Object.keys(change.fields)) {
    if (!modelOf(env, 'sale.order').fields.has(name)) throw new AdminProblem(`fields.${name}`, 'sale.order has no such field')
  }
  if (Object.keys(change.fields).length > 0 || change.lines.length === 0) writeOrder(env, id, change.fields)
  change.lines.forEach((one, index) => {
    if (one.id === undefined && one.sku === undefined) throw new AdminProblem(`lines.${index}`, 'name the line by id or sku')
    const row = linesOf(env, id).find((known) => (one.id === undefined ? skuOf(env, known) === one.sku : known.id === one.id))
    if (!row && one.id !== undefined) throw new AdminProblem(`lines.${index}.id`, `order ${id} has no line ${one.id}`)
    if (row && one.remove) unlinkRecords(env, 'sale.order.line', [row.id])
    else if (row) writeLine(env, row, changedValues(env, one))
    else
      writeLine(env, null, {
        order_id: id,
        ...lineValues(env, { ...one, sku: one.sku ?? null, quantity: one.quantity ?? 1 }, `lines.${index}.sku`),
      })
  })
}

function changedValues(env: Env, one: EditOrder['lines'][number]): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  if (one.quantity !== undefined) values.product_uom_qty = one.quantity
  if (one.price !== undefined) values.price_unit = one.price
  if (one.name !== undefined) values.name = one.name
  if (one.tax !== undefined) values[env.names.lineTaxes] = [[6, 0, one.tax]]
  if (one.id !== undefined && one.sku !== undefined) values.product_id = productBySku(env, one.sku, 'lines.sku').id
  return values
}

function skuOf(env: Env, row: Row): string | null | undefined {
  if (typeof row.product_id !== 'number') return undefined
  return (find(env.tables, env.tx, 'product.product', row.product_id)?.default_code as string | null | undefined) ?? null
}

export const orderActs = {
  confirm: (env: Env, id: number) => void confirmOrder(env, id),
  /** A person sees the wizard and says yes. */
  cancel: (env: Env, id: number) => void cancelOrder({ ...env, context: { ...env.context, disable_cancel_warning: true } }, id),
  deliver,
  tracking,
  message: (env: Env, id: number, given: z.output<typeof orderAct>) =>
    void postMessage(env, 'sale.order', id, { body: given.body ?? '', bodyIsHtml: false }),
  delete: (env: Env, id: number) => unlinkRecords(env, 'sale.order', [id]),
  /** Saves without a change: `write_date` moves and nothing else. */
  touch: (env: Env, id: number) => writeOrder(env, id, {}),
}

// A person types the quantities in, so that stock may even go below zero.
function deliver(env: Env, id: number, given: z.output<typeof orderAct>): void {
  const open = pickingsOf(env, orderRow(env, id)).filter((row) => row.state !== 'done' && row.state !== 'cancel')
  if (open.length === 0)
    throw new AdminProblem('id', `order ${id} has nothing to deliver: confirm it first, or it is delivered already`, 409)
  for (const picking of open) {
    for (const move of movesOf(env, picking)) {
      if (move.state === 'cancel') continue
      const done =
        env.tables.version === 14
          ? { quantity_done: Number(move.product_uom_qty) }
          : { quantity: Number(move.product_uom_qty), picked: true }
      patch(env.tables, env.tx, { model: 'stock.move', id: move.id }, done)
    }
    if (given.tracking) writePicking(env, picking.id, { carrier_tracking_ref: given.tracking })
    validatePicking(env, picking.id)
  }
}

function tracking(env: Env, id: number, given: z.output<typeof orderAct>): void {
  const picking = pickingsOf(env, orderRow(env, id)).findLast((row) => row.state !== 'cancel')
  if (!picking) throw new AdminProblem('id', `order ${id} has no picking: confirm it first`, 409)
  writePicking(env, picking.id, { carrier_tracking_ref: given.tracking ?? null })
  noteAct(env.tx, id, 'tracking')
}

export function orderRow(env: Env, id: number): Row {
  const row = find(env.tables, env.tx, 'sale.order', id)
  if (!row) throw new AdminProblem('id', `there is no order ${id}`, 404)
  return row
}
