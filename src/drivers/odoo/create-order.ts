import { z } from 'zod'
import type { DesiredOrder } from '../../core/desired.ts'
import { IntegrationError } from '../../core/integration-error.ts'
import { shortened } from '../../core/storable-text.ts'
import { decimalText } from '../../core/money.ts'
import type { Wanted } from '../../ports/target.ts'
import type { Connection } from './connection.ts'
import { HUB_MODULE, lineSlug, orderSlug, partnerSlug, resolveExternalId } from './external-id.ts'
import type { Read } from './order-reading.ts'
import { Text } from './record.ts'
import type { OdooCall } from './transport.ts'

/** How prices that include tax are written. */
export type TaxMode = { kind: 'price-included-tax'; taxId: number } | { kind: 'none' }

/** What a create needs from Odoo, looked up before it. */
export interface Ingredients {
  partner: { kind: 'known'; id: number } | { kind: 'to-create'; slug: string; name: string }
  /** Product id by SKU. */
  products: ReadonlyMap<string, number>
  /** The first SKU that names no product, or more than one. */
  problem: { sku: string; products: number } | null
}

const Partner = z.object({ id: z.number().int() })

export async function resolveIngredients(
  read: Read,
  desired: DesiredOrder,
  partners: Readonly<Record<string, string | number>>,
): Promise<Ingredients> {
  const marketplace = desired.origin.split(':')[0] ?? desired.origin
  const partner = await resolvePartner(read, marketplace, partners[marketplace] ?? marketplace)
  return { partner, ...(await resolveProducts(read, desired)) }
}

/** What the lines need that a late order of the pack brings to an order which is there already. */
export async function resolveAppended(
  read: Read,
  desired: DesiredOrder,
  lineIds: readonly string[],
  partnerId: number,
): Promise<Ingredients> {
  const lines = desired.lines.filter((line) => lineIds.includes(line.lineId))
  return { partner: { kind: 'known', id: partnerId }, ...(await resolveProducts(read, { ...desired, lines })) }
}

// A generic partner takes the buyers of a whole marketplace: by configured id, by name, by our external id (it may have been renamed),
// else it is created.
async function resolvePartner(read: Read, marketplace: string, wanted: string | number): Promise<Ingredients['partner']> {
  if (typeof wanted === 'number') return { kind: 'known', id: wanted }
  const args = { domain: [['name', '=', wanted]], fields: ['id'], order: 'id asc', limit: 1 }
  const [partner] = await read(z.array(Partner), { model: 'res.partner', method: 'search_read', args })
  if (partner) return { kind: 'known', id: partner.id }
  const slug = partnerSlug(marketplace, wanted)
  const named = await resolveExternalId(read, slug)
  return named === null ? { kind: 'to-create', slug, name: wanted } : { kind: 'known', id: named }
}

const Product = z.object({ id: z.number().int(), default_code: Text })

async function resolveProducts(read: Read, desired: DesiredOrder): Promise<Pick<Ingredients, 'products' | 'problem'>> {
  const skus = [...new Set(desired.lines.map((line) => line.sku))]
  const rows = await read(z.array(Product), productQuestion(skus))
  const bySku = Map.groupBy(rows, (row) => row.default_code)
  const bad = skus.find((sku) => bySku.get(sku)?.length !== 1)
  const products = new Map(rows.map((row) => [row.default_code, row.id]))
  return { products, problem: bad === undefined ? null : { sku: bad, products: bySku.get(bad)?.length ?? 0 } }
}

/** Active products under these SKUs. */
export function productQuestion(skus: readonly string[]): OdooCall {
  return { model: 'product.product', method: 'search_read', args: { domain: [['default_code', 'in', skus]], fields: ['default_code'] } }
}

export function partnerLoad({ slug, name }: { slug: string; name: string }): OdooCall {
  return { model: 'res.partner', method: 'load', args: { fields: ['id', 'name'], data: [[`${HUB_MODULE}.${slug}`, name]] } }
}

/**
 * The one request that creates an order: `load` with an external id for the order and for every line, which is the only atomic key that
 * Odoo offers. Without prices the pricelist of Odoo gives them, and its own taxes.
 */
