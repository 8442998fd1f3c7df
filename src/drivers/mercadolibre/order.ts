import { z } from 'zod'
import { IntegrationError } from '../../core/integration-error.ts'
import { isoInstant } from '../../core/instant.ts'
import { minorFrom, quantityFrom } from '../../core/money.ts'
import type { Flag, Fragment, Identifier, OrderLine } from '../../core/order.ts'
import { shortened } from '../../core/storable-text.ts'
import type { Personal } from '../../ports/target.ts'
import { Id, NumericId } from './lossless-json.ts'
import { orderMeaning, type StatusMap } from './status-map.ts'

const Amount = z.union([z.number(), z.string()])
const Words = z.array(z.string()).nullish()

const OrderItem = z.object({
  item: z.object({ id: Id, seller_sku: z.string().nullish() }),
  quantity: Amount,
  unit_price: Amount.nullish(),
})

/** `GET /orders/{id}`. Everything but id and version may be missing: HTTP 206 leaves fields out. */
export const MeliOrder = z.object({
  id: NumericId,
  last_updated: z.string(),
  date_created: z.string().nullish(),
  status: z.string().nullish(),
  pack_id: NumericId.nullish(),
  tags: Words,
  total_amount: Amount.nullish(),
  currency_id: z.string().length(3).nullish(),
  order_items: z.array(OrderItem).nullish(),
  payments: z.array(z.object({ status: z.string().nullish(), status_detail: z.string().nullish(), tags: Words })).nullish(),
  shipping: z.object({ id: NumericId.nullish() }).nullish(),
  mediations: z.array(z.unknown()).nullish(),
  buyer: z
    .object({
      nickname: z.string().nullish(),
      first_name: z.string().nullish(),
      last_name: z.string().nullish(),
      email: z.string().nullish(),
    })
    .nullish(),
  seller: z.object({ id: NumericId.nullish() }).nullish(),
  external_reference: z.string().nullish(),
})
export type MeliOrder = z.infer<typeof MeliOrder>

/** The hub's key of a sale: a cart of k items is k orders of one pack. */
export function orderKeyOf(order: Pick<MeliOrder, 'id' | 'pack_id'>): string {
  return order.pack_id ?? order.id
}

export interface OrderReading {
  statuses: StatusMap
  /** The simulator's orders carry a client reference; the vendor's have no such field, and it is never read there. */
  withReference: boolean
  /** From `X-Content-Missing` of a 206; null for a whole answer. */
  missing: readonly string[] | null
}

/** One order as a fragment. Throws `malformed-response` naming the field when an amount or instant cannot be read. */
export function orderFragment(order: MeliOrder, reading: OrderReading): Fragment {
  if (reading.missing?.includes('pack_id')) {
    throw new IntegrationError('malformed-response', {
      httpStatus: 206,
      summary: 'a partial answer without pack_id: the sale it belongs to is not known',
    })
  }
  const said = withoutMissing(order, reading.missing)
  const currency = said.currency_id ?? undefined
  const lines = said.order_items && currency !== undefined ? linesOf(said, currency) : undefined
  const meaning = meaningOf(said, reading.statuses)
  const flags = flagsOf(said, reading)
  const total = said.total_amount === null || said.total_amount === undefined || currency === undefined ? undefined : said.total_amount
  return {
    entity: 'order',
    externalId: said.id,
    orderKey: orderKeyOf(said),
    version: instantOf(said.last_updated, 'order.last_updated'),
    identifiers: identifiersOf(said, reading.withReference),
    ...(meaning.payment === undefined ? {} : { payment: meaning.payment }),
    ...(meaning.lifecycle === undefined ? {} : { lifecycle: meaning.lifecycle }),
    ...(flags === undefined ? {} : { flags }),
    ...(currency === undefined ? {} : { currency }),
    ...(total === undefined || currency === undefined ? {} : { totalMinor: amountOf(total, currency, 'total_amount') }),
    ...(lines === undefined ? {} : { lines }),
    ...(said.status ? { rawStatus: shortened(said.status, 120) } : {}),
  }
}

/** An instant of MercadoLibre, whatever its offset (`-04:00`, `-0400`, `Z`), as ISO in UTC. */
export function instantOf(text: string, field: string): string {
  const at = isoInstant(Date.parse(text.replace(/([+-]\d{2})(\d{2})$/, '$1:$2')))
  if (at !== undefined) return at
  throw new IntegrationError('malformed-response', { summary: `${field} is not an instant` })
}

