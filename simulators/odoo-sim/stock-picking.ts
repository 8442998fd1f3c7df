import { type Env, microsToText } from './env.ts'
import { userError } from './odoo-error.ts'
import { all, find, get, insert, noteAct, patch, type Row, type Value } from './tables.ts'

const OUTPUT = { picking_type_id: 2, picking_type_code: 'outgoing', location_dest_id: 9 }

/**
 * Brings the open picking of a confirmed order in line with its lines: new moves, larger demand. A quantity that goes down takes demand
 * away on 19; 14 leaves the delivery as it is and only asks the warehouse to look (verified on 14).
 */
export function planMoves(env: Env, orderId: number): void {
  const order = get(env.tables, env.tx, 'sale.order', orderId)
  for (const id of (order.order_line as number[] | null) ?? []) {
    const line = find(env.tables, env.tx, 'sale.order.line', id)
    const product = line && typeof line.product_id === 'number' ? get(env.tables, env.tx, 'product.product', line.product_id) : null
    if (!line || !product || product.type === 'service') continue
    const moves = ((line.move_ids as number[] | null) ?? []).map((move) => get(env.tables, env.tx, 'stock.move', move))
    const planned = moves.filter((move) => move.state !== 'cancel').reduce((sum, move) => sum + Number(move.product_uom_qty), 0)
    const missing = Number(line.product_uom_qty) - planned
    const open = moves.find((move) => move.state !== 'done' && move.state !== 'cancel')
    if (missing < 0 && env.tables.version === 14) continue
    if (open && missing !== 0) changeDemand(env, open, Math.max(0, Number(open.product_uom_qty) + missing))
    else if (missing > 0) addMove(env, openPicking(env, orderId), { line, product, quantity: missing })
  }
  refreshPickings(env, orderId)
}

function openPicking(env: Env, orderId: number): Row {
  const order = get(env.tables, env.tx, 'sale.order', orderId)
  const known = pickingsOf(env, order).find((row) => row.state !== 'done' && row.state !== 'cancel')
  return known ?? newPicking(env, order, null)
}

function newPicking(env: Env, order: Row, backorderOf: number | null): Row {
  const warehouse = get(env.tables, env.tx, 'stock.warehouse', Number(order.warehouse_id ?? 1))
  const picking = insert(env.tables, env.tx, 'stock.picking', {
    ...OUTPUT,
    state: 'confirmed',
    origin: order.name ?? null,
    sale_id: order.id,
    partner_id: order.partner_shipping_id ?? order.partner_id ?? null,
    location_id: warehouse.lot_stock_id ?? null,
    scheduled_date: microsToText(env.tx.startedAt),
    company_id: 1,
    backorder_id: backorderOf,
    [env.names.pickingMoves]: [],
    message_ids: [],
  })
  const code = String(warehouse.code ?? 'WH')
  patch(env.tables, env.tx, { model: 'stock.picking', id: picking.id }, { name: `${code}/OUT/${String(picking.id).padStart(5, '0')}` })
  const ids = [...((get(env.tables, env.tx, 'sale.order', order.id).picking_ids as number[] | null) ?? []), picking.id]
  patch(env.tables, env.tx, { model: 'sale.order', id: order.id }, { picking_ids: ids })
  return get(env.tables, env.tx, 'stock.picking', picking.id)
}

function addMove(env: Env, picking: Row, want: { line: Row; product: Row; quantity: number }): void {
  const move = insert(env.tables, env.tx, 'stock.move', {
    picking_id: picking.id,
    product_id: want.product.id,
    product_uom: 1,
    product_uom_qty: want.quantity,
    sale_line_id: want.line.id,
    location_id: picking.location_id ?? null,
    location_dest_id: picking.location_dest_id ?? null,
    origin: picking.origin ?? null,
    reference: picking.name ?? null,
    state: 'confirmed',
    company_id: 1,
    ...(env.tables.version === 14
      ? { name: String(want.line.name), quantity_done: 0, reserved_availability: 0 }
      : { quantity: 0, picked: false }),
  })
  const current = get(env.tables, env.tx, 'stock.picking', picking.id)
  const ids = (current[env.names.pickingMoves] as number[] | null) ?? []
  patch(env.tables, env.tx, { model: 'stock.picking', id: picking.id }, { [env.names.pickingMoves]: [...ids, move.id] })
  const line = get(env.tables, env.tx, 'sale.order.line', want.line.id)
  const moves = [...((line.move_ids as number[] | null) ?? []), move.id]
  // 14 computes lines anew under its own rights when it plans a delivery, and then its user 1 is their last writer (verified).
  const writer = env.tables.version === 14 ? { write_uid: 1 } : {}
  patch(env.tables, env.tx, { model: 'sale.order.line', id: line.id, touch: false }, { move_ids: moves, ...writer })
  reserve(env, move)
}

