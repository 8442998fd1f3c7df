import { z } from 'zod'
import { accountOf } from './admin-account-routes.ts'
import type { Account } from './account.ts'
import { newBuyer, newShipment } from './changes.ts'
import { itemFor, takeFromStock } from './listing.ts'
import type { Buyer, Line, Order } from './order.ts'
import { newOrder } from './order.ts'
import type { Pack } from './pack.ts'
import type { Shipment } from './shipment.ts'
import type { Sim } from './sim.ts'
import { saveOrder, savePack, saveShipment } from './sim.ts'
import { refusal } from './vendor-error.ts'
import { laterThan, vendorTime } from './vendor-time.ts'
import { nextId } from './world.ts'

export const PurchaseItem = z.strictObject({
  /** Null: the listing carries no SKU, as the vendor allows. */
  sku: z.string().min(1).max(200).nullable(),
  quantity: z.number().int().min(1).max(100_000).default(1),
  unit_price: z.number().min(0).max(1e12),
  title: z.string().max(500).optional(),
  /** The id its order gets, so that a demo can name it beforehand; default: the next one. */
  order_id: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER).optional(),
})
export type PurchaseItem = z.infer<typeof PurchaseItem>

export const ShippingChoice = z.strictObject({
  mode: z.enum(['me1', 'me2', 'custom']).default('me2'),
  logistic_type: z.string().default('drop_off'),
  status: z.string().default('ready_to_ship'),
  substatus: z.string().nullable().default('ready_to_print'),
  manufacturing_time: z.boolean().default(false),
})

export const Purchase = z.strictObject({
  seller: z.number().int(),
  buyer: z.strictObject({ id: z.number().int().optional(), nickname: z.string().min(1).max(200).optional() }).optional(),
  items: z.array(PurchaseItem).min(1).max(200),
  pack: z.boolean().optional().describe('default: a pack when there is more than one item'),
  shipping: z
    .union([z.literal('none'), z.literal('later'), ShippingChoice])
    .optional()
    .describe('none: agree with the seller; later: the shipment does not exist yet'),
  status: z.string().default('paid'),
  tags: z.array(z.string()).default([]),
  currency_id: z.string().length(3).default('CLP'),
  at: z.iso.datetime({ offset: true }).optional().describe('when the buyer checked out; default now'),
  no_notify: z.boolean().default(false),
})
export type Purchase = z.infer<typeof Purchase>

interface CheckedOut {
  pack: Pack | null
  orders: Order[]
  shipments: Shipment[]
}

interface Basket {
  seller: Account
  buyer: Buyer
  from: Purchase
  atMs: number
  requestId: string | null
}

export function checkOut(sim: Sim, seller: Account, from: Purchase, requestId: string | null): CheckedOut {
  const buyer = from.buyer?.id
    ? { id: from.buyer.id, nickname: from.buyer.nickname ?? `COMPRADOR${from.buyer.id}` }
    : newBuyer(sim, from.buyer?.nickname)
  const basket: Basket = { seller, buyer, from, atMs: from.at === undefined ? sim.nowMs() : Date.parse(from.at), requestId }
  if (!(from.pack ?? from.items.length > 1)) return outOfPack(sim, basket)
  const packId = nextId(sim.world, 'pack')
  const ids = from.items.map((item) => orderIdFor(sim, item))
  const shipment = shipmentFor(sim, basket, ids, packId)
  const pack: Pack = {
    id: packId,
    seller_id: seller.user_id,
    status: 'released',
    status_detail: null,
    order_ids: ids,
    shipment_id: shipment?.id ?? null,
    buyer_id: buyer.id,
    created_ms: basket.atMs,
    updated_ms: basket.atMs,
  }
  savePack(sim, pack)
  const orders = from.items.map((item, index) => sell(sim, basket, { id: ids[index] ?? 0, item, packId, shipmentId: shipment?.id ?? null }))
  return { pack, orders, shipments: shipment ? [shipment] : [] }
}

