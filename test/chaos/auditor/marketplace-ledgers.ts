import { z } from 'zod'
import type { Words } from './hub-file.ts'
import { type LedgerLine, ordersById, statesOf } from './ledger-file.ts'
import { itemsOf, minor, RANK, type SeenOrder } from './seen-order.ts'

export interface MarketplaceOrder extends SeenOrder {
  /** Key of the sale it belongs to: its pack, else itself. */
  saleKey: string
  createdBy: 'client' | 'admin'
  deleted: boolean
  /** Paid for, or was before it was cancelled. */
  paid: boolean
  /** Held on purpose: fraud alert or open mediation. */
  held: boolean
  /** Its fulfilment took a step back that no order takes (Paris alone has one entity that tells it). */
  wentBack: boolean
  /** The fulfilment is a shipment's own word, which outranks an order's. */
  saidByShipment: boolean
}

const MeliOrder = z.object({
  status: z.string(),
  pack_id: z.number().nullable(),
  tags: z.array(z.string()),
  total_amount: z.number(),
  currency_id: z.string(),
  order_items: z.array(
    z.object({ item: z.object({ id: z.string(), seller_sku: z.string().nullable() }), quantity: z.number(), unit_price: z.number() }),
  ),
  seller: z.object({ id: z.number() }),
  mediations: z.array(z.unknown()),
  payments: z.array(z.object({ status: z.string() })),
  external_reference: z.string().nullish(),
})
const Shipment = z.object({
  order_ids: z.array(z.number()),
  type: z.string(),
  status: z.string(),
  substatus: z.string().nullable(),
  logistic_type: z.string(),
})
type Shipment = z.infer<typeof Shipment>

export function readMeliOrders(lines: readonly LedgerLine[], wordsOf: (channel: string) => Words): MarketplaceOrder[] {
  const shipments = [...statesOf(lines, 'shipment:').values()].map(({ value, at, seq }) => ({ ...Shipment.parse(value), at, seq }))
  const packs = statesOf(lines, 'pack:')
  return [...ordersById(lines)].map(([id, history]) => {
    const newest = history.at(-1)
    const order = MeliOrder.parse(newest?.order)
    const channel = `mercadolibre:${order.seller.id}`
    const given = wordsOf(channel)
    const own = shipments.filter((s) => s.order_ids.includes(Number(id)) && s.type === 'forward')
    const words = own.flatMap((s) => meliFulfilment(s, given) ?? [])
    const pack = order.pack_id === null ? undefined : packs.get(String(order.pack_id))
    const packStatus = z.object({ status: z.string() }).safeParse(pack?.value).data?.status
    return {
      channel,
      id,
      saleKey: order.pack_id === null ? id : String(order.pack_id),
      createdBy: history[0]?.by ?? 'client',
      deleted: newest?.act === 'deleted',
      reference: order.external_reference ?? null,
      items: itemsOf(
        order.order_items.map(({ item, quantity, unit_price }) => ({
          sku: item.seller_sku || `item:${item.id}`,
          quantity,
          unitPriceMinor: minor(unit_price, order.currency_id),
        })),
      ),
      lifecycle: (given.pack[packStatus ?? ''] ?? packStatus) === 'cancelled' ? 'cancelled' : meliLifecycle(order, given),
      fulfilment: words[0] ?? 'none',
      saidByShipment: words.length > 0,
      wentBack: false,
      currency: order.currency_id,
      totalMinor: minor(order.total_amount, order.currency_id),
      paid: history.some((line) => isPaid(MeliOrder.parse(line.order).status, given)),
      held:
        order.tags.includes('fraud_risk_detected') ||
        order.mediations.length > 0 ||
        order.payments.some((p) => p.status === 'in_mediation'),
      changedAt: Math.max(...history.map((line) => Date.parse(line.at)), ...own.map((s) => s.at), pack?.at ?? 0),
      seqs: [...history.map((line) => line.seq), ...own.map((s) => s.seq)],
    }
  })
}

const PAID = ['paid', 'partially_refunded']
const isPaid = (status: string, { order }: Words): boolean => PAID.includes(order[status]?.payment ?? status)

