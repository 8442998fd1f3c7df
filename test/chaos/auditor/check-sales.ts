import { type Breach, breach, seqText } from './breach.ts'
import type { OrderCheck } from './check-erp-born.ts'
import { type Difference, differences, erpFulfilment, hubView } from './compare.ts'
import type { ErpOrder } from './erp-ledger.ts'
import type { BindingRow, SilverRow } from './hub-tables.ts'
import { OUR_REFERENCE, type Sale, saleLabel } from './sales.ts'
import { namesOf, type World } from './world.ts'

/** Every sale of a connected account: exactly one order of the ERP, and the same content. */
export function checkSales(world: World): OrderCheck[] {
  return world.sales.filter((sale) => world.routing.enabled(sale.channel)).map((sale) => checkSale(world, sale))
}

interface Found {
  world: World
  sale: Sale
  silver: SilverRow | undefined
  binding: BindingRow | undefined
  label: string
}

function checkSale(world: World, sale: Sale): OrderCheck {
  const silver = world.silverOf(sale.channel, sale.id)
  const label = sale.references[0] ?? saleLabel(sale.channel, sale.id)
  const found: Found = { world, sale, silver, binding: world.bindingOf(silver, 'odoo'), label }
  const copies = world.erp.filter((order) => order.origin === sale.channel && baseOf(order.clientOrderRef) === sale.id)
  return {
    label,
    names: namesOf(
      sale.id,
      label,
      ...sale.references,
      ...sale.orderIds,
      ...sale.orderIds.map((id) => `ML-${id}`),
      ...copies.map((order) => order.name),
    ),
    origin: sale.channel,
    key: sale.id,
    settled: Math.max(sale.changedAt, ...copies.map((order) => order.changedAt)) <= world.quietSince,
    inScope: sale.paid || copies.length > 0,
    breaches: [...doubled(found, copies), ...checkCopy(found, copies)],
  }
}

const baseOf = (reference: string | null): string | null => reference?.replace(/-g\d+$/, '') ?? null

function doubled({ world, silver, sale, label }: Found, copies: readonly ErpOrder[]): Breach[] {
  const groups = Map.groupBy(copies, (order) => order.clientOrderRef ?? '')
  return [...groups].flatMap(([reference, group]) => {
    const counted = group.filter((order) => order.createdBy === 'client' || (!order.deleted && order.lifecycle !== 'cancelled'))
    if (counted.length < 2) return []
    const message = `${counted.length} orders of the ERP under the reference ${reference}: ${counted.map((order) => order.name).join(', ')}`
    return [
      breach('doubled', label, message, { field: 'reference', ledger: seqText(sale, ...counted), attempts: world.attemptsOf(silver) }),
    ]
  })
}

function checkCopy(found: Found, copies: readonly ErpOrder[]): Breach[] {
  const { world, sale, silver, binding, label } = found
  const attempts = world.attemptsOf(silver)
  const live = copies.filter((order) => !order.deleted && (binding === undefined || order.clientOrderRef === binding.reference))
  const order =
    live.find((one) => one.id === binding?.external_id) ??
    live[0] ??
    world.erp.find((one) => one.id === binding?.external_id && !one.deleted)
  if (!order) {
    if (!sale.paid || sale.lifecycle === 'cancelled') return []
    const newest = world.hub.delivery.findLast((row) => row.binding_id === binding?.id)
    const hub = newest
      ? `delivery ${newest.id} is ${newest.state}${newest.cause ? ` (${newest.cause})` : ''}`
      : 'the hub planned no delivery'
    const message = `paid at ${sale.channel}, and no order of the ERP has the reference ${sale.id}; ${silver ? hub : 'the hub has no silver order'}`
    return [breach('lost', label, message, { field: 'order', ledger: seqText(sale), attempts })]
  }
  const differ = silver ? [...bindingDifferences(sale, order, binding), ...contentDifferences(sale, order, silver)] : [NOT_IN_HUB]
  return differ.map(({ field, values }) =>
    breach('unequal', label, `${field} differs between ${sale.channel} and the ERP`, {
      field,
      values,
      ledger: seqText(sale, order),
      attempts,
    }),
  )
}

