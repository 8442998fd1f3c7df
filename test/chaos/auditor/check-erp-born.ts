import { type Breach, breach, seqText } from './breach.ts'
import { type Difference, differences, erpFulfilment, hubView, type HubView } from './compare.ts'
import { type ErpOrder, isConfirmed } from './erp-ledger.ts'
import type { BindingRow, SilverRow } from './hub-tables.ts'
import type { MarketplaceOrder } from './marketplace-ledgers.ts'
import { OUR_REFERENCE } from './sales.ts'
import { least } from './seen-order.ts'
import { namesOf, type World } from './world.ts'

/** What was found of one order, whatever the incident list says of it. */
export interface OrderCheck {
  label: string
  names: string[]
  /** Where it was born and its key there. */
  origin: string
  key: string
  /** False: it changed so recently that nothing is judged yet. */
  settled: boolean
  /** It belongs at a target, or is at one. */
  inScope: boolean
  breaches: Breach[]
}

/** Every order born in the ERP that was ever confirmed, or that a marketplace holds. */
export function checkErpBorn(world: World): OrderCheck[] {
  const bySource = Map.groupBy(world.market, (order) => OUR_REFERENCE.exec(order.reference ?? '')?.[1] ?? '')
  return world.erp
    .filter((order) => order.bornAt === null)
    .filter((order) => order.confirmedViews.length > 0 || bySource.has(order.id))
    .map((order) => checkOne(world, order, bySource.get(order.id) ?? []))
}

interface Found {
  world: World
  order: ErpOrder
  silver: SilverRow | undefined
  label: string
}

function checkOne(world: World, order: ErpOrder, there: readonly MarketplaceOrder[]): OrderCheck {
  const silver = world.silverOf('odoo', order.id)
  const label = order.clientOrderRef ?? order.name
  const found: Found = { world, order, silver, label }
  const routed = wantedChannels(world, order)
  const channels = [...new Set([...routed, ...there.map((one) => one.channel)])]
  const bound = channels.flatMap((channel) => heldAt(found, channel, there) ?? [])
  const told = toldFulfilment(world, bound)
  const breaches = channels.flatMap((channel) => [
    ...doubled(
      found,
      there.filter((one) => one.channel === channel),
    ),
    ...strayed(found, channel, there),
    ...(order.deleted ? [] : checkChannel(found, channel, { there, isWanted: routed.includes(channel), told })),
  ])
  return {
    label,
    names: namesOf(order.id, order.name, order.clientOrderRef, `odoo-${order.id}`, ...there.flatMap((one) => [one.id, `ML-${one.id}`])),
    origin: 'odoo',
    key: order.id,
    settled: Math.max(order.changedAt, ...there.map((one) => one.changedAt)) <= world.quietSince,
    inScope: routed.length > 0 || there.length > 0,
    breaches,
  }
}

/** Where the operator's file says it goes, while it is confirmed. */
function wantedChannels(world: World, order: ErpOrder): string[] {
  const now = order.confirmedViews.at(-1)
  return isConfirmed(order.state) && now && !order.deleted ? world.routing.route(now) : []
}

/** The order that stands for ours at a channel: under the reference of its present generation, else under the id that was bound. */
function heldAt({ world, order, silver }: Found, channel: string, there: readonly MarketplaceOrder[]): MarketplaceOrder | undefined {
  const binding = world.bindingOf(silver, channel)
  const reference = binding?.reference ?? `odoo-${order.id}`
  const live = there.filter((one) => one.channel === channel && one.reference === reference && !one.deleted)
  return (
    live.find((one) => one.id === binding?.external_id) ??
    live[0] ??
    world.market.find((one) => one.channel === channel && one.id === binding?.external_id && !one.deleted)
  )
}

function doubled({ world, silver, label }: Found, copies: readonly MarketplaceOrder[]): Breach[] {
  const groups = Map.groupBy(copies, (one) => one.reference ?? '')
  return [...groups].flatMap(([reference, group]) => {
    // What the hub made counts for ever; what a person copied and took back does not.
    const counted = group.filter((one) => one.createdBy === 'client' || (!one.deleted && one.lifecycle !== 'cancelled'))
    if (counted.length < 2) return []
    const message = `${counted.length} orders under the reference ${reference} at ${counted[0]?.channel}: ${counted.map((one) => one.id).join(', ')}`
    return [breach('doubled', label, message, { field: 'reference', ledger: seqText(...counted), attempts: world.attemptsOf(silver) })]
  })
}

