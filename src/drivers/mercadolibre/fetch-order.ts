import { IntegrationError } from '../../core/integration-error.ts'
import type { Fragment } from '../../core/order.ts'
import type { Fetched } from '../../ports/marketplace.ts'
import type { Personal } from '../../ports/target.ts'
import {
  type FetchedOrder,
  getClaimSubject,
  getOrder,
  getPack,
  getPaymentOrder,
  getShipment,
  getShipmentOrders,
  type Reads,
} from './calls.ts'
import { buyerOf, orderFragment, orderKeyOf } from './order.ts'
import { type MeliPack, packFragment } from './pack.ts'
import { type Pointer, salePointer } from './resource.ts'
import { type MeliShipment, receiverOf, shipmentFragment } from './shipment.ts'
import type { StatusMap } from './status-map.ts'

export interface Mapping {
  statuses: StatusMap
  /** Simulator only: its orders carry a client reference. */
  withReference: boolean
}

/** The whole sale that a pointer leads to: its orders, their pack, their shipments. */
export async function fetchSale(reads: Reads, resource: string, mapping: Mapping): Promise<Fetched> {
  const pointer = salePointer(resource)
  if (!pointer) throw new IntegrationError('unsupported', { summary: 'the pointer leads to no order' })
  const start = await startAt(reads, pointer)
  const first = await getOrder(reads, start.orderId)
  const pack = first.order.pack_id ? await ifShown(getPack(reads, first.order.pack_id)) : undefined
  const siblings = await siblingsOf(reads, first, pack)
  const orders = [first, ...siblings]
  const shipments = await shipmentsOf(reads, { orders, pack, known: start.shipment })
  const orderKey = orderKeyOf(first.order)
  const fragments: Fragment[] = [
    ...orders.map(({ order, missing }) => orderFragment(order, { ...mapping, missing })),
    ...(pack ? [packFragment(pack, mapping.statuses)] : []),
    ...shipments.map((shipment) => shipmentFragment(shipment, orderKey, mapping.statuses)),
  ]
  return { orderKey, fragments, personal: personalOf(orders, shipments) }
}

interface Start {
  orderId: string
  shipment?: MeliShipment
}

async function startAt(reads: Reads, pointer: Pick<Pointer, 'kind' | 'id'>): Promise<Start> {
  switch (pointer.kind) {
    case 'order':
      return { orderId: pointer.id }
    case 'payment':
      return { orderId: await getPaymentOrder(reads, pointer.id) }
    case 'claim':
      return startAt(reads, await getClaimSubject(reads, pointer.id))
    case 'shipment': {
      const shipment = await getShipment(reads, pointer.id)
      const orderId = shipment.order_id ?? (await getShipmentOrders(reads, pointer.id))[0]
      if (orderId) return { orderId, shipment }
      throw new IntegrationError('not-found', { summary: `shipment ${pointer.id} shows no order yet` })
    }
    case 'stock':
      throw new IntegrationError('unsupported', { summary: 'a stock pointer leads to no order' })
  }
}

/** Orders of the same pack. A pack can span sellers, and another seller's order is not ours to see. */
async function siblingsOf(reads: Reads, first: FetchedOrder, pack: MeliPack | undefined): Promise<FetchedOrder[]> {
  const ids = (pack?.orders ?? []).map((one) => one.id).filter((id) => id !== first.order.id)
  const siblings: FetchedOrder[] = []
  for (const id of ids) {
    const sibling = await ifShown(getOrder(reads, id))
    if (sibling && sibling.order.pack_id === pack?.id) siblings.push(sibling)
  }
  return siblings
}

async function shipmentsOf(
  reads: Reads,
  from: { orders: FetchedOrder[]; pack: MeliPack | undefined; known: MeliShipment | undefined },
): Promise<MeliShipment[]> {
  const named = [...from.orders.map(({ order }) => order.shipping?.id), from.pack?.shipment?.id]
  const ids = new Set(named.filter((id) => typeof id === 'string'))
  const shipments = from.known ? [from.known] : []
  for (const id of ids) {
    if (id === from.known?.id) continue
    const shipment = await ifShown(getShipment(reads, id))
    if (shipment) shipments.push(shipment)
  }
  return shipments
}

// What belongs to an order may propagate after it, or be another seller's; it sends a notification of its own when it shows.
async function ifShown<T>(part: Promise<T>): Promise<T | undefined> {
  try {
    return await part
  } catch (error) {
    if (!(error instanceof IntegrationError)) throw error
    if (error.code === 'not-found' || (error.code === 'rejected' && error.detail.httpStatus === 403)) return undefined
    throw error
  }
}

function personalOf(orders: FetchedOrder[], shipments: MeliShipment[]): Personal | null {
  const buyers = orders.filter(({ missing }) => !missing?.includes('buyer')).map(({ order }) => buyerOf(order))
  const personal = Object.assign({}, ...buyers, ...shipments.map(receiverOf)) as Personal
  return Object.keys(personal).length > 0 ? personal : null
}
