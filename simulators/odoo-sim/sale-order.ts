import { decimalsOf, nameOf } from './computed.ts'
import { type Env, HUB_UID, microsToText } from './env.ts'
import { mustHaveSender, postMessage } from './chatter.ts'
import { userError, validationError, valueError } from './odoo-error.ts'
import { cancelPickings, hasDonePicking, planMoves } from './stock-picking.ts'
import { find, get, insert, noteAct, patch, type Row, remove, type Value } from './tables.ts'
import { lineAmounts, roundTo } from './taxes.ts'
import { checkValues, plainValues } from './values.ts'

export function createOrder(env: Env, given: Record<string, unknown>): Row {
  const values = plainValues(env, 'sale.order', given)
  const pricelist = get(env.tables, env.tx, 'product.pricelist', Number(values.pricelist_id ?? 1))
  const order = insert(env.tables, env.tx, 'sale.order', {
    state: 'draft',
    company_id: 1,
    warehouse_id: 1,
    user_id: env.admin ? 1 : HUB_UID,
    date_order: microsToText(env.tx.startedAt),
    invoice_status: 'no',
    order_line: [],
    picking_ids: [],
    message_ids: [],
    partner_invoice_id: values.partner_id ?? null,
    partner_shipping_id: values.partner_id ?? null,
    ...values,
    pricelist_id: pricelist.id,
    currency_id: pricelist.currency_id ?? 1,
  })
  patch(env.tables, env.tx, { model: 'sale.order', id: order.id }, { name: `S${String(order.id).padStart(5, '0')}` })
  noteAct(env.tx, order.id, 'created')
  applyLineCommands(env, order.id, given.order_line)
  return recompute(env, order.id)
}

/** A write moves `write_date` even when every value is the same (verified on 14). */
export function writeOrder(env: Env, id: number, given: Record<string, unknown>): void {
  const values = plainValues(env, 'sale.order', given)
  if (typeof values.pricelist_id === 'number')
    values.currency_id = get(env.tables, env.tx, 'product.pricelist', values.pricelist_id).currency_id ?? 1
  patch(env.tables, env.tx, { model: 'sale.order', id }, values)
  noteAct(env.tx, id, 'updated')
  if (given.order_line === undefined) return
  applyLineCommands(env, id, given.order_line)
  recompute(env, id)
}

function applyLineCommands(env: Env, orderId: number, commands: unknown): void {
  if (commands === undefined || commands === false || commands === null) return
  if (!Array.isArray(commands)) throw valueError(`Wrong value for sale.order.order_line: ${JSON.stringify(commands)}`)
  for (const command of commands as unknown[]) {
    const [code, id, values] = Array.isArray(command) ? (command as unknown[]) : []
    if (code === 0) storeLine(env, null, { ...checkValues(env, 'sale.order.line', values), order_id: orderId })
    else if (code === 1) storeLine(env, get(env.tables, env.tx, 'sale.order.line', Number(id)), checkValues(env, 'sale.order.line', values))
    else if (code === 2 || code === 3) dropLine(env, orderId, Number(id))
    else if (code === 5) for (const line of linesOf(env, orderId)) dropLine(env, orderId, line.id)
    else if (code !== 4 && code !== 6) throw valueError(`Invalid command ${JSON.stringify(command)}`)
  }
}

function dropLine(env: Env, orderId: number, lineId: number): void {
  const order = get(env.tables, env.tx, 'sale.order', orderId)
  if (order.state === 'sale' || order.state === 'done') {
    throw userError(
      'You can not remove an order line once the sales order is confirmed.\nYou should rather set the quantity to 0.',
      'No puede eliminar una línea una vez que se confirma el pedido de venta.\nEn su lugar, establezca la cantidad en 0.',
    )
  }
  remove(env.tables, env.tx, 'sale.order.line', lineId)
  const rest = ((order.order_line as number[] | null) ?? []).filter((id) => id !== lineId)
  patch(env.tables, env.tx, { model: 'sale.order', id: orderId }, { order_line: rest })
}

/** Creates (`row` null) or changes one line. The order's `write_date` moves with amounts, not with a description. */
export function writeLine(env: Env, row: Row | null, given: Record<string, unknown>): Row {
  const line = storeLine(env, row, given)
  const harmless = row !== null && Object.keys(given).every((name) => name === 'name' || name === 'sequence')
  noteAct(env.tx, Number(line.order_id), 'updated')
  if (!harmless) recompute(env, Number(line.order_id))
  return get(env.tables, env.tx, 'sale.order.line', line.id)
}

function storeLine(env: Env, row: Row | null, given: Record<string, unknown>): Row {
  const values = plainValues(env, 'sale.order.line', given)
  if (row) sayNewQuantity(env, row, values.product_uom_qty)
  if (row) return patch(env.tables, env.tx, { model: 'sale.order.line', id: row.id }, values)
  const product = typeof values.product_id === 'number' ? get(env.tables, env.tx, 'product.product', values.product_id) : null
  if (!product && !values.display_type) {
    throw validationError(
      'Missing required fields on accountable sale order line.',
      'Faltan campos requeridos en la línea de pedido de venta contable.',
    )
  }
  const order = get(env.tables, env.tx, 'sale.order', Number(values.order_id))
  const quantity = product ? Number(values.product_uom_qty ?? 1) : 0
  const line = insert(env.tables, env.tx, 'sale.order.line', {
    sequence: 10,
    name: product ? nameOf(env, 'product.product', product) : '',
    price_unit: Number(product?.list_price ?? 0),
    discount: 0,
    [env.names.lineTaxes]: (product?.taxes_id as number[] | null) ?? [],
    [env.names.lineUnit]: product ? 1 : null,
    qty_delivered: 0,
    qty_invoiced: 0,
    company_id: 1,
    move_ids: [],
    ...values,
    product_uom_qty: quantity,
  })
  patch(
    env.tables,
    env.tx,
    { model: 'sale.order', id: order.id },
    { order_line: [...((order.order_line as number[] | null) ?? []), line.id] },
  )
  if (product && order.state === 'sale') say(env, order.id, `Extra line with ${nameOf(env, 'product.product', product)}`)
  return line
}

