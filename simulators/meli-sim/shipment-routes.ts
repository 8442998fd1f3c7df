import { z } from 'zod'
import type { Answer, Call, Route } from './call.ts'
import { idParam, jsonOf } from './call.ts'
import { notifyShipment, ordersOf, setShipmentStatus, writeOrdersOf } from './changes.ts'
import { isPropagating, ownOrder } from './order-routes.ts'
import { legacyShipmentView, ME1_SERVICE_ID_MLC, shipmentItems, shipmentView } from './shipment.ts'
import type { Shipment } from './shipment.ts'
import type { Sim } from './sim.ts'
import { accessDenied, notFound, refusal } from './vendor-error.ts'

export const shipmentRoutes: Route[] = [
  { method: 'GET', url: '/shipments/:id', access: 'seller', answer: shipment },
  { method: 'GET', url: '/shipments/:id/history', access: 'seller', answer: history },
  { method: 'GET', url: '/shipments/:id/items', access: 'seller', answer: items },
  { method: 'GET', url: '/shipments/:id/lead_time', access: 'seller', answer: leadTime },
  { method: 'GET', url: '/orders/:id/shipments', access: 'seller', answer: shipmentsOfOrder },
  { method: 'POST', url: '/shipments/:id/seller_notifications', access: 'seller', answer: sellerNotification },
  { method: 'POST', url: '/shipments/:id/process/ready_to_ship', access: 'seller', answer: readyToShip },
]

/** What a seller may report for ME1 (documented); the vendor's samples send the text `"null"` for no substatus. */
const REPORTABLE: Record<string, (string | null)[]> = {
  shipped: [null, 'out_for_delivery', 'receiver_absent', 'dangerous_area', 'bad_address', 'unauthorized_receiver'],
  not_delivered: ['returning_to_sender'],
  delivered: [null],
}

const Report = z.object({
  payload: z.object({ service_id: z.number().int(), comment: z.string().optional(), date: z.string().optional() }),
  tracking_number: z.string().max(200).nullish(),
  tracking_url: z.string().max(1_000).nullish(),
  status: z.string(),
  substatus: z.string().nullish(),
})

function ownShipment(sim: Sim, call: Call): Shipment {
  const found = sim.world.shipments.get(idParam(call, 'id', 'invalid_shipment_id'))
  if (!found || isPropagating(sim, found.created_ms)) throw notFound('Shipment')
  if (found.seller_id !== call.seller.user_id) throw accessDenied()
  return found
}

function shipment(sim: Sim, call: Call): Answer {
  const found = ownShipment(sim, call)
  const view = call.headers['x-format-new'] === 'true' ? shipmentView : legacyShipmentView
  return { status: 200, body: view(found, ordersOf(sim, found)) }
}

function history(sim: Sim, call: Call): Answer {
  return { status: 200, body: ownShipment(sim, call).history }
}

function items(sim: Sim, call: Call): Answer {
  return { status: 200, body: shipmentItems(ordersOf(sim, ownShipment(sim, call))) }
}

/** Only what a carrier moves has a lead time; 404 when there is none. */
function leadTime(sim: Sim, call: Call): Answer {
  const found = ownShipment(sim, call)
  if (found.mode !== 'me2') throw notFound('Lead time')
  return {
    status: 200,
    body: { shipment_id: found.id, option_id: 1, shipping_method: { id: 1, name: 'Normal' }, estimated_delivery_time: null },
  }
}

/** With `X-New-Domain: true` a list; without, the deprecated object. 204 when there is none, or it still propagates. */
function shipmentsOfOrder(sim: Sim, call: Call): Answer {
  const order = ownOrder(sim, call, idParam(call, 'id', 'invalid_order_id'))
  const ids = [...(sim.world.shipmentsByOrder.get(order.id) ?? [])]
  const found = ids.flatMap((id) => sim.world.shipments.get(id) ?? []).filter((one) => !isPropagating(sim, one.created_ms))
  if (found.length === 0) return { status: 204 }
  if (call.headers['x-new-domain'] === 'true') return { status: 200, body: found.map(({ id, type }) => ({ id, type })) }
  const forward = found.find((one) => one.type === 'forward') ?? found[0]
  return { status: 200, body: forward && legacyShipmentView(forward, ordersOf(sim, forward)) }
}

/** ME1: the seller ships and says so. `delivered` and `not_delivered` are for ever. */
function sellerNotification(sim: Sim, call: Call): Answer {
  const found = ownShipment(sim, call)
  const parsed = Report.safeParse(jsonOf(call))
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw refusal(400, 'bad_request', `${issue?.path.join('.') || '(body)'}: ${issue?.message ?? 'invalid'}`)
  }
  const { status, payload, tracking_number, tracking_url } = parsed.data
  const substatus = parsed.data.substatus === 'null' ? null : (parsed.data.substatus ?? null)
  if (found.mode !== 'me1') throw refusal(400, 'invalid_shipment_mode', `Shipment ${found.id} is ${found.mode}: its carrier reports it`)
  if (payload.service_id !== ME1_SERVICE_ID_MLC)
    throw refusal(400, 'bad_request', `payload.service_id must be ${ME1_SERVICE_ID_MLC} for MLC`)
  if (!REPORTABLE[status]?.includes(substatus)) throw refusal(400, 'invalid_status', `status ${status}/${substatus} cannot be reported`)
  if (['delivered', 'not_delivered', 'cancelled'].includes(found.status)) {
    throw refusal(400, 'invalid_transition', `Shipment ${found.id} is ${found.status}, which cannot change`)
  }
  const changed = setShipmentStatus(sim, found, {
    status,
    substatus,
    trackingNumber: tracking_number ?? undefined,
    trackingUrl: tracking_url ?? undefined,
  })
  writeOrdersOf(sim, changed, { act: 'status', by: 'client', requestId: call.requestId })
  call.note('shipment-reported', changed.order_ids[0])
  notifyShipment(sim, changed)
  return {
    status: 200,
    body: { id: changed.id, status: changed.status, substatus: changed.substatus, tracking_number: changed.tracking_number },
  }
}

function readyToShip(sim: Sim, call: Call): Answer {
  const found = ownShipment(sim, call)
  if (found.mode !== 'me2' || !found.manufacturing_time) {
    throw refusal(400, 'invalid_shipment_mode', `Shipment ${found.id} has no manufacturing time`)
  }
  if (!['pending', 'handling', 'ready_to_ship'].includes(found.status)) {
    throw refusal(400, 'invalid_transition', `Shipment ${found.id} is ${found.status}`)
  }
  const changed = setShipmentStatus(sim, found, { status: 'ready_to_ship', substatus: 'ready_to_print' })
  writeOrdersOf(sim, changed, { act: 'status', by: 'client', requestId: call.requestId })
  call.note('shipment-ready', changed.order_ids[0])
  notifyShipment(sim, changed)
  return { status: 200, body: { status: 200 } }
}