function changeDemand(env: Env, move: Row, quantity: number): void {
  release(env, move)
  const state = quantity === 0 ? 'cancel' : 'confirmed'
  const changed = patch(env.tables, env.tx, { model: 'stock.move', id: move.id }, { product_uom_qty: quantity, state })
  if (quantity > 0) reserve(env, changed)
}

function reserve(env: Env, move: Row): void {
  const product = get(env.tables, env.tx, 'product.product', Number(move.product_id))
  const demand = Number(move.product_uom_qty)
  const reserved = isStorable(product) ? Math.max(0, Math.min(demand, available(env, move))) : demand
  if (isStorable(product) && reserved > 0) {
    env.tx.quants.push({ productId: product.id, locationId: Number(move.location_id), quantity: 0, reserved })
  }
  const state = reserved >= demand ? 'assigned' : reserved > 0 ? 'partially_available' : 'confirmed'
  patch(env.tables, env.tx, { model: 'stock.move', id: move.id }, { state, ...reservedAs(env, reserved) })
}

function release(env: Env, move: Row): void {
  const product = get(env.tables, env.tx, 'product.product', Number(move.product_id))
  const reserved = Number(move.reserved ?? 0)
  if (isStorable(product) && reserved > 0) {
    env.tx.quants.push({ productId: product.id, locationId: Number(move.location_id), quantity: 0, reserved: -reserved })
  }
}

function reservedAs(env: Env, reserved: number): Record<string, Value> {
  return env.tables.version === 14 ? { reserved, reserved_availability: reserved } : { reserved, quantity: reserved }
}

function isStorable(product: Row): boolean {
  return product.type === 'product' || product.is_storable === true
}

function available(env: Env, move: Row): number {
  let free = 0
  for (const quant of all(env.tables, env.tx, 'stock.quant')) {
    if (quant.product_id === move.product_id && quant.location_id === move.location_id)
      free += Number(quant.quantity) - Number(quant.reserved_quantity)
  }
  for (const change of env.tx.quants) {
    if (change.productId === move.product_id && change.locationId === move.location_id) free += change.quantity - change.reserved
  }
  return free
}

function refreshPickings(env: Env, orderId: number): void {
  for (const picking of pickingsOf(env, get(env.tables, env.tx, 'sale.order', orderId))) {
    if (picking.state === 'done') continue
    const moves = movesOf(env, picking)
    const live = moves.filter((move) => move.state !== 'cancel')
    const state = live.length === 0 ? 'cancel' : live.some((move) => Number(move.reserved) > 0) ? 'assigned' : 'confirmed'
    if (state !== picking.state) patch(env.tables, env.tx, { model: 'stock.picking', id: picking.id }, { state })
  }
}

export function pickingsOf(env: Env, order: Row): Row[] {
  return ((order.picking_ids as number[] | null) ?? [])
    .map((id) => find(env.tables, env.tx, 'stock.picking', id))
    .filter((row) => row !== undefined)
}

export function movesOf(env: Env, picking: Row): Row[] {
  const ids = (picking[env.names.pickingMoves] as number[] | null) ?? []
  return ids.map((id) => find(env.tables, env.tx, 'stock.move', id)).filter((row) => row !== undefined)
}

export function hasDonePicking(env: Env, order: Row): boolean {
  return pickingsOf(env, order).some((picking) => picking.state === 'done')
}

/** Open pickings end with the order; what is done stays done. */
export function cancelPickings(env: Env, order: Row): void {
  for (const picking of pickingsOf(env, order)) {
    if (picking.state === 'done') continue
    for (const move of movesOf(env, picking)) {
      if (move.state === 'done' || move.state === 'cancel') continue
      release(env, move)
      patch(env.tables, env.tx, { model: 'stock.move', id: move.id }, { state: 'cancel', ...reservedAs(env, 0) })
    }
    patch(env.tables, env.tx, { model: 'stock.picking', id: picking.id }, { state: 'cancel' })
  }
}

/** A tracking number does not move the order's `write_date` (verified on 14). */
export function writePicking(env: Env, id: number, values: Record<string, Value>): void {
  const picking = patch(env.tables, env.tx, { model: 'stock.picking', id }, values)
  if (typeof picking.sale_id === 'number') noteAct(env.tx, picking.sale_id, 'carrier_tracking_ref' in values ? 'tracking' : 'updated')
}