/** A late sibling: one more order of a pack that exists. */
export function joinPack(
  sim: Sim,
  pack: Pack,
  item: PurchaseItem,
  { atMs, requestId, silent }: { atMs: number; requestId: string | null; silent: boolean },
): Order {
  const sibling = pack.order_ids.map((id) => sim.world.orders.get(id)).find((one) => one !== undefined)
  const seller = accountOf(sim, pack.seller_id)
  const buyer = { id: pack.buyer_id, nickname: sibling?.buyer.nickname ?? `COMPRADOR${pack.buyer_id}` }
  const from = Purchase.parse({ seller: pack.seller_id, items: [item], currency_id: sibling?.currency_id ?? 'CLP', no_notify: silent })
  const id = orderIdFor(sim, item)
  savePack(sim, { ...pack, order_ids: [...pack.order_ids, id], updated_ms: Math.max(sim.nowMs(), pack.updated_ms + 1) })
  const shipment = pack.shipment_id === null ? undefined : sim.world.shipments.get(pack.shipment_id)
  if (shipment) {
    const last_updated = vendorTime(laterThan(shipment.last_updated, sim.nowMs()))
    saveShipment(sim, { ...shipment, order_ids: [...shipment.order_ids, id], last_updated })
  }
  return sell(sim, { seller, buyer, from, atMs, requestId }, { id, item, packId: pack.id, shipmentId: pack.shipment_id })
}

/** Without a pack each order goes alone, in its own shipment. */
function outOfPack(sim: Sim, basket: Basket): CheckedOut {
  const orders: Order[] = []
  const shipments: Shipment[] = []
  for (const item of basket.from.items) {
    const id = orderIdFor(sim, item)
    const shipment = shipmentFor(sim, basket, [id], null)
    if (shipment) shipments.push(shipment)
    orders.push(sell(sim, basket, { id, item, packId: null, shipmentId: shipment?.id ?? null }))
  }
  return { pack: null, orders, shipments }
}

function orderIdFor(sim: Sim, { order_id }: PurchaseItem): number {
  if (order_id === undefined) return nextId(sim.world, 'order')
  if (sim.world.orders.has(order_id)) throw refusal(409, 'conflict', `order_id: there is an order ${order_id} already`)
  return order_id
}

function sell(sim: Sim, basket: Basket, what: { id: number; item: PurchaseItem; packId: number | null; shipmentId: number | null }): Order {
  const { from, seller } = basket
  const order = newOrder({
    id: what.id,
    paymentId: nextId(sim.world, 'payment'),
    seller: { id: seller.user_id, nickname: seller.nickname },
    buyer: basket.buyer,
    lines: [lineOf(sim, basket, what.item)],
    currency: from.currency_id,
    total: null,
    status: from.status,
    tags: [...from.tags, ...(from.shipping === 'none' ? ['no_shipping'] : [])],
    packId: what.packId,
    shipmentId: what.shipmentId,
    atMs: basket.atMs,
    externalReference: null,
  })
  saveOrder(sim, order, { act: 'created', by: 'admin', requestId: basket.requestId })
  return order
}

function lineOf(sim: Sim, { seller, from }: Basket, wanted: PurchaseItem): Line {
  const { quantity, unit_price: unitPrice, title } = wanted
  if (wanted.sku === null) {
    return {
      itemId: `MLC${nextId(sim.world, 'item')}`,
      title: title ?? 'Sin SKU',
      sku: null,
      userProductId: null,
      quantity,
      unitPrice,
      stock: null,
    }
  }
  const item = itemFor(sim, seller, { sku: wanted.sku, title, price: unitPrice, currency: from.currency_id }, 'admin')
  takeFromStock(sim, item, quantity, from.no_notify)
  const location = item.locations[0]
  const stock =
    seller.user_product_seller && location?.store_id && location.network_node_id
      ? { store_id: location.store_id, node_id: location.network_node_id }
      : null
  return { itemId: item.id, title: title ?? item.title, sku: wanted.sku, userProductId: item.user_product_id, quantity, unitPrice, stock }
}

function shipmentFor(sim: Sim, { seller, buyer, from, atMs }: Basket, orderIds: number[], packId: number | null): Shipment | null {
  if (from.shipping === 'none' || from.shipping === 'later') return null
  const choice = ShippingChoice.parse(from.shipping ?? {})
  const shipment = newShipment(sim, {
    seller,
    buyer,
    orderIds,
    packId,
    mode: choice.mode,
    logisticType: choice.logistic_type,
    status: choice.status,
    substatus: choice.substatus,
    manufacturingTime: choice.manufacturing_time,
    atMs,
  })
  saveShipment(sim, shipment)
  return shipment
}
