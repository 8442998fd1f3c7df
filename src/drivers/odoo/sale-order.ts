import { isPositive } from '../../core/money.ts'
import type { ErpAttributes, Fragment, Identifier, OrderLine } from '../../core/order.ts'
import { shortened } from '../../core/storable-text.ts'
import type { ErpQuarantined } from '../../ports/erp.ts'
import {
  amountFrom,
  fulfilmentOf,
  grossUnitPrice,
  isoFrom,
  type LineRecord,
  type OrderRecord,
  type PickingRecord,
  quantityText,
  trackingOf,
  versionOf,
} from './record.ts'

/** One order with everything that was read of it. */
export interface SaleOrder {
  order: OrderRecord
  lines: readonly LineRecord[]
  pickings: readonly PickingRecord[]
  /** SKU by product id; a product without one is absent. */
  skus: ReadonlyMap<number, string>
  /** Tag name by id. */
  tags: ReadonlyMap<number, string>
  /** Values of the fields that routing rules look at. */
  routing: Record<string, string>
}

export type Mapped = { kind: 'order'; fragment: Fragment } | { kind: 'quarantined'; record: ErpQuarantined }

const MOST_LINES = 5_000
const HUB_ORIGIN = /^(mercadolibre|paris):[A-Za-z0-9_-]+$/

/**
 * Whether an order may be one that the hub created: its `origin` is the channel it was born in. It is hub-born when, beside that, our
 * external id names it, or the hub's own user created it (a person's copy keeps the origin and has another author).
 */
export function mayBeHubBorn(order: Pick<OrderRecord, 'origin'>): boolean {
  return HUB_ORIGIN.test(order.origin)
}

export function isHubBorn(order: Pick<OrderRecord, 'origin' | 'create_uid'>, hub: { uid: number; externalIdProven: boolean }): boolean {
  return mayBeHubBorn(order) && (hub.externalIdProven || order.create_uid?.id === hub.uid)
}

export function tooManyLines(order: Pick<OrderRecord, 'order_line'>): string | undefined {
  return order.order_line.length > MOST_LINES ? `${order.order_line.length} lines, and at most ${MOST_LINES} are taken` : undefined
}

export function isConfirmed(state: string): boolean {
  return state === 'sale' || state === 'done'
}

/** Maps one order of the ERP. Total: what cannot be mapped is quarantined, naming the field. */
export function mapSaleOrder(sale: SaleOrder): Mapped {
  const { order } = sale
  const cancelled = order.state === 'cancel'
  const content = contentOf(sale)
  // A cancellation must get through even when the lines no longer map.
  if (content.kind === 'problem' && !cancelled) return { kind: 'quarantined', record: quarantinedOf(order, sale.pickings, content) }
  const { fulfilment, partial } = fulfilmentOf(sale.pickings)
  const tracking = trackingOf(sale.pickings)
  const fragment: Fragment = {
    entity: 'order',
    externalId: String(order.id),
    orderKey: String(order.id),
    version: versionOf(order, sale.pickings),
    identifiers: identifiersOf(order),
    payment: isConfirmed(order.state) ? 'paid' : 'none',
    fulfilment,
    lifecycle: cancelled ? 'cancelled' : 'open',
    flags: partial ? ['partial'] : [],
    confirmed: isConfirmed(order.state),
    ...(order.create_date ? { createdAt: isoFrom(order.create_date) } : {}),
    erp: attributesOf(sale),
    rawStatus: shortened(order.state, 120),
    ...(content.kind === 'content' ? content.said : {}),
    ...(tracking ? { tracking } : {}),
  }
  return { kind: 'order', fragment }
}

export function quarantinedOf(
  order: Pick<OrderRecord, 'id' | 'name' | 'write_date'>,
  pickings: readonly { write_date: string }[],
  { field, problem }: { field: string; problem: string },
): ErpQuarantined {
  return { erpId: String(order.id), erpName: order.name, field, problem, version: versionOf(order, pickings) }
}

/** Every name that a person may type for the order. */
export function identifiersOf(order: Pick<OrderRecord, 'id' | 'name' | 'client_order_ref'>): Identifier[] {
  const identifiers: Identifier[] = [
    { kind: 'erp-id', value: String(order.id) },
    { kind: 'reference', value: `ODOO-${order.id}` },
  ]
  if (order.name) identifiers.push({ kind: 'erp-name', value: shortened(order.name, 200) })
  const reference = shortened(order.client_order_ref, 200)
  if (reference) identifiers.push({ kind: 'client-order-ref', value: reference })
  const bare = /^[A-Za-z]{1,20}[-_ #:]?(\d{3,40})$/.exec(reference)?.[1]
  if (bare) identifiers.push({ kind: 'bare', value: bare })
  return identifiers
}

type Content =
  | { kind: 'content'; said: { currency: string; totalMinor: number; lines: OrderLine[] } }
  | { kind: 'problem'; field: string; problem: string }

function contentOf(sale: SaleOrder): Content {
  const { order } = sale
  const many = tooManyLines(order)
  if (many) return { kind: 'problem', field: 'order_line', problem: many }
  const currency = order.currency_id?.name ?? ''
  if (currency.length !== 3) return { kind: 'problem', field: 'currency_id', problem: 'the order has no currency' }
  const totalMinor = amountFrom(order.amount_total, currency)
  if (totalMinor === undefined)
    return { kind: 'problem', field: 'amount_total', problem: `${order.amount_total} is no exact amount of ${currency}` }
  const lines: OrderLine[] = []
  for (const [at, line] of sale.lines.entries()) {
    if (line.display_type === 'line_section' || line.display_type === 'line_note' || line.display_type === 'line_subsection') continue
    const mapped = mapLine(line, sale.skus, currency)
    if ('problem' in mapped) return { kind: 'problem', field: `order_line[${at + 1}].${mapped.field}`, problem: mapped.problem }
    lines.push(mapped)
  }
  return { kind: 'content', said: { currency, totalMinor, lines } }
}

function mapLine(line: LineRecord, skus: ReadonlyMap<number, string>, currency: string): OrderLine | { field: string; problem: string } {
  const sku = line.product_id ? (skus.get(line.product_id.id) ?? '') : ''
  if (!sku) return { field: 'product_id.default_code', problem: line.product_id ? 'the product has no SKU' : 'the line has no product' }
  const quantity = quantityText(line.product_uom_qty)
  if (!isPositive(quantity)) return { field: 'product_uom_qty', problem: `quantity ${quantity} is not above zero` }
  const totalMinor = amountFrom(line.price_total, currency)
  if (totalMinor === undefined) return { field: 'price_total', problem: `${line.price_total} is no exact amount of ${currency}` }
  return { lineId: `l${line.id}`, sku, quantity, unitPriceMinor: grossUnitPrice(totalMinor, line.product_uom_qty) }
}

// Odoo shows a pricelist as `Public (CLP)`; a routing rule names it as people typed it.
function plainName(shown: string | undefined, currency: string | undefined): string | null {
  const suffix = ` (${currency})`
  return (shown?.endsWith(suffix) ? shown.slice(0, -suffix.length) : shown) ?? null
}

function attributesOf({ order, tags, routing }: SaleOrder): ErpAttributes {
  return {
    team: order.team_id?.name ?? null,
    tags: (order.tag_ids ?? []).map((id) => tags.get(id)).filter((name) => name !== undefined),
    pricelist: plainName(order.pricelist_id?.name, order.currency_id?.name),
    company: order.company_id?.name ?? null,
    fields: routing,
  }
}
