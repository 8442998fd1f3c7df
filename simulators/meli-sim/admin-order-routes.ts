import { z } from 'zod'
import { accountOf } from './admin-account-routes.ts'
import type { Answer, Call, Route } from './call.ts'
import { idParam, readBody } from './call.ts'
import { newShipment, notifyOrder, notifyShipment, setShipmentStatus, writeOrdersOf } from './changes.ts'
import { checkOut, joinPack, Purchase, PurchaseItem, ShippingChoice } from './check-out.ts'
import type { Order } from './order.ts'
import { withStatus } from './order.ts'
import type { Sim } from './sim.ts'
import { removeOrder, saveOrder, savePack, saveShipment } from './sim.ts'
import { notFound, orderNotFound, refusal } from './vendor-error.ts'
import { laterThan, vendorTime } from './vendor-time.ts'
import { nextId } from './world.ts'

export const adminOrderRoutes: Route[] = [
  { method: 'GET', url: '/admin/orders', access: 'admin', answer: listOrders },
  { method: 'POST', url: '/admin/purchases', access: 'admin', answer: purchase },
  { method: 'POST', url: '/admin/orders/:id/status', access: 'admin', answer: setOrder },
  { method: 'POST', url: '/admin/orders/:id/touch', access: 'admin', answer: touch },
  { method: 'POST', url: '/admin/orders/:id/delete', access: 'admin', answer: remove },
  { method: 'POST', url: '/admin/orders/:id/duplicate', access: 'admin', answer: duplicate },
  { method: 'POST', url: '/admin/orders/:id/shipment', access: 'admin', answer: addShipment },
  { method: 'POST', url: '/admin/orders/:id/pack', access: 'admin', answer: gainPack },
  { method: 'POST', url: '/admin/packs/:id/add-order', access: 'admin', answer: addSibling },
  { method: 'POST', url: '/admin/packs/:id/status', access: 'admin', answer: setPack },
  { method: 'POST', url: '/admin/shipments/:id/status', access: 'admin', answer: setShipment },
]

const quiet = { no_notify: z.boolean().default(false), at: z.iso.datetime({ offset: true }).optional() }

const OrderChange = z.strictObject({
  status: z.string().min(1).max(60).optional(),
  status_detail: z.object({ code: z.string().nullable(), description: z.string().nullable() }).nullable().optional(),
  tags: z.array(z.string()).optional().describe('added'),
  remove_tags: z.array(z.string()).optional(),
  payment: z
    .strictObject({
      status: z.string().optional(),
      status_detail: z.string().optional(),
      transaction_amount_refunded: z.number().min(0).optional(),
      tags: z.array(z.string()).optional(),
    })
    .optional(),
  cancel_detail: z.object({ group: z.string(), code: z.string(), description: z.string(), requested_by: z.string() }).optional(),
  mediations: z.array(z.object({ id: z.number().int() })).optional(),
  total_amount: z.number().min(0).optional(),
  quantity: z.number().int().min(1).optional().describe('of the first line; drifts the order away from what was sent'),
  ...quiet,
})
const Quiet = z.strictObject(quiet)
const Touch = z.strictObject({ ...quiet, no_bump: z.boolean().default(false).describe('notify although nothing changed') })
const ShipmentChange = z.strictObject({
  status: z.string().min(1).max(60).optional(),
  substatus: z.string().max(60).nullable().optional(),
  tracking_number: z.string().max(200).nullable().optional(),
  tracking_method: z.string().max(200).nullable().optional(),
  tracking_url: z.string().max(1_000).nullable().optional(),
  ...quiet,
})
const PackChange = z.strictObject({
  status: z.enum(['released', 'error', 'pending_cancel', 'cancelled']),
  status_detail: z.string().nullable().optional(),
})
const NewShipmentBody = z.strictObject({
  shipping: ShippingChoice.prefault({}),
  type: z.enum(['forward', 'return', 'return_to_buyer']).default('forward'),
  ...quiet,
})
const Sibling = PurchaseItem.extend(quiet)

/** Every order in short, or those of one `id`, `external_reference` or buyer's `nickname`. */
function listOrders(sim: Sim, { query }: Call): Answer {
  const wanted = [...query].filter(([name]) => ['id', 'external_reference', 'nickname'].includes(name))
  const orders = [...sim.world.orders.values()].map((order) => {
    const shipment = order.shipping.id === null ? undefined : sim.world.shipments.get(order.shipping.id)
    return {
      id: order.id,
      seller_id: order.seller.id,
      pack_id: order.pack_id,
      nickname: order.buyer.nickname,
      external_reference: order.external_reference ?? null,
      status: order.status,
      shipment_id: order.shipping.id,
      shipment_status: shipment?.status ?? null,
    }
  })
  const found = orders.filter((order) => wanted.every(([name, value]) => String(order[name as keyof typeof order]) === value))
  return { status: 200, body: { total: found.length, orders: found } }
}

