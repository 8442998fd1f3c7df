import { z } from 'zod'
import { LINE_FIELDS, LineRecord, ORDER_FIELDS, PICKING_FIELDS, PickingRecord, Text } from './record.ts'
import type { OdooModel, OdooSchema } from './schema.ts'
import type { OdooCall } from './transport.ts'

/** One read call, whoever pays for it: the collector, or a look-up through the attempt log. */
export type Read = <T>(schema: z.ZodType<T>, call: OdooCall) => Promise<T>

export const Row = z.record(z.string(), z.unknown())
export const Ids = z.array(z.number().int())
export const EVERYTHING = { active_test: false }

const LINES_A_CALL = 2_000
const PRODUCTS_A_CALL = 1_000

/** `search_read` by ids, so that a record which the user may not see is left out instead of spoiling the rest. */
export async function readOrderRows(
  read: Read,
  schema: OdooSchema,
  domain: unknown[],
  more: readonly string[] = [],
): Promise<z.infer<typeof Row>[]> {
  const fields = [...new Set([...known(schema, 'sale.order', ORDER_FIELDS), ...known(schema, 'sale.order', more)])]
  return await read(z.array(Row), {
    model: 'sale.order',
    method: 'search_read',
    args: { domain, fields, order: 'id asc', context: EVERYTHING },
  })
}

/** Lines by id, in the order asked; each row still to be checked on its own. */
export async function readLineRows(read: Read, schema: OdooSchema, ids: readonly number[]): Promise<Map<number, z.infer<typeof Row>>> {
  const rows = new Map<number, z.infer<typeof Row>>()
  for (const some of chunks(ids, LINES_A_CALL)) {
    const args = { domain: [['id', 'in', some]], fields: known(schema, 'sale.order.line', LINE_FIELDS), context: EVERYTHING }
    for (const row of await read(z.array(Row), { model: 'sale.order.line', method: 'search_read', args })) rows.set(Number(row.id), row)
  }
  return rows
}

export async function readPickings(read: Read, schema: OdooSchema, orderIds: readonly number[]): Promise<PickingRecord[]> {
  if (!schema.has('stock.picking', 'sale_id') || orderIds.length === 0) return []
  const args = {
    domain: [['sale_id', 'in', orderIds]],
    fields: known(schema, 'stock.picking', PICKING_FIELDS),
    order: 'id asc',
    context: EVERYTHING,
  }
  return await read(z.array(PickingRecord), { model: 'stock.picking', method: 'search_read', args })
}

const Product = z.object({ id: z.number().int(), default_code: Text })

/** SKU by product id, archived products included. */
export async function readSkus(read: Read, productIds: readonly number[]): Promise<Map<number, string>> {
  const skus = new Map<number, string>()
  for (const some of chunks([...new Set(productIds)], PRODUCTS_A_CALL)) {
    const args = { domain: [['id', 'in', some]], fields: ['default_code'], context: EVERYTHING }
    const products = await read(z.array(Product), { model: 'product.product', method: 'search_read', args })
    for (const { id, default_code } of products) if (default_code) skus.set(id, default_code)
  }
  return skus
}

export function productIdsOf(lines: Iterable<z.infer<typeof Row>>): number[] {
  const ids: number[] = []
  for (const { product_id } of lines) if (Array.isArray(product_id) && typeof product_id[0] === 'number') ids.push(product_id[0])
  return ids
}

/** Checks rows one by one; the problem of the first that does not fit names its field. */
export function checkedLines(rows: readonly z.infer<typeof Row>[]): { lines: LineRecord[] } | { field: string; problem: string } {
  const lines: LineRecord[] = []
  for (const [at, row] of rows.entries()) {
    const parsed = LineRecord.safeParse(row)
    if (!parsed.success) return firstProblem(parsed.error, `order_line[${at + 1}].`)
    lines.push(parsed.data)
  }
  return { lines }
}

export function firstProblem(error: z.ZodError, prefix = ''): { field: string; problem: string } {
  const issue = error.issues[0]
  return { field: `${prefix}${issue?.path.join('.') ?? ''}`, problem: issue?.message ?? 'does not fit' }
}

export function* chunks<T>(items: readonly T[], size: number): Generator<T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size)
}

function known(schema: OdooSchema, model: OdooModel, fields: readonly string[]): string[] {
  return fields.filter((field) => field === 'id' || schema.has(model, field))
}