const NOT_IN_HUB: Difference = { field: 'silver_order', values: { erp: 'there', hub: 'absent', target: 'there' } }

function bindingDifferences(sale: Sale, order: ErpOrder, binding: BindingRow | undefined): Difference[] {
  const said = order.clientOrderRef ?? 'none'
  if (!binding) return [{ field: 'binding', values: { erp: said, hub: 'absent', target: sale.id } }]
  const differ: Difference[] = []
  if (binding.reference !== said || baseOf(said) !== sale.id || order.origin !== sale.channel)
    differ.push({ field: 'reference', values: { erp: `${said} of ${order.origin ?? 'none'}`, hub: binding.reference, target: sale.id } })
  if (binding.external_id !== order.id)
    differ.push({ field: 'binding.external_id', values: { erp: order.id, hub: binding.external_id ?? 'none', target: sale.id } })
  return differ
}

function contentDifferences(sale: Sale, order: ErpOrder, silver: SilverRow): Difference[] {
  const hub = hubView(silver)
  const erp = { ...order, lifecycle: erpLifecycle(sale, order), fulfilment: erpFulfilment(order.fulfilment, sale.fulfilment) }
  const isCancelled = [order.lifecycle, hub.lifecycle, sale.lifecycle].every((one) => one === 'cancelled')
  return differences(erp, hub, sale, { cancelled: isCancelled })
}

// The ERP has no word for a cancellation that was only asked for, and what is held on purpose is not confirmed there.
function erpLifecycle(sale: Sale, order: ErpOrder): string {
  if (order.lifecycle === 'draft' && sale.held) return 'open'
  return order.lifecycle === 'open' && sale.lifecycle === 'cancel_requested' ? 'cancel_requested' : order.lifecycle
}

/** Orders that the hub made somewhere and that nobody asked for. */
export function checkStrays(world: World): Breach[] {
  const erpIds = new Set(world.erp.map((order) => order.id))
  const sales = new Set(world.sales.map((sale) => `${sale.channel} ${sale.id}`))
  const atMarket = world.market.flatMap((order) => {
    const source = OUR_REFERENCE.exec(order.reference ?? '')?.[1]
    if (order.createdBy === 'admin' || (source !== undefined && erpIds.has(source))) return []
    const bound = world.hub.binding.find((row) => row.channel === order.channel && row.external_id === order.id)
    if (bound) return [] // compared by its binding, which names the reference that differs
    return [
      breach('strayed', `${order.channel} ${order.id}`, 'made by a client, and its reference is no order of the ERP', {
        field: 'reference',
        ledger: seqText(order),
      }),
    ]
  })
  const atErp = world.erp.flatMap((order) => {
    if (order.bornAt === null || order.deleted || sales.has(`${order.bornAt} ${baseOf(order.clientOrderRef)}`)) return []
    const bound = world.hub.binding.find((row) => row.channel === 'odoo' && row.external_id === order.id)
    // Compared by its binding: the sale is there, and only the reference differs.
    if (bound && world.hub.silver.some((row) => row.id === bound.order_id && sales.has(`${row.origin} ${row.order_key}`))) return []
    const wasThere = world.market.some((one) => one.deleted && one.channel === order.bornAt && one.saleKey === baseOf(order.clientOrderRef))
    const label = wasThere ? saleLabel(order.bornAt, baseOf(order.clientOrderRef) ?? '') : order.name
    const message = `${order.name} was made for ${order.bornAt}, which has no sale ${order.clientOrderRef}`
    return [breach(wasThere ? 'lost' : 'strayed', label, message, { field: wasThere ? 'order' : 'reference', ledger: seqText(order) })]
  })
  return [...atMarket, ...atErp]
}