/** A confirmed order logs what changes in it (both); 19 takes no quantity below what is delivered (source). */
function sayNewQuantity(env: Env, line: Row, quantity: Value | undefined): void {
  if (typeof quantity !== 'number' || quantity === line.product_uom_qty) return
  const order = get(env.tables, env.tx, 'sale.order', Number(line.order_id))
  if (order.state !== 'sale') return
  if (env.tables.version === 19 && quantity < Number(line.qty_delivered ?? 0)) {
    throw userError(
      'The ordered quantity of a sale order line cannot be decreased below the amount already delivered. Instead, create a return in your inventory.',
      'La cantidad pedida de una línea no puede ser menor que la entregada. En su lugar, cree una devolución en su inventario.',
    )
  }
  say(env, order.id, `The ordered quantity has been updated. ${String(line.name)}: ${String(line.product_uom_qty)} -> ${quantity}`)
}

function say(env: Env, orderId: number, body: string): void {
  postMessage(env, 'sale.order', orderId, { body, bodyIsHtml: false })
}

/** Line amounts and order totals, in the order's currency (CLP has no decimals). A confirmed order follows with its moves. */
function recompute(env: Env, orderId: number): Row {
  const order = get(env.tables, env.tx, 'sale.order', orderId)
  const currency = get(env.tables, env.tx, 'res.currency', Number(order.currency_id))
  const decimals = decimalsOf(Number(currency.rounding))
  let untaxed = 0
  let tax = 0
  for (const line of linesOf(env, orderId)) {
    const taxIds = (line[env.names.lineTaxes] as number[] | null) ?? []
    const taxes = taxIds.map((id) => find(env.tables, env.tx, 'account.tax', id)).filter((one) => one !== undefined)
    const amounts = lineAmounts(line, taxes, decimals)
    untaxed += amounts.price_subtotal
    tax += amounts.price_tax
    patch(
      env.tables,
      env.tx,
      { model: 'sale.order.line', id: line.id },
      { ...amounts, product_uom_qty: roundTo(Number(line.product_uom_qty), 2) },
    )
  }
  const totals = {
    amount_untaxed: roundTo(untaxed, decimals),
    amount_tax: roundTo(tax, decimals),
    amount_total: roundTo(untaxed + tax, decimals),
  }
  patch(env.tables, env.tx, { model: 'sale.order', id: orderId }, totals)
  if (order.state === 'sale') planMoves(env, orderId)
  return get(env.tables, env.tx, 'sale.order', orderId)
}

export function linesOf(env: Env, orderId: number): Row[] {
  const ids = (get(env.tables, env.tx, 'sale.order', orderId).order_line as number[] | null) ?? []
  return ids.map((id) => find(env.tables, env.tx, 'sale.order.line', id)).filter((row) => row !== undefined)
}

/** 14: a second confirm is True and moves `write_date`. 19: a second confirm is a UserError. Both verified. */
export function confirmOrder(env: Env, id: number): true {
  const order = get(env.tables, env.tx, 'sale.order', id)
  const open = order.state === 'draft' || order.state === 'sent'
  if (env.tables.version === 19 && !open) {
    throw userError(
      'Some orders are not in a state requiring confirmation.',
      'Algunos pedidos no están en un estado que requiera confirmación.',
    )
  }
  if (order.state === 'cancel' || order.state === 'done') {
    throw userError(
      'It is not allowed to confirm an order in the following states: cancel, done',
      'No se permite confirmar un pedido en los siguientes estados: cancel, done',
    )
  }
  patch(env.tables, env.tx, { model: 'sale.order', id }, { state: 'sale', ...(open ? { date_order: microsToText(env.tx.startedAt) } : {}) })
  noteAct(env.tx, id, open ? 'confirmed' : 'updated')
  planMoves(env, id)
  return true
}

/** Delivered orders: 14 answers with a wizard and does nothing, 19 cancels although the picking is done. Both verified. */
export function cancelOrder(env: Env, id: number): true | Record<string, unknown> {
  mustHaveSender(env)
  const order = get(env.tables, env.tx, 'sale.order', id)
  if (env.tables.version === 19 && order.locked === true) {
    throw userError(
      'You cannot cancel a locked order. Please unlock it first.',
      'No puede cancelar un pedido bloqueado. Primero desbloquéelo.',
    )
  }
  if (env.tables.version === 14 && hasDonePicking(env, order) && !env.context.disable_cancel_warning) {
    return {
      name: 'Cancel Sales Order',
      view_mode: 'form',
      res_model: 'sale.order.cancel',
      view_id: 412,
      type: 'ir.actions.act_window',
      context: { default_order_id: id },
      target: 'new',
    }
  }
  cancelPickings(env, order)
  patch(env.tables, env.tx, { model: 'sale.order', id }, { state: 'cancel' })
  noteAct(env.tx, id, 'cancelled')
  return true
}

export function backToDraft(env: Env, id: number): true {
  const order = get(env.tables, env.tx, 'sale.order', id)
  if (order.state === 'cancel' || order.state === 'sent') {
    patch(env.tables, env.tx, { model: 'sale.order', id }, { state: 'draft' })
    noteAct(env.tx, id, 'updated')
  }
  return true
}
