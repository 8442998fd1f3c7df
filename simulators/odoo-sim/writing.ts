import type { Env } from './env.ts'
import { accessError, missingError, userError } from './odoo-error.ts'
import { modelOf, mustBeReadable } from './reading.ts'
import { createOrder, writeLine, writeOrder } from './sale-order.ts'
import { writeMove, writePicking } from './stock-picking.ts'
import { find, get, insert, noteAct, patch, type Row, remove, type Value } from './tables.ts'
import { checkValues, mustHaveRequired, plainValues } from './values.ts'

export function createRecord(env: Env, model: string, values: unknown): Row {
  const given = checkValues(env, model, values)
  mustBeWritable(env, model, 'create')
  mustHaveRequired(env, model, given)
  if (model === 'sale.order') return createOrder(env, given)
  if (model === 'sale.order.line') return writeLine(env, null, given)
  return insert(env.tables, env.tx, model, { ...defaultsOf(env, model), ...plainValues(env, model, given) })
}

export function writeRecords(env: Env, model: string, ids: number[], values: unknown): void {
  const given = checkValues(env, model, values)
  mustBeWritable(env, model, 'write')
  const missing = ids.filter((id) => !find(env.tables, env.tx, model, id))
  if (missing.length > 0) throw missingError(model, missing)
  for (const id of ids) {
    if (model === 'sale.order') writeOrder(env, id, given)
    else if (model === 'sale.order.line') writeLine(env, get(env.tables, env.tx, model, id), given)
    else if (model === 'stock.picking') writePicking(env, id, plainValues(env, model, given))
    else if (model === 'stock.move') writeMove(env, id, plainValues(env, model, given))
    else patch(env.tables, env.tx, { model, id }, plainValues(env, model, given))
  }
}

function defaultsOf(env: Env, model: string): Record<string, Value> {
  const fields = modelOf(env, model).fields
  const values: Record<string, Value> = {}
  if (fields.has('active')) values.active = true
  if (model === 'product.product') {
    Object.assign(values, { type: 'consu', taxes_id: [1], uom_id: 1, sale_ok: true, list_price: 1 })
    if (fields.has('is_storable')) values.is_storable = false
  }
  if (model === 'res.partner') Object.assign(values, { type: 'contact', country_id: 1, is_company: false })
  return values
}

/** Deleting: allowed for drafts and lines of drafts; a confirmed order never (on 19 an AccessError, verified). */
export function unlinkRecords(env: Env, model: string, ids: number[]): void {
  mustBeWritable(env, model, 'unlink')
  for (const id of ids) {
    const row = find(env.tables, env.tx, model, id)
    if (!row) throw missingError(model, [id])
    if (!env.admin && model === 'sale.order' && row.state !== 'draft' && row.state !== 'cancel') throw deleteRefused(env)
    if (model === 'sale.order') {
      for (const line of (row.order_line as number[] | null) ?? []) remove(env.tables, env.tx, 'sale.order.line', line)
      noteAct(env.tx, id, 'deleted')
    }
    if (model === 'sale.order.line') writeOrder(env, Number(row.order_id), { order_line: [[2, id]] })
    else remove(env.tables, env.tx, model, id)
  }
}

function deleteRefused(env: Env): Error {
  if (env.tables.version === 19) {
    return accessError(
      "You are not allowed to delete 'Sales Order' (sale.order) records.",
      "No tiene permitido eliminar registros de 'Pedido de venta' (sale.order).",
    )
  }
  return userError(
    'You can not delete a sent quotation or a confirmed sales order. You must first cancel it.',
    'No puede eliminar un presupuesto enviado o un pedido de venta confirmado. Primero debe cancelarlo.',
  )
}

const WRITABLE = new Set(['sale.order', 'sale.order.line', 'stock.picking', 'stock.move', 'res.partner', 'crm.tag'])

function mustBeWritable(env: Env, model: string, operation: string): void {
  if (env.admin) return
  mustBeReadable(env, model, operation)
  if (WRITABLE.has(model)) return
  throw accessError(
    `You are not allowed to ${operation} '${model}' (${model}) records.`,
    `No tiene permitido realizar la operación ${operation} en los registros '${model}' (${model}).`,
  )
}