function meliLifecycle(order: z.infer<typeof MeliOrder>, given: Words): string {
  const told = given.order[order.status]?.lifecycle
  if (told !== undefined) return told
  if (order.status === 'cancelled' || order.status === 'invalid') return 'cancelled'
  if (order.status === 'paid' && order.tags.includes('unfulfilled')) return 'cancelled'
  return order.status === 'pending_cancel' ? 'cancel_requested' : 'open'
}

const BY_STATUS: Record<string, string> = {
  to_be_agreed: 'to_prepare',
  not_specified: 'to_prepare',
  pending: 'to_prepare',
  handling: 'to_prepare',
  ready_to_ship: 'ready_to_ship',
  stale_ready_to_ship: 'ready_to_ship',
  shipped: 'shipped',
  stale_shipped: 'shipped',
  delivered: 'delivered',
  not_delivered: 'not_delivered',
}
const HANDED_OVER = ['picked_up', 'in_hub', 'dropped_off']
const THROUGH_A_HUB = ['cross_docking', 'xd_drop_off', 'drop_off']

function meliFulfilment({ status, substatus, logistic_type }: Shipment, { shipment: given }: Words): string | undefined {
  const pair = `${status}/${substatus}`
  const pattern = Object.keys(given).filter((key) => key.endsWith('*') && pair.startsWith(key.slice(0, -1)))
  const told = given[pair] ?? given[pattern.toSorted((a, b) => b.length - a.length)[0] ?? '']
  if (told) return told
  const back = substatus?.startsWith('returned') && substatus !== 'returned_to_hub' && substatus !== 'returned_to_agency'
  if (status === 'not_delivered' && back) return 'returned'
  if (status === 'ready_to_ship' && HANDED_OVER.includes(substatus ?? '') && THROUGH_A_HUB.includes(logistic_type)) return 'shipped'
  if (Object.hasOwn(given, status)) return given[status] ?? undefined
  return Object.hasOwn(BY_STATUS, status) ? BY_STATUS[status] : undefined
}

const ParisOrder = z.object({
  status: z.string(),
  external_ref: z.string().nullable(),
  items: z.array(z.object({ sku: z.string(), qty: z.number() })),
})

/** The mock contract carries no prices, no payment and one word for everything else. */
export function readParisOrders(lines: readonly LedgerLine[], wordsOf: (channel: string) => Words): MarketplaceOrder[] {
  const { order: given } = wordsOf('paris:main')
  const fulfilmentOf = (status: string): string | undefined => given[status]?.fulfilment ?? parisFulfilment(status)
  return [...ordersById(lines)].map(([id, history]) => {
    const newest = history.at(-1)
    const order = ParisOrder.parse(newest?.order)
    const word = fulfilmentOf(order.status)
    return {
      channel: 'paris:main',
      id,
      saleKey: id,
      createdBy: history[0]?.by ?? 'client',
      deleted: newest?.act === 'deleted',
      reference: order.external_ref,
      items: itemsOf(order.items.map(({ sku, qty }) => ({ sku, quantity: qty, unitPriceMinor: null }))),
      lifecycle: given[order.status]?.lifecycle ?? (order.status === 'cancelled' ? 'cancelled' : 'open'),
      fulfilment: word ?? null,
      saidByShipment: false,
      wentBack: goesBack(history.flatMap((line) => fulfilmentOf(ParisOrder.parse(line.order).status) ?? [])),
      currency: null,
      totalMinor: null,
      paid: true,
      held: false,
      changedAt: Math.max(...history.map((line) => Date.parse(line.at))),
      seqs: history.map((line) => line.seq),
    }
  })
}

const goesBack = (words: readonly string[]): boolean =>
  words.some((word, at) => at > 0 && (RANK[word] ?? 0) < (RANK[words[at - 1] ?? ''] ?? 0))

const PARIS_WORDS: Record<string, string> = {
  created: 'to_prepare',
  accepted: 'to_prepare',
  confirmed: 'to_prepare',
  ready_to_ship: 'ready_to_ship',
  shipped: 'shipped',
  delivered: 'delivered',
  not_delivered: 'not_delivered',
  returned: 'returned',
}

const parisFulfilment = (status: string): string | undefined => (Object.hasOwn(PARIS_WORDS, status) ? PARIS_WORDS[status] : undefined)