/** A buyer checks out: k items are k orders that share a pack and a shipment. */
function purchase(sim: Sim, call: Call): Answer {
  const body = readBody(call, Purchase)
  const bought = checkOut(sim, accountOf(sim, body.seller), body, call.requestId)
  if (!body.no_notify) {
    for (const order of bought.orders) notifyOrder(sim, order)
    for (const shipment of bought.shipments) notifyShipment(sim, shipment)
  }
  return {
    status: 201,
    body: {
      pack_id: bought.pack?.id ?? null,
      shipment_id: bought.shipments[0]?.id ?? null,
      shipment_ids: bought.shipments.map((one) => one.id),
      order_ids: bought.orders.map((one) => one.id),
      buyer: bought.orders[0]?.buyer ?? null,
      orders: bought.orders,
    },
  }
}

function setOrder(sim: Sim, call: Call): Answer {
  const order = orderOf(sim, call)
  const body = readBody(call, OrderChange)
  const at = vendorTime(laterThan(order.last_updated, atMs(sim, body.at)))
  let changed = body.status === undefined ? order : withStatus(order, body.status, at)
  const tags = [...changed.tags, ...(body.tags ?? [])].filter((tag) => !body.remove_tags?.includes(tag))
  changed = { ...changed, tags: [...new Set(tags)], last_updated: at }
  if (body.status_detail !== undefined) changed.status_detail = body.status_detail
  if (body.cancel_detail) changed.cancel_detail = { ...body.cancel_detail, date: at }
  if (body.mediations) changed.mediations = body.mediations
  if (body.total_amount !== undefined) changed.total_amount = body.total_amount
  if (body.quantity !== undefined) changed.order_items = withFirstQuantity(changed, body.quantity)
  if (body.payment) changed.payments = withPayment(changed, body.payment, at)
  return saved(sim, changed, { call, act: body.status === 'cancelled' ? 'cancelled' : 'status', silent: body.no_notify })
}

/** A new version without a visible change, or (no_bump) a notification about nothing. */
function touch(sim: Sim, call: Call): Answer {
  const order = orderOf(sim, call)
  const body = readBody(call, Touch)
  if (body.no_bump) {
    if (!body.no_notify) notifyOrder(sim, order)
    return { status: 200, body: order }
  }
  const changed = { ...order, last_updated: vendorTime(laterThan(order.last_updated, atMs(sim, body.at))) }
  return saved(sim, changed, { call, act: 'updated', silent: body.no_notify })
}

/** The order vanishes: 404 by id, gone from search. */
function remove(sim: Sim, call: Call): Answer {
  const order = orderOf(sim, call)
  const body = readBody(call, Quiet)
  removeOrder(sim, order, { act: 'deleted', by: 'admin', requestId: call.requestId })
  if (!body.no_notify) notifyOrder(sim, order)
  return { status: 200, body: { id: order.id, deleted: true } }
}

/** A second order with the same reference and content, as after a blind resend. */
function duplicate(sim: Sim, call: Call): Answer {
  const order = orderOf(sim, call)
  const body = readBody(call, Quiet)
  const at = vendorTime(atMs(sim, body.at))
  const id = nextId(sim.world, 'order')
  const payments = order.payments.map((payment) => ({ ...payment, id: nextId(sim.world, 'payment'), order_id: id }))
  const copy: Order = { ...order, id, payments, shipping: { id: null }, pack_id: null, date_created: at, date_closed: at, last_updated: at }
  return { ...saved(sim, copy, { call, act: 'created', silent: body.no_notify }), status: 201 }
}

/** The shipment of an order that had none yet, or a return. */
function addShipment(sim: Sim, call: Call): Answer {
  const order = orderOf(sim, call)
  const body = readBody(call, NewShipmentBody)
  const choice = body.shipping
  const shipment = newShipment(sim, {
    seller: accountOf(sim, order.seller.id),
    buyer: order.buyer,
    orderIds: [order.id],
    packId: order.pack_id,
    mode: choice.mode,
    logisticType: choice.logistic_type,
    status: choice.status,
    substatus: choice.substatus,
    type: body.type,
    manufacturingTime: choice.manufacturing_time,
    atMs: atMs(sim, body.at),
  })
  saveShipment(sim, shipment)
  if (body.type === 'forward') {
    const tags = order.tags.filter((tag) => tag !== 'no_shipping')
    const version = vendorTime(laterThan(order.last_updated, atMs(sim, body.at)))
    saveOrder(sim, { ...order, tags, shipping: { id: shipment.id }, last_updated: version }, by(call, 'updated'))
  }
  if (!body.no_notify) notifyShipment(sim, shipment)
  return { status: 201, body: { id: shipment.id, order_id: order.id, type: shipment.type } }
}

