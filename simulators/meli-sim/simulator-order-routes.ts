import { setTimeout as wait } from 'node:timers/promises'
import { z } from 'zod'
import type { Answer, Call, Route } from './call.ts'
import { idParam, readBody } from './call.ts'
import { newBuyer, newShipment, notifyOrder, notifyShipment, setShipmentStatus } from './changes.ts'
import { itemFor } from './listing.ts'
import type { Line, Order } from './order.ts'
import { newOrder, orderItems, withStatus } from './order.ts'
import { ownOrder } from './order-routes.ts'
import type { Sim } from './sim.ts'
import { saveOrder, saveShipment, saveState } from './sim.ts'
import { VendorError, refusal } from './vendor-error.ts'
import { laterThan, vendorTime } from './vendor-time.ts'
import { nextId } from './world.ts'

/**
 * SIMULATOR ONLY. MercadoLibre has no such calls: there an order exists only because a buyer checked out. They exist so that an
 * order of the ERP can appear in a marketplace end to end.
 */
export const simulatorOrderRoutes: Route[] = [
  { method: 'POST', url: '/orders', access: 'seller', answer: create },
  { method: 'PUT', url: '/orders/:id', access: 'seller', answer: update },
  { method: 'POST', url: '/orders/:id/cancel', access: 'seller', answer: cancel },
]

const Body = z.object({
  external_reference: z.string().min(1).max(128),
  buyer: z.object({ nickname: z.string().min(1).max(200) }).optional(),
  currency_id: z.string().regex(/^[A-Z]{3}$/, 'three capital letters, for example CLP'),
  total_amount: z.number().min(0).max(1e13),
  order_items: z
    .array(
      z.object({
        seller_sku: z.string().min(1).max(200),
        quantity: z.number().int('must be a whole number').min(1).max(1_000_000),
        unit_price: z.number().min(0).max(1e12),
      }),
    )
    .min(1)
    .max(5_000),
})
type Body = z.infer<typeof Body>
const UpdateBody = Body.partial({ external_reference: true })

async function create(sim: Sim, call: Call): Promise<Answer> {
  const body = readBody(call, Body)
  checkContent(sim, body)
  if (sim.profile.processingMs > 0) await wait(sim.profile.processingMs, undefined, { signal: sim.closing })
  const known = knownOrder(sim, call, body.external_reference)
  if (known) {
    call.note('deduplicated', known.id)
    return { status: 200, body: known }
  }
  const buyer = newBuyer(sim, body.buyer?.nickname)
  const id = nextId(sim.world, 'order')
  const shipment = newShipment(sim, {
    seller: call.seller,
    buyer,
    orderIds: [id],
    packId: null,
    mode: 'me1',
    logisticType: 'default',
    status: 'handling',
    substatus: null,
    atMs: sim.nowMs(),
  })
  const order = newOrder({
    id,
    paymentId: nextId(sim.world, 'payment'),
    seller: { id: call.seller.user_id, nickname: call.seller.nickname },
    buyer,
    lines: linesOf(sim, call, body),
    currency: body.currency_id,
    total: body.total_amount,
    status: 'paid',
    tags: [],
    packId: null,
    shipmentId: shipment.id,
    atMs: sim.nowMs(),
    externalReference: body.external_reference,
  })
  saveShipment(sim, shipment)
  saveOrder(sim, order, { act: 'created', by: 'client', requestId: call.requestId })
  rememberKey(sim, call, id)
  call.note('created', id)
  notifyOrder(sim, order)
  return { status: 201, body: order }
}

function update(sim: Sim, call: Call): Answer {
  const order = simulatorOrder(sim, call)
  const body = readBody(call, UpdateBody)
  if (body.external_reference !== undefined && body.external_reference !== order.external_reference) {
    throw refusal(
      409,
      'external_reference_conflict',
      `external_reference of order ${order.id} is ${order.external_reference} and cannot change`,
    )
  }
  checkContent(sim, { ...body, external_reference: order.external_reference ?? '' })
  if (order.status === 'cancelled') throw refusal(409, 'order_not_modifiable', `Order ${order.id} is cancelled`)
  const items = orderItems(linesOf(sim, call, body), body.currency_id)
  const changed: Order = {
    ...order,
    order_items: items,
    currency_id: body.currency_id,
    total_amount: body.total_amount,
    paid_amount: body.total_amount,
    payments: order.payments.map((payment) => ({
      ...payment,
      currency_id: body.currency_id,
      transaction_amount: body.total_amount,
      total_paid_amount: body.total_amount,
    })),
    buyer: body.buyer ? { ...order.buyer, nickname: body.buyer.nickname } : order.buyer,
    last_updated: vendorTime(laterThan(order.last_updated, sim.nowMs())),
  }
  saveOrder(sim, changed, { act: 'updated', by: 'client', requestId: call.requestId })
  call.note('updated', order.id)
  notifyOrder(sim, changed)
  return { status: 200, body: changed }
}

