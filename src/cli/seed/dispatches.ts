import type { Patience } from './incident.ts'
import type { ErpListing, PlannedErpOrder } from './erp-orders.ts'
import { listMeliOrders, moveShipment } from './mercadolibre-purchases.ts'
import { emitParis, findParisOrder } from './paris-orders.ts'
import { eventually, sideBySide, type SimulatorApi } from './simulator-api.ts'

/**
 * What leaves the warehouse that morning, on both sides as in life: the carrier takes the parcel, so the marketplace that ships says so, and
 * Odoo's delivery order is done. Only of orders that their marketplace shows by now; a later run goes on with the others.
 */
export async function dispatchOrders(
  api: SimulatorApi,
  planned: readonly PlannedErpOrder[],
  { known, patience }: { known: ErpListing; patience: Patience },
): Promise<number> {
  const ids = new Map(known.map((order) => [order.origin, order.id]))
  const due = planned.flatMap(({ order, fate }) => (fate === 'dispatched' ? [{ id: ids.get(order.origin), team: order.team }] : []))
  let dispatched = 0
  await sideBySide(due, 6, async ({ id, team }) => {
    if (id === undefined) return
    const carried = await eventually(() => (team === 'Paris' ? carriedByParis(api, id) : carriedByMeli(api, id)), patience)
    if (carried !== 'now') return
    const tracking = `BLX${String(760_000_000 + id)}CL`
    await api.text({ on: 'odoo-sim', method: 'POST', path: `/admin/orders/${id}/deliver`, body: { tracking } })
    dispatched += 1
  })
  return dispatched
}

/** Undefined: the marketplace does not show the order yet. */
type Carried = 'now' | 'before' | undefined

async function carriedByMeli(api: SimulatorApi, id: number): Promise<Carried> {
  const [order] = await listMeliOrders(api, `?external_reference=odoo-${id}`)
  if (!order?.shipment_id) return undefined
  if (order.shipment_status === 'shipped') return 'before'
  await moveShipment(api, order.shipment_id, 'ready_to_ship')
  await moveShipment(api, order.shipment_id, 'shipped')
  return 'now'
}

async function carriedByParis(api: SimulatorApi, id: number): Promise<Carried> {
  const order = await findParisOrder(api, `odoo-${id}`)
  if (!order) return undefined
  if (order.status !== 'created') return 'before'
  await emitParis(api, order.id, 'ready_to_ship')
  await emitParis(api, order.id, 'shipped')
  return 'now'
}