export function orderLoad(
  wanted: Wanted,
  desired: DesiredOrder,
  how: { partnerId: number; products: ReadonlyMap<string, number>; taxMode: TaxMode; schema: Connection['schema'] },
): OdooCall {
  const { partnerId, products, taxMode, schema } = how
  const slug = orderSlug(desired.origin, wanted.reference)
  const priced = desired.lines.every((line) => line.unitPriceMinor !== null)
  const taxed = priced && taxMode.kind === 'price-included-tax'
  const fields = [
    'id',
    'partner_id/.id',
    'client_order_ref',
    'origin',
    'order_line/id',
    'order_line/product_id/.id',
    'order_line/product_uom_qty',
  ]
  if (priced) fields.push('order_line/price_unit')
  if (taxed) fields.push(`order_line/${schema.lineTaxField}/.id`)
  const data = desired.lines.map((line, at) => {
    const head = at === 0 ? [`${HUB_MODULE}.${slug}`, String(partnerId), wanted.reference, desired.origin] : ['', '', '', '']
    const row = [...head, `${HUB_MODULE}.${lineSlug(slug, line.lineId)}`, String(products.get(line.sku)), line.quantity]
    if (priced) row.push(decimalText(line.unitPriceMinor ?? 0, desired.currency ?? ''))
    if (taxed) row.push(String(taxMode.taxId))
    return row
  })
  return { model: 'sale.order', method: 'load', args: { fields, data } }
}

/** The one request that appends lines: `load` of the lines alone, each under its own external id. An order is not loaded again once it is confirmed. */
export function lineLoad(
  wanted: Wanted,
  desired: DesiredOrder,
  how: {
    orderId: number
    lineIds: readonly string[]
    products: ReadonlyMap<string, number>
    taxMode: TaxMode
    schema: Connection['schema']
  },
): OdooCall {
  const { orderId, lineIds, products, taxMode, schema } = how
  const slug = orderSlug(desired.origin, wanted.reference)
  const priced = desired.lines.every((line) => line.unitPriceMinor !== null)
  const taxed = priced && taxMode.kind === 'price-included-tax'
  const fields = ['id', 'order_id/.id', 'product_id/.id', 'product_uom_qty']
  if (priced) fields.push('price_unit')
  if (taxed) fields.push(`${schema.lineTaxField}/.id`)
  const lines = desired.lines.filter((line) => lineIds.includes(line.lineId))
  const data = lines.map((line) => {
    const row = [`${HUB_MODULE}.${lineSlug(slug, line.lineId)}`, String(orderId), String(products.get(line.sku)), line.quantity]
    if (priced) row.push(decimalText(line.unitPriceMinor ?? 0, desired.currency ?? ''))
    if (taxed) row.push(String(taxMode.taxId))
    return row
  })
  return { model: 'sale.order.line', method: 'load', args: { fields, data } }
}

export const LoadAnswer = z.object({
  ids: z.union([z.array(z.number().int()), z.literal(false)]),
  messages: z.array(z.object({ message: z.string().optional(), field: z.union([z.string(), z.literal(false)]).optional() })).default([]),
})

/**
 * Id of the record that `load` wrote. Odoo answers 200 with `ids: false` when it wrote nothing: by a collision with another writer, which
 * is a `conflict` (read again, then decide), or because it refuses the content.
 */
export function loadedId(answer: z.infer<typeof LoadAnswer>, what: string): number {
  const id = answer.ids === false ? undefined : answer.ids[0]
  if (id !== undefined) return id
  const theirText = shortened(answer.messages.map((m) => m.message ?? '').join(' | '), 500)
  const field = answer.messages.find((m) => m.field)?.field
  if (COLLISION.test(theirText))
    return raise(
      new IntegrationError('conflict', { causeCode: 'erp-write-failing', summary: `${what}: another writer was faster`, theirText }),
    )
  return raise(
    new IntegrationError('rejected', {
      causeCode: 'erp-write-failing',
      summary: `${what}: Odoo refused ${field ? `the field "${field}"` : 'the content'}`,
      theirText,
    }),
  )
}

// `load` tells no class, only the database's words: serialization, lock, deadlock, and the unique key of external ids.
const COLLISION = /serializ|concurren|deadlock|lock|40001|40P01|55P03|ir_model_data/i

function raise(error: IntegrationError): never {
  throw error
}