function strayed({ world, order, label }: Found, channel: string, there: readonly MarketplaceOrder[]): Breach[] {
  const here = there.filter((one) => one.channel === channel)
  const wasWanted = order.confirmedViews.some((view) => world.routing.route(view).includes(channel))
  if (here.length === 0 || wasWanted) return []
  return [
    breach('strayed', label, `${channel} holds it, and no rule ever sent it there`, { field: 'channel', ledger: seqText(order, ...here) }),
  ]
}

interface At {
  there: readonly MarketplaceOrder[]
  isWanted: boolean
  /** What the marketplaces that ship say of fulfilment; null: they do not ship it. */
  told: string | null
}

function checkChannel(found: Found, channel: string, { there, isWanted, told }: At): Breach[] {
  const { world, order, silver, label } = found
  const evidence = { attempts: world.attemptsOf(silver) }
  const target = heldAt(found, channel, there)
  const binding = world.bindingOf(silver, channel)
  if (!target) {
    if (!isWanted) return []
    const message = `confirmed in the ERP and routed to ${channel}, where no order shows odoo-${order.id}; ${whatHubSays(world, silver, binding)}`
    return [breach('lost', label, message, { ...evidence, field: 'order', ledger: seqText(order) })]
  }
  const differ = silver ? [...bindingDifferences(order, binding, target), ...contentDifferences(found, silver, target, told)] : [NOT_IN_HUB]
  return differ.map(({ field, values }) =>
    breach('unequal', label, `${field} differs at ${channel}`, { ...evidence, field, values, ledger: seqText(order, target) }),
  )
}

const NOT_IN_HUB: Difference = { field: 'silver_order', values: { erp: 'there', hub: 'absent', target: 'there' } }

function whatHubSays(world: World, silver: SilverRow | undefined, binding: BindingRow | undefined): string {
  if (!silver) return 'the hub has no silver order'
  const newest = world.hub.delivery.findLast((row) => row.binding_id === binding?.id)
  return newest ? `delivery ${newest.id} is ${newest.state}${newest.cause ? ` (${newest.cause})` : ''}` : 'the hub planned no delivery'
}

function bindingDifferences(order: ErpOrder, binding: BindingRow | undefined, target: MarketplaceOrder): Difference[] {
  if (!binding) return [{ field: 'binding', values: { erp: order.id, hub: 'absent', target: target.id } }]
  const differ: Difference[] = []
  const values = (hub: string | null, there: string | null) => ({ erp: `odoo-${order.id}`, hub: hub ?? 'none', target: there ?? 'none' })
  const own = OUR_REFERENCE.exec(target.reference ?? '')?.[1]
  if (own !== order.id || binding.reference !== target.reference)
    differ.push({ field: 'reference', values: values(binding.reference, target.reference) })
  if (binding.external_id !== target.id) differ.push({ field: 'binding.external_id', values: values(binding.external_id, target.id) })
  return differ
}

function contentDifferences({ order }: Found, silver: SilverRow, target: MarketplaceOrder, told: string | null): Difference[] {
  const hub = hubView(silver)
  const erp: HubView = { ...order, fulfilment: told === null ? order.pickingFulfilment : erpFulfilment(order.fulfilment, told) }
  // Until the marketplace says something the hub shows how the delivery order stands.
  if (told === 'none' && hub.fulfilment === order.pickingFulfilment) hub.fulfilment = 'none'
  const isCancelled = [order.lifecycle, hub.lifecycle, target.lifecycle].every((one) => one === 'cancelled')
  return differences(erp, hub, { ...target, fulfilment: told }, { cancelled: isCancelled })
}

/** Fulfilment follows the marketplaces that ship: shipments speak before orders do, and of several the one that is behind. */
function toldFulfilment(world: World, bound: readonly MarketplaceOrder[]): string | null {
  const shippers = bound.filter((one) => world.routing.shipsByItself(one.channel))
  if (shippers.length === 0) return null
  const parcels = shippers.filter((one) => one.saidByShipment)
  return least((parcels.length > 0 ? parcels : shippers).flatMap((one) => one.fulfilment ?? [])) ?? 'none'
}
