import type { MarketplaceOrder } from './marketplace-ledgers.ts'
import { itemsOf, least, type SeenOrder } from './seen-order.ts'

/** What a buyer bought: one order of a marketplace, or the orders of one pack. */
export interface Sale extends SeenOrder {
  orderIds: string[]
  /** What people call it beside its ids: Paris's own references. */
  references: string[]
  paid: boolean
  held: boolean
}

export const saleLabel = (channel: string, key: string): string => `${channel.startsWith('paris') ? 'PARIS' : 'ML'}-${key}`

export const OUR_REFERENCE = /^odoo-(\d+)(?:-g(\d+))?$/

/** Orders that were born at the marketplace, a pack as one. */
export function salesOf(orders: readonly MarketplaceOrder[]): Sale[] {
  const born = orders.filter((order) => !order.deleted && order.createdBy === 'admin' && !OUR_REFERENCE.test(order.reference ?? ''))
  const groups = Map.groupBy(born, (order) => `${order.channel} ${order.saleKey}`)
  return [...groups.values()].map(saleOf)
}

function saleOf(orders: MarketplaceOrder[]): Sale {
  const [first] = orders
  if (!first) throw new Error('a sale without an order')
  const live = orders.filter((order) => order.lifecycle !== 'cancelled')
  const counted = live.length > 0 ? live : orders
  const shipped = orders.filter((order) => order.saidByShipment)
  const totals = counted.map((order) => order.totalMinor)
  return {
    channel: first.channel,
    id: first.saleKey,
    orderIds: orders.map((order) => order.id),
    references: orders.flatMap((order) => order.reference ?? []),
    reference: null,
    items: itemsOf(counted.flatMap((order) => [...order.items].map(([sku, item]) => ({ sku, ...item })))),
    lifecycle: live.length === 0 ? 'cancelled' : (orders.find((o) => o.lifecycle === 'cancel_requested')?.lifecycle ?? 'open'),
    fulfilment: least((shipped.length > 0 ? shipped : counted).flatMap((order) => order.fulfilment ?? [])) ?? null,
    currency: first.currency,
    totalMinor: totals.includes(null) ? null : totals.reduce<number>((sum, one) => sum + (one ?? 0), 0),
    changedAt: Math.max(...orders.map((order) => order.changedAt)),
    seqs: orders.flatMap((order) => order.seqs),
    paid: counted.every((order) => order.paid),
    held: orders.some((order) => order.held),
  }
}