/** The buyer as the order shows them. Stands apart from every fragment. */
export function buyerOf(order: MeliOrder): Personal {
  const name = [order.buyer?.first_name, order.buyer?.last_name].filter(Boolean).join(' ')
  return {
    ...(name === '' ? {} : { buyerName: name }),
    ...(order.buyer?.nickname ? { buyerNickname: order.buyer.nickname } : {}),
    ...(order.buyer?.email ? { email: order.buyer.email } : {}),
  }
}

// A 206 shows what is missing as null or not at all; either way nothing was said of it.
function withoutMissing(order: MeliOrder, missing: readonly string[] | null): MeliOrder {
  if (missing === null) return order
  const kept = Object.entries(order).filter(([name]) => name === 'id' || name === 'last_updated' || !missing.includes(name))
  return Object.fromEntries(kept) as MeliOrder
}

function meaningOf(order: MeliOrder, statuses: StatusMap): Pick<Fragment, 'payment' | 'lifecycle'> {
  const meaning = order.status ? orderMeaning(statuses, order.status) : undefined
  if (meaning === undefined) return {}
  const payments = order.payments?.map((one) => one.status) ?? []
  // Refunded to a balance without a cancellation: the order stays `paid`, with this tag.
  if (order.status === 'paid' && order.tags?.includes('unfulfilled')) return { payment: 'refunded', lifecycle: 'cancelled' }
  if (payments.includes('charged_back')) return { ...meaning, payment: 'charged_back' }
  if (meaning.payment === undefined && payments.includes('refunded')) return { ...meaning, payment: 'refunded' }
  return meaning
}

/** Undefined when what they are read from is missing: flags that are said replace those that were known. */
function flagsOf(order: MeliOrder, reading: OrderReading): Flag[] | undefined {
  if (!order.tags || order.mediations === undefined || !order.status)
    return reading.missing === null ? [...knownFlags(order, reading)] : undefined
  return [...knownFlags(order, reading)]
}

function* knownFlags(order: MeliOrder, reading: OrderReading): Generator<Flag> {
  if (order.tags?.includes('fraud_risk_detected')) yield 'hold_fraud'
  const isDisputed = order.payments?.some((one) => one.status === 'in_mediation') ?? false
  if ((order.mediations?.length ?? 0) > 0 || isDisputed) yield 'mediation'
  if (order.tags?.includes('test_order')) yield 'test_order'
  if (!order.status || orderMeaning(reading.statuses, order.status) === undefined) yield 'unknown_status'
  if (isPartial(order)) yield 'partial'
}

const isPartial = (order: MeliOrder): boolean =>
  !order.order_items || !order.currency_id || order.total_amount === undefined || order.total_amount === null

function identifiersOf(order: MeliOrder, withReference: boolean): Identifier[] {
  const pack = order.pack_id ?? undefined
  const shipment = order.shipping?.id ?? undefined
  return [
    { kind: 'marketplace-order', value: order.id },
    { kind: 'marketplace-order', value: `ML-${order.id}` },
    ...(pack === undefined ? [] : packIdentifiers(pack)),
    ...(shipment === undefined ? [] : [{ kind: 'shipment' as const, value: shipment }]),
    ...(withReference && order.external_reference ? [{ kind: 'reference' as const, value: shortened(order.external_reference, 200) }] : []),
  ]
}

export function packIdentifiers(pack: string): Identifier[] {
  return [
    { kind: 'pack', value: pack },
    { kind: 'pack', value: `ML-${pack}` },
  ]
}

/** Lines keyed by their order; only orders made at the simulator have several. An item without SKU stays visible as `item:MLC…`. */
function linesOf(order: MeliOrder, currency: string): OrderLine[] {
  const items = order.order_items ?? []
  return items.map((line, index) => ({
    lineId: items.length === 1 ? order.id : `${order.id}-${index + 1}`,
    sku: line.item.seller_sku || `item:${line.item.id}`,
    quantity: decimalOf(line.quantity, `order_items[${index}].quantity`),
    unitPriceMinor:
      line.unit_price === null || line.unit_price === undefined
        ? null
        : amountOf(line.unit_price, currency, `order_items[${index}].unit_price`),
  }))
}

function amountOf(amount: string | number, currency: string, field: string): number {
  const minor = minorFrom(amount, currency)
  if (minor !== undefined) return minor
  throw new IntegrationError('malformed-response', { summary: `${field} is not an exact amount of ${currency}` })
}

function decimalOf(value: string | number, field: string): string {
  const quantity = quantityFrom(value)
  if (quantity !== undefined) return quantity
  throw new IntegrationError('malformed-response', { summary: `${field} is not a decimal number` })
}
