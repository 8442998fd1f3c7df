import type { Order } from './order.ts'

export interface Shipment {
  id: number
  seller_id: number
  buyer: { id: number; nickname: string }
  order_ids: number[]
  pack_id: number | null
  /** `forward` ships to the buyer; `return` and `return_to_buyer` come later. */
  type: 'forward' | 'return' | 'return_to_buyer'
  status: string
  substatus: string | null
  tracking_number: string | null
  tracking_method: string | null
  tracking_url: string | null
  /** me2: the carrier moves it; me1: the seller does and reports it; custom: agreed with the buyer. */
  mode: 'me1' | 'me2' | 'custom'
  logistic_type: string
  /** ME2 with manufacturing time: only then may the seller say "I have the product". */
  manufacturing_time: boolean
  date_created: string
  last_updated: string
  created_ms: number
  history: { status: string; substatus: string | null; date: string }[]
}

/** The seller sees an address only once the payment is confirmed. */
function addressIsVisible(orders: Order[]): boolean {
  return orders.some((order) => ['paid', 'partially_refunded'].includes(order.status))
}

/** What a call with `x-format-new: true` gets. */
export function shipmentView(shipment: Shipment, orders: Order[]): Record<string, unknown> {
  return {
    id: shipment.id,
    external_reference: null,
    status: shipment.status,
    substatus: shipment.substatus,
    declared_value: declaredValue(orders),
    date_created: shipment.date_created,
    last_updated: shipment.last_updated,
    tracking_number: shipment.tracking_number,
    tracking_method: shipment.tracking_method,
    tracking_url: shipment.tracking_url,
    origin: { type: 'selling_address', sender_id: shipment.seller_id },
    destination: destination(shipment, orders),
    logistic: { direction: shipment.type === 'forward' ? 'forward' : 'return', mode: shipment.mode, type: shipment.logistic_type },
    lead_time: { option_id: 1, shipping_method: { id: 1, name: 'Normal', type: 'standard' }, cost: 0, currency_id: 'CLP' },
    dimensions: { height: 10, width: 20, length: 30, weight: 500 },
    items_types: ['new'],
    source: { site_id: 'MLC', market_place: 'MELI' },
    sibling: { reason: null, sibling_id: null, description: null, source: null, date_created: null, last_updated: null },
    priority_class: { id: 'unspecified' },
    snapshot_packing: null,
    quotation: null,
    tags: [],
  }
}

/** The flat shape that answers a call without that header: `logistic_type` at top level. */
export function legacyShipmentView(shipment: Shipment, orders: Order[]): Record<string, unknown> {
  return {
    id: shipment.id,
    mode: shipment.mode,
    created_by: 'receiver',
    order_id: shipment.order_ids[0] ?? null,
    order_cost: declaredValue(orders),
    base_cost: 0,
    site_id: 'MLC',
    status: shipment.status,
    substatus: shipment.substatus,
    status_history: statusHistory(shipment),
    substatus_history: shipment.history.map(({ date, substatus, status }) => ({ date, substatus, status })),
    date_created: shipment.date_created,
    last_updated: shipment.last_updated,
    tracking_number: shipment.tracking_number,
    tracking_method: shipment.tracking_method,
    service_id: shipment.mode === 'me1' ? ME1_SERVICE_ID_MLC : 64,
    sender_id: shipment.seller_id,
    receiver_id: shipment.buyer.id,
    receiver_address: addressIsVisible(orders) ? receiverAddress(shipment) : null,
    shipping_items: shipmentItems(orders),
    shipping_option: { id: 1, name: 'Normal', currency_id: 'CLP', cost: 0, list_cost: 0 },
    comments: null,
    logistic_type: shipment.logistic_type,
    market_place: 'MELI',
    type: shipment.type,
    tags: [],
  }
}

/** ME1 service of site MLC, as documented for seller notifications. */
export const ME1_SERVICE_ID_MLC = 282578

export function shipmentItems(orders: Order[]): Record<string, unknown>[] {
  return orders.flatMap((order) =>
    order.order_items.map((line) => ({
      id: line.item.id,
      description: line.item.title,
      quantity: line.quantity,
      order_id: order.id,
      user_product_id: line.item.user_product_id,
      dimensions: '10.0x20.0x30.0,500.0',
    })),
  )
}

function declaredValue(orders: Order[]): number {
  return orders.reduce((sum, order) => sum + order.total_amount, 0)
}

function destination(shipment: Shipment, orders: Order[]): Record<string, unknown> {
  const isVisible = addressIsVisible(orders)
  return {
    receiver_id: shipment.buyer.id,
    receiver_name: isVisible ? shipment.buyer.nickname : null,
    // The phone is shown for ME1 only.
    receiver_phone: isVisible && shipment.mode === 'me1' ? '+56 9 5555 0100' : null,
    comments: null,
    type: 'buying_address',
    shipping_address: isVisible ? receiverAddress(shipment) : null,
  }
}

function receiverAddress(shipment: Shipment): Record<string, unknown> {
  const number = String(100 + (shipment.id % 900))
  return {
    id: shipment.id,
    address_line: `Avenida Simulada ${number}`,
    street_name: 'Avenida Simulada',
    street_number: number,
    comment: null,
    zip_code: '7500000',
    city: { id: null, name: 'Providencia' },
    state: { id: 'CL-RM', name: 'RM (Metropolitana)' },
    country: { id: 'CL', name: 'Chile' },
    receiver_name: shipment.buyer.nickname,
    receiver_phone: shipment.mode === 'me1' ? '+56 9 5555 0100' : null,
  }
}

function statusHistory(shipment: Shipment): Record<string, string | null> {
  const first = (status: string) => shipment.history.find((row) => row.status === status)?.date ?? null
  return {
    date_cancelled: first('cancelled'),
    date_delivered: first('delivered'),
    date_first_visit: first('delivered'),
    date_handling: first('handling'),
    date_not_delivered: first('not_delivered'),
    date_ready_to_ship: first('ready_to_ship'),
    date_shipped: first('shipped'),
    date_returned: null,
  }
}
