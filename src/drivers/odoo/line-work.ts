import { z } from 'zod'
import type { DesiredOrder } from '../../core/desired.ts'
import { decimalText, quantityFrom } from '../../core/money.ts'
import type { Connection } from './connection.ts'
import { lineSlug, orderSlug, resolveExternalId } from './external-id.ts'
import type { Read } from './order-reading.ts'
import { type LineRecord, quantityText, Reference } from './record.ts'

/** How the lines of an order in Odoo differ from a version's, by the external ids of ours. */
const LineWork = z.object({
  /** Ids of the version's lines that Odoo does not hold. */
  missing: z.array(z.string()),
  /** Lines that the hub wrote and the version has no more; used: delivered or invoiced in part. */
  surplus: z.array(z.object({ id: z.number(), sku: z.string(), used: z.boolean() })),
  /** Anything else: another product, quantity or price, a line of a person. */
  other: z.boolean(),
})
export type LineWork = z.infer<typeof LineWork>

/** What `OrderExtra.lineWork` holds; what was never asked for is a difference that nobody knows more about. */
export function lineWorkIn(text: string): LineWork {
  return text === '' ? { missing: [], surplus: [], other: true } : LineWork.parse(JSON.parse(text))
}

export interface HeldLines {
  lines: readonly LineRecord[]
  skuOf: (line: LineRecord) => string
  uid: number
}

/** Asks for the external id of every line of the version, one by one: the only way that every version of Odoo opens to the hub user. */
export async function findLineWork(
  read: Read,
  desired: DesiredOrder,
  { reference, held }: { reference: string; held: HeldLines },
): Promise<LineWork> {
  const order = orderSlug(desired.origin, reference)
  const ids = new Map<string, number | null>()
  for (const { lineId } of desired.lines) ids.set(lineId, await resolveExternalId(read, lineSlug(order, lineId)))
  return lineWorkOf(desired, ids, held)
}

function lineWorkOf(desired: DesiredOrder, ids: ReadonlyMap<string, number | null>, { lines, skuOf, uid }: HeldLines): LineWork {
  const byId = new Map(lines.map((line) => [line.id, line]))
  const known = desired.lines.flatMap((line) => {
    const id = ids.get(line.lineId) ?? null
    return id === null ? [] : [{ line, held: byId.get(id), id }]
  })
  const rest = lines.filter((line) => !known.some(({ id }) => id === line.id) && line.product_uom_qty !== 0)
  const ours = rest.filter((line) => line.create_uid?.id === uid)
  return {
    missing: desired.lines.filter((line) => (ids.get(line.lineId) ?? null) === null).map((line) => line.lineId),
    surplus: ours.map((line) => ({
      id: line.id,
      sku: skuOf(line),
      used: (line.qty_delivered ?? 0) !== 0 || (line.qty_invoiced ?? 0) !== 0,
    })),
    other: ours.length < rest.length || known.some(({ line, held }) => !held || !says(line, held, { sku: skuOf(held), desired })),
  }
}

function says(line: DesiredOrder['lines'][number], held: LineRecord, { sku, desired }: { sku: string; desired: DesiredOrder }): boolean {
  const price = line.unitPriceMinor === null ? null : quantityFrom(decimalText(line.unitPriceMinor, desired.currency ?? ''))
  return (
    line.sku === sku && line.quantity === quantityText(held.product_uom_qty) && (price === null || price === quantityText(held.price_unit))
  )
}

const Moves = z.array(z.object({ sale_line_id: Reference, product_uom_qty: z.number() }))

/**
 * SKUs of lines at quantity 0 that an open picking still holds: Odoo 14 leaves the picking as it was when a quantity goes down, and only
 * asks the warehouse to look.
 */
export async function stillToDeliver(read: Read, { schema }: Connection, held: HeldLines): Promise<string[]> {
  const gone = held.lines.filter((line) => line.product_uom_qty === 0 && line.create_uid?.id === held.uid)
  if (gone.length === 0 || !schema.has('stock.move', 'sale_line_id')) return []
  const domain = [
    ['sale_line_id', 'in', gone.map((line) => line.id)],
    ['state', 'not in', ['done', 'cancel']],
  ]
  const moves = await read(Moves, {
    model: 'stock.move',
    method: 'search_read',
    args: { domain, fields: ['sale_line_id', 'product_uom_qty'] },
  })
  const open = new Set(moves.flatMap((move) => (move.product_uom_qty > 0 && move.sale_line_id ? [move.sale_line_id.id] : [])))
  return [...new Set(gone.filter((line) => open.has(line.id)).map(held.skuOf))].sort()
}
