import { type Channel, ODOO_CHANNEL } from './channel.ts'
import { type CanonicalOrder, type Fulfilment, isPaid, type Lifecycle, type OrderLine } from './order.ts'
import { type Route, routeOrder, type RoutingRule } from './routing.ts'

/** What one binding should show: the content of one version of a delivery of kind `order`. Holds no personal data. */
export interface DesiredOrder {
  kind: 'order'
  /** Channel the order was born in; tells Odoo apart what it must create from what it only must learn. */
  origin: string
  /** The order's key at its origin. */
  orderKey: string
  lifecycle: Lifecycle
  /** Set only for the target that must learn it from another system. */
  fulfilment: Fulfilment | null
  tracking: string | null
  /** Odoo only: confirm it there. False while it is held on purpose and where its payment does not stand; a confirmed order stays so. */
  confirm: boolean
  currency: string | null
  totalMinor: number | null
  lines: OrderLine[]
}

export interface DesiredStock {
  kind: 'stock'
  sku: string
  /** Whole pieces available, never negative. */
  quantity: number
}

export type Desired = DesiredOrder | DesiredStock

export interface PlanSettings {
  channels: readonly Channel[]
  rules: readonly RoutingRule[]
}

export interface Wish {
  channel: string
  desired: DesiredOrder
}

export interface OrderPlan {
  route: Route | null
  wishes: Wish[]
}

/**
 * What every system owes an order, from the projection alone. `bound` names the channels that already hold a binding of it: they are
 * told of what became of it even when no rule would send them the order any more, or its payment went back.
 */
export function planOrder(order: CanonicalOrder, bound: readonly string[], settings: PlanSettings): OrderPlan {
  return order.origin === ODOO_CHANNEL ? planErpOrder(order, bound, settings) : planMarketplaceOrder(order, bound, settings)
}

function planErpOrder(order: CanonicalOrder, bound: readonly string[], settings: PlanSettings): OrderPlan {
  const route = routeOrder(order, settings.rules, settings.channels)
  const marketplaces = bound.filter((id) => id !== ODOO_CHANNEL)
  const wanted = order.confirmed && order.lifecycle !== 'cancelled' ? [...new Set([...route.channels, ...marketplaces])] : marketplaces
  const wishes: Wish[] = wanted.map((channel) => ({
    channel,
    desired: { ...contentOf(order), ...reportOwed(order, channel, settings) },
  }))
  // Only a shipper's word is news to Odoo: its own is not repeated to it.
  if (order.fulfilmentFromShipper && worthANote(order.fulfilment) && marketplaces.some((id) => ships(id, settings) === 'marketplace')) {
    wishes.push({
      channel: ODOO_CHANNEL,
      desired: { ...contentOf(order), fulfilment: order.fulfilment, tracking: order.tracking, lines: [], totalMinor: null },
    })
  }
  return { route, wishes }
}

// Until a parcel is ready to leave, there is nothing that Odoo does not know of its own order.
function worthANote(fulfilment: Fulfilment): boolean {
  return fulfilment !== 'none' && fulfilment !== 'awaiting_acceptance' && fulfilment !== 'to_prepare'
}

function planMarketplaceOrder(order: CanonicalOrder, bound: readonly string[], settings: PlanSettings): OrderPlan {
  if (!settings.channels.some((c) => c.id === ODOO_CHANNEL && c.enabled)) return { route: null, wishes: [] }
  const isOwed = isPaid(order) || bound.includes(ODOO_CHANNEL)
  if (order.lifecycle !== 'cancelled' && (!isOwed || isPartial(order))) return { route: null, wishes: [] }
  const held = order.flags.includes('hold_fraud') || order.flags.includes('mediation')
  // Where Odoo ships, the word on fulfilment is its own: it is not repeated to it, and the marketplace is told.
  const news = order.fulfilmentFromShipper ? {} : { fulfilment: order.fulfilment, tracking: order.tracking }
  const report = order.fulfilmentFromShipper && order.lifecycle !== 'cancelled' ? reportOwed(order, order.origin, settings) : NO_REPORT
  const wishes: Wish[] = [{ channel: ODOO_CHANNEL, desired: { ...contentOf(order), ...news, confirm: isPaid(order) && !held } }]
  if (report.fulfilment !== null)
    wishes.push({ channel: order.origin, desired: { ...contentOf(order), ...report, lines: [], totalMinor: null } })
  return { route: null, wishes }
}

// An answer with parts missing (MercadoLibre: 206) says nothing of the order's content yet; the whole one follows.
const isPartial = (order: CanonicalOrder): boolean =>
  order.lines.length === 0 || (order.flags.includes('partial') && order.totalMinor === null)

function contentOf(order: CanonicalOrder): DesiredOrder {
  return {
    kind: 'order',
    origin: order.origin,
    orderKey: order.orderKey,
    lifecycle: order.lifecycle === 'cancelled' ? 'cancelled' : 'open',
    fulfilment: null,
    tracking: null,
    confirm: true,
    currency: order.currency,
    totalMinor: order.totalMinor,
    lines: order.lines,
  }
}

function ships(channel: string, settings: PlanSettings): Channel['shipsFrom'] {
  return settings.channels.find((c) => c.id === channel)?.shipsFrom ?? 'marketplace'
}

type Report = Pick<DesiredOrder, 'fulfilment' | 'tracking'>
const NO_REPORT: Report = { fulfilment: null, tracking: null }

/**
 * What a marketplace is to be told of the parcel: only where Odoo ships, it takes such word at all, and the parcel has left. A marketplace
 * that ships by itself knows better; telling it its own words would only make versions without content.
 */
function reportOwed(order: CanonicalOrder, channel: string, settings: PlanSettings): Report {
  const takes = settings.channels.find((c) => c.id === channel)?.capabilities.pushFulfilment ?? false
  const hasLeft = order.fulfilment === 'shipped' || order.fulfilment === 'delivered' || order.fulfilment === 'not_delivered'
  if (ships(channel, settings) !== 'odoo' || !takes || !hasLeft) return NO_REPORT
  return { fulfilment: order.fulfilment, tracking: order.tracking }
}

/** Reference that a target shows for a binding: `odoo-42`, `odoo-42-g2`; for Odoo the marketplace's own key. */
export function referenceOf(order: Pick<CanonicalOrder, 'origin' | 'orderKey'>, generation: number): string {
  const base = order.origin === ODOO_CHANNEL ? `odoo-${order.orderKey}` : order.orderKey
  return generation > 1 ? `${base}-g${generation}` : base
}

/** Whether a marketplace's order says that this hub made it of an order of the ERP: it bears a reference as `referenceOf` makes them. */
export function isOurReference(text: string): boolean {
  return /^odoo-\d+(-g\d+)?$/i.test(text)
}
