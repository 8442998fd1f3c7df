import type { Account } from './account.ts'
import type { Buyer, Order } from './order.ts'
import type { Shipment } from './shipment.ts'
import type { Act, Sim } from './sim.ts'
import { saveShipment, writeOrder } from './sim.ts'
import { laterThan, vendorTime } from './vendor-time.ts'
import { nextId } from './world.ts'

interface NewShipment {
  seller: Account
  buyer: Buyer
  orderIds: number[]
  packId: number | null
  mode: Shipment['mode']
  logisticType: string
  status: string
  substatus: string | null
  type?: Shipment['type']
  manufacturingTime?: boolean
  atMs: number
}

export interface ShipmentChange {
  status?: string | undefined
  substatus?: string | null | undefined
  trackingNumber?: string | null | undefined
  trackingUrl?: string | null | undefined
  trackingMethod?: string | null | undefined
  atMs?: number | undefined
}

export function newBuyer(sim: Sim, nickname?: string): Buyer {
  const id = nextId(sim.world, 'buyer')
  return { id, nickname: nickname ?? `COMPRADOR${id}` }
}

/** Builds a shipment; the caller saves it together with its orders. */
export function newShipment(sim: Sim, from: NewShipment): Shipment {
  const at = vendorTime(from.atMs)
  return {
    id: nextId(sim.world, 'shipment'),
    seller_id: from.seller.user_id,
    buyer: from.buyer,
    order_ids: from.orderIds,
    pack_id: from.packId,
    type: from.type ?? 'forward',
    status: from.status,
    substatus: from.substatus,
    tracking_number: null,
    tracking_method: null,
    tracking_url: null,
    mode: from.mode,
    logistic_type: from.logisticType,
    manufacturing_time: from.manufacturingTime ?? false,
    date_created: at,
    last_updated: at,
    created_ms: sim.nowMs(),
    history: [{ status: from.status, substatus: from.substatus, date: at }],
  }
}

/** Changes and saves a shipment. Its version is its own: the orders keep theirs. */
export function setShipmentStatus(sim: Sim, shipment: Shipment, change: ShipmentChange): Shipment {
  const at = vendorTime(laterThan(shipment.last_updated, change.atMs ?? sim.nowMs()))
  const status = change.status ?? shipment.status
  const substatus = change.substatus === undefined ? (change.status === undefined ? shipment.substatus : null) : change.substatus
  const hasMoved = status !== shipment.status || substatus !== shipment.substatus
  const changed: Shipment = {
    ...shipment,
    status,
    substatus,
    tracking_number: change.trackingNumber === undefined ? shipment.tracking_number : change.trackingNumber,
    tracking_url: change.trackingUrl === undefined ? shipment.tracking_url : change.trackingUrl,
    tracking_method: change.trackingMethod === undefined ? shipment.tracking_method : change.trackingMethod,
    last_updated: at,
    history: hasMoved ? [...shipment.history, { status, substatus, date: at }] : shipment.history,
  }
  saveShipment(sim, changed)
  return changed
}

/** One ledger line for each order of the shipment, since their snapshots hold its status. */
export function writeOrdersOf(sim: Sim, shipment: Shipment, act: Act): void {
  for (const order of ordersOf(sim, shipment)) writeOrder(sim, order, act)
}

export function ordersOf(sim: Sim, shipment: Shipment): Order[] {
  return shipment.order_ids.flatMap((id) => sim.world.orders.get(id) ?? [])
}

export function notifyOrder(sim: Sim, order: Order): void {
  const actions = [`pack_order:${order.pack_id !== null}`, 'payments']
  sim.notifier.notify({ topic: 'orders_v2', resource: `/orders/${order.id}`, userId: order.seller.id, actions })
}

export function notifyShipment(sim: Sim, shipment: Shipment): void {
  sim.notifier.notify({ topic: 'shipments', resource: `/shipments/${shipment.id}`, userId: shipment.seller_id })
}