export function writeMove(env: Env, id: number, values: Record<string, Value>): void {
  patch(env.tables, env.tx, { model: 'stock.move', id }, values)
}

/**
 * `button_validate`. 14 with nothing marked done answers with a wizard and validates nothing; 19 takes the reserved quantity (both verified).
 * Less done than asked opens the back-order wizard unless the context says `skip_backorder`.
 */
export function validatePicking(env: Env, id: number): true | Record<string, unknown> {
  const picking = get(env.tables, env.tx, 'stock.picking', id)
  if (picking.state === 'done') return true
  const moves = movesOf(env, picking).filter((move) => move.state !== 'cancel' && move.state !== 'done')
  if (moves.length === 0) throw userError('Please add some items to move.', 'Por favor, añada algunos artículos para mover.')
  const marked = moves.some((move) => (env.tables.version === 14 ? Number(move.quantity_done) > 0 : move.picked === true))
  if (!marked && moves.every((move) => Number(move.reserved ?? 0) === 0)) {
    throw userError(
      'You cannot validate a transfer if no quantities are reserved. To force the transfer, encode quantities.',
      'No puede validar un traslado si no hay cantidades reservadas. Para forzarlo, registre las cantidades.',
    )
  }
  if (!marked && env.tables.version === 14 && !env.context.skip_immediate)
    return wizard('stock.immediate.transfer', 'Immediate Transfer?', id)
  const done = new Map(moves.map((move) => [move.id, doneQuantity(env, move, marked)]))
  const short = moves.some((move) => (done.get(move.id) ?? 0) < Number(move.product_uom_qty))
  if (short && !env.context.skip_backorder) return wizard('stock.backorder.confirmation', 'Create Backorder?', id)
  finish(env, picking, { moves, done })
  return true
}

function doneQuantity(env: Env, move: Row, marked: boolean): number {
  if (!marked) return Number(move.reserved ?? 0)
  if (env.tables.version === 14) return Number(move.quantity_done)
  return move.picked === true ? Number(move.quantity) : 0
}

function wizard(model: string, name: string, pickingId: number): Record<string, unknown> {
  return {
    name,
    type: 'ir.actions.act_window',
    view_mode: 'form',
    res_model: model,
    views: [[false, 'form']],
    target: 'new',
    context: { default_pick_ids: [[4, pickingId]], button_validate_picking_ids: [pickingId] },
  }
}

function finish(env: Env, picking: Row, what: { moves: Row[]; done: Map<number, number> }): void {
  const order = get(env.tables, env.tx, 'sale.order', Number(picking.sale_id))
  const rest: { line: Row; product: Row; quantity: number }[] = []
  for (const move of what.moves) {
    const done = what.done.get(move.id) ?? 0
    const product = get(env.tables, env.tx, 'product.product', Number(move.product_id))
    const line = get(env.tables, env.tx, 'sale.order.line', Number(move.sale_line_id))
    release(env, move)
    if (isStorable(product))
      env.tx.quants.push({ productId: product.id, locationId: Number(move.location_id), quantity: -done, reserved: 0 })
    const doneValues = env.tables.version === 14 ? { quantity_done: done } : { quantity: done, picked: true }
    const left = Number(move.product_uom_qty) - done
    const state = done > 0 ? 'done' : 'cancel'
    const demand = done > 0 ? done : Number(move.product_uom_qty)
    patch(
      env.tables,
      env.tx,
      { model: 'stock.move', id: move.id },
      { state, product_uom_qty: demand, ...reservedAs(env, 0), ...doneValues },
    )
    patch(env.tables, env.tx, { model: 'sale.order.line', id: line.id }, { qty_delivered: Number(line.qty_delivered) + done })
    if (left > 0) rest.push({ line, product, quantity: left })
  }
  const now = microsToText(env.tx.startedAt)
  patch(env.tables, env.tx, { model: 'stock.picking', id: picking.id }, { state: 'done', date_done: now })
  if (rest.length > 0) {
    const next = newPicking(env, order, picking.id)
    for (const want of rest) addMove(env, next, want)
  }
  patch(env.tables, env.tx, { model: 'sale.order', id: order.id }, { effective_date: now, invoice_status: 'to_invoice' })
  refreshPickings(env, order.id)
  noteAct(env.tx, order.id, 'status')
}