/** An order without a pack gains one later: the vendor moved orders to packs step by step. */
function gainPack(sim: Sim, call: Call): Answer {
  const order = orderOf(sim, call)
  const body = readBody(call, Quiet)
  if (order.pack_id !== null) throw refusal(409, 'conflict', `Order ${order.id} is in pack ${order.pack_id} already`)
  const pack = {
    id: nextId(sim.world, 'pack'),
    seller_id: order.seller.id,
    status: 'released' as const,
    status_detail: null,
    order_ids: [order.id],
    shipment_id: order.shipping.id,
    buyer_id: order.buyer.id,
    created_ms: sim.nowMs(),
    updated_ms: sim.nowMs(),
  }
  savePack(sim, pack)
  const version = vendorTime(laterThan(order.last_updated, atMs(sim, body.at)))
  const changed: Order = { ...order, pack_id: pack.id, tags: [...order.tags, 'pack_order'], last_updated: version }
  return saved(sim, changed, { call, act: 'updated', silent: body.no_notify })
}

function addSibling(sim: Sim, call: Call): Answer {
  const pack = packOf(sim, call)
  const { no_notify, at, ...item } = readBody(call, Sibling)
  const order = joinPack(sim, pack, item, { atMs: atMs(sim, at), requestId: call.requestId, silent: no_notify })
  if (!no_notify) notifyOrder(sim, order)
  return { status: 201, body: order }
}

function setPack(sim: Sim, call: Call): Answer {
  const pack = packOf(sim, call)
  const body = readBody(call, PackChange)
  const changed = { ...pack, status: body.status, status_detail: body.status_detail ?? null, updated_ms: sim.nowMs() }
  savePack(sim, changed)
  return { status: 200, body: { id: changed.id, status: changed.status } }
}

function setShipment(sim: Sim, call: Call): Answer {
  const shipment = sim.world.shipments.get(idParam(call, 'id', 'invalid_shipment_id'))
  if (!shipment) throw notFound('Shipment')
  const body = readBody(call, ShipmentChange)
  const changed = setShipmentStatus(sim, shipment, {
    status: body.status,
    substatus: body.substatus,
    trackingNumber: body.tracking_number,
    trackingMethod: body.tracking_method,
    trackingUrl: body.tracking_url,
    atMs: atMs(sim, body.at),
  })
  writeOrdersOf(sim, changed, by(call, body.status === undefined ? 'tracking' : 'status'))
  if (!body.no_notify) notifyShipment(sim, changed)
  return { status: 200, body: { id: changed.id, status: changed.status, substatus: changed.substatus, last_updated: changed.last_updated } }
}

function saved(sim: Sim, order: Order, how: { call: Call; act: 'created' | 'updated' | 'cancelled' | 'status'; silent: boolean }): Answer {
  saveOrder(sim, order, by(how.call, how.act))
  if (!how.silent) notifyOrder(sim, order)
  return { status: 200, body: order }
}

function by(call: Call, act: 'created' | 'updated' | 'cancelled' | 'status' | 'tracking') {
  return { act, by: 'admin' as const, requestId: call.requestId }
}

function orderOf(sim: Sim, call: Call): Order {
  const order = sim.world.orders.get(idParam(call, 'id', 'invalid_order_id'))
  if (!order) throw orderNotFound()
  return order
}

function packOf(sim: Sim, call: Call) {
  const pack = sim.world.packs.get(idParam(call, 'id', 'invalid_pack_id'))
  if (!pack) throw notFound('Pack')
  return pack
}

function atMs(sim: Sim, at: string | undefined): number {
  return at === undefined ? sim.nowMs() : Date.parse(at)
}

function withFirstQuantity(order: Order, quantity: number): Order['order_items'] {
  return order.order_items.map((line, index) => (index === 0 ? { ...line, quantity, gross_price: line.unit_price * quantity } : line))
}

function withPayment(order: Order, change: NonNullable<z.infer<typeof OrderChange>['payment']>, at: string): Order['payments'] {
  return order.payments.map((payment) => ({
    ...payment,
    status: change.status ?? payment.status,
    status_detail: change.status_detail ?? payment.status_detail,
    transaction_amount_refunded: change.transaction_amount_refunded ?? payment.transaction_amount_refunded,
    tags: change.tags ?? payment.tags,
    date_last_modified: at,
  }))
}