/** Cancelling twice is one cancellation; what has left the warehouse cannot be cancelled any more. */
function cancel(sim: Sim, call: Call): Answer {
  const order = simulatorOrder(sim, call)
  if (order.status === 'cancelled') {
    call.note('already-cancelled', order.id)
    return { status: 200, body: order }
  }
  const shipment = order.shipping.id === null ? undefined : sim.world.shipments.get(order.shipping.id)
  if (shipment && ['shipped', 'delivered', 'not_delivered'].includes(shipment.status)) {
    throw refusal(409, 'order_not_cancellable', `Order ${order.id} is ${shipment.status}`)
  }
  const at = vendorTime(laterThan(order.last_updated, sim.nowMs()))
  const detail = { group: 'seller', code: 'seller_cancelled', description: 'Cancelled by the seller', requested_by: 'seller', date: at }
  const cancelled: Order = { ...withStatus(order, 'cancelled', at), cancel_detail: detail, last_updated: at }
  if (shipment) setShipmentStatus(sim, shipment, { status: 'cancelled', substatus: null })
  saveOrder(sim, cancelled, { act: 'cancelled', by: 'client', requestId: call.requestId })
  call.note('cancelled', order.id)
  notifyOrder(sim, cancelled)
  if (shipment) notifyShipment(sim, shipment)
  return { status: 200, body: cancelled }
}

function simulatorOrder(sim: Sim, call: Call): Order {
  const order = ownOrder(sim, call, idParam(call, 'id', 'invalid_order_id'))
  if (order.external_reference !== undefined) return order
  throw refusal(403, 'order_not_modifiable', `Order ${order.id} is a buyer's: it was not created by POST /orders`)
}

/** The order that a profile other than `naive` answers a repeated create with. */
function knownOrder(sim: Sim, call: Call, reference: string): Order | null {
  const { world, profile } = sim
  if (profile.profile === 'external-ref-unique') {
    const ids = world.index.byReference.get(reference) ?? []
    for (const id of ids) {
      const order = world.orders.get(id)
      if (order?.seller.id === call.seller.user_id) return order
    }
  }
  const key = call.headers['idempotency-key']
  if (profile.profile !== 'idempotent-key' || key === undefined) return null
  return world.orders.get(world.byIdempotencyKey.get(keyOf(call, key)) ?? -1) ?? null
}

/** Kept under every profile, so that a switch finds the keys of before. */
function rememberKey(sim: Sim, call: Call, id: number): void {
  const key = call.headers['idempotency-key']
  if (key === undefined) return
  sim.world.byIdempotencyKey.set(keyOf(call, key), id)
  saveState(sim, `idempotency-key:${keyOf(call, key)}`, id)
}

function keyOf(call: Call, key: string): string {
  return `${call.seller.user_id} ${key}`
}

function linesOf(sim: Sim, call: Call, body: Pick<Body, 'order_items' | 'currency_id'>): Line[] {
  return body.order_items.map((line) => {
    const item = itemFor(sim, call.seller, { sku: line.seller_sku, price: line.unit_price, currency: body.currency_id }, 'client')
    return {
      itemId: item.id,
      title: item.title,
      sku: line.seller_sku,
      userProductId: item.user_product_id,
      quantity: line.quantity,
      unitPrice: line.unit_price,
      stock: null,
    }
  })
}

function checkContent(sim: Sim, body: Body): void {
  const refused = sim.world.refusedReferences.get(body.external_reference)
  if (refused) throw refusal(refused.status, 'order_refused', refused.message)
  const unknown = body.order_items.flatMap((line, index) =>
    sim.world.unknownSkus.has(line.seller_sku) ? [{ sku: line.seller_sku, index }] : [],
  )
  if (unknown[0]) {
    const cause = unknown.map(({ sku, index }) => ({
      code: 'item.seller_sku.not_found',
      type: 'error',
      message: `Item with seller_sku ${sku} was not found`,
      references: [`order_items[${index}].seller_sku`],
    }))
    throw refusal(400, 'item.seller_sku.not_found', `Item with seller_sku ${unknown.map((one) => one.sku).join(', ')} was not found`, cause)
  }
  if (body.currency_id === 'CLP' && sim.settings.clpDecimals === 'refuse') checkWholePesos(body)
}

function checkWholePesos(body: Body): void {
  const amounts: [string, number][] = [['total_amount', body.total_amount]]
  body.order_items.forEach((line, index) => amounts.push([`order_items[${index}].unit_price`, line.unit_price]))
  const cause = amounts
    .filter(([, amount]) => !Number.isInteger(amount))
    .map(([field]) => ({ code: 'decimals', field, message: 'CLP has no decimals' }))
  if (cause.length === 0) return
  const message = cause.map((one) => `${one.field}: ${one.message}`).join('; ')
  throw new VendorError(422, { message, error: 'validation_error', status: 422, cause })
}
