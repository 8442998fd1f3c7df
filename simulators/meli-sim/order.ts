import { vendorTime } from './vendor-time.ts'

/** `GET /orders/{id}`, key for key as the vendor documents it. Ids are numbers above 2^31. */
export interface Order {
  id: number
  status: string
  status_detail: { code: string | null; description: string | null } | null
  date_created: string
  date_closed: string | null
  last_updated: string
  expiration_date: string | null
  pack_id: number | null
  fulfilled: boolean | null
  comment: string | null
  tags: string[]
  static_tags: string[]
  context: { channel: string; site: string; flows: string[] }
  total_amount: number
  paid_amount: number
  currency_id: string
  order_items: OrderItem[]
  payments: Payment[]
  shipping: { id: number | null }
  buyer: { id: number; nickname: string; billing_info: { id: string } }
  seller: { id: number; nickname: string }
  feedback: { buyer: null; seller: null }
  cancel_detail: { group: string; code: string; description: string; requested_by: string; date: string } | null
  coupon: { id: string | null; amount: number }
  taxes: { id: string | null; amount: number | null; currency_id: string | null }
  mediations: { id: number }[]
  order_request: { change: null; return: null }
  related_orders: unknown[]
  /** SIMULATOR ONLY: the vendor's orders have no such field. Present on orders created by `POST /orders`, absent on a buyer's. */
  external_reference?: string
}

interface OrderItem {
  item: {
    id: string
    title: string
    category_id: string
    variation_id: number | null
    variation_attributes: unknown[]
    seller_sku: string | null
    seller_custom_field: string | null
    user_product_id: string | null
    condition: string
    warranty: string | null
  }
  quantity: number
  requested_quantity: { value: number; measure: string }
  unit_price: number
  full_unit_price: number
  gross_price: number
  currency_id: string
  sale_fee: number
  listing_type_id: string
  manufacturing_days: null
  /** An object, an array or null at the vendor, depending on the seller. */
  stock: { store_id: string; node_id: string } | [] | null
}

interface Payment {
  id: number
  order_id: number
  payer_id: number
  status: string
  status_detail: string
  currency_id: string
  transaction_amount: number
  transaction_amount_refunded: number
  total_paid_amount: number
  installments: number
  payment_type: string
  payment_method_id: string
  date_created: string
  date_approved: string | null
  date_last_modified: string
  tags: string[]
}

export interface Buyer {
  id: number
  nickname: string
}

export interface Line {
  itemId: string
  title: string
  sku: string | null
  userProductId: string | null
  quantity: number
  unitPrice: number
  stock: OrderItem['stock']
}

interface NewOrder {
  id: number
  paymentId: number
  seller: { id: number; nickname: string }
  buyer: Buyer
  lines: Line[]
  currency: string
  total: number | null
  status: string
  tags: string[]
  packId: number | null
  shipmentId: number | null
  atMs: number
  externalReference: string | null
}

const CLOSED = ['confirmed', 'paid', 'partially_refunded', 'cancelled', 'pending_cancel']
const PAYMENT_BY_STATUS: Record<string, [string, string]> = {
  paid: ['approved', 'accredited'],
  partially_refunded: ['approved', 'partially_refunded'],
  payment_in_process: ['in_process', 'pending_review_manual'],
  payment_required: ['pending', 'pending_waiting_payment'],
  partially_paid: ['approved', 'accredited'],
  pending_cancel: ['approved', 'accredited'],
  cancelled: ['refunded', 'refunded'],
}

export function newOrder(from: NewOrder): Order {
  const at = vendorTime(from.atMs)
  const items = orderItems(from.lines, from.currency)
  const total = from.total ?? items.reduce((sum, line) => sum + line.unit_price * line.quantity, 0)
  const payment = PAYMENT_BY_STATUS[from.status]
  const isPaid = payment?.[0] === 'approved'
  return {
    id: from.id,
    status: from.status,
    status_detail: null,
    date_created: at,
    date_closed: CLOSED.includes(from.status) ? at : null,
    last_updated: at,
    expiration_date: vendorTime(from.atMs + 30 * 86_400_000),
    pack_id: from.packId,
    fulfilled: null,
    comment: null,
    tags: [...(isPaid ? ['paid', 'not_delivered'] : ['not_paid', 'not_delivered']), ...(from.packId ? ['pack_order'] : []), ...from.tags],
    static_tags: [],
    context: { channel: 'marketplace', site: 'MLC', flows: [] },
    total_amount: total,
    paid_amount: isPaid ? total : 0,
    currency_id: from.currency,
    order_items: items,
    payments: payment ? [newPayment(from, payment, total, at)] : [],
    shipping: { id: from.shipmentId },
    buyer: { ...from.buyer, billing_info: { id: String(from.buyer.id) } },
    seller: from.seller,
    feedback: { buyer: null, seller: null },
    cancel_detail: null,
    coupon: { id: null, amount: 0 },
    taxes: { id: null, amount: null, currency_id: null },
    mediations: [],
    order_request: { change: null, return: null },
    related_orders: [],
    ...(from.externalReference === null ? {} : { external_reference: from.externalReference }),
  }
}

export function orderItems(lines: Line[], currency: string): OrderItem[] {
  return lines.map((line) => ({
    item: {
      id: line.itemId,
      title: line.title,
      category_id: 'MLC1055',
      variation_id: null,
      variation_attributes: [],
      seller_sku: line.sku,
      seller_custom_field: null,
      user_product_id: line.userProductId,
      condition: 'new',
      warranty: null,
    },
    quantity: line.quantity,
    requested_quantity: { value: line.quantity, measure: 'unit' },
    unit_price: line.unitPrice,
    full_unit_price: line.unitPrice,
    gross_price: line.unitPrice * line.quantity,
    currency_id: currency,
    sale_fee: Math.round(line.unitPrice * 0.13),
    listing_type_id: 'gold_special',
    manufacturing_days: null,
    stock: line.stock,
  }))
}

/** Fields that a status change carries along: when it closed, what was paid, which tags follow. */
export function withStatus(order: Order, status: string, at: string): Order {
  const isPaid = PAYMENT_BY_STATUS[status]?.[0] === 'approved'
  const tags = order.tags.filter((tag) => tag !== 'paid' && tag !== 'not_paid')
  return {
    ...order,
    status,
    date_closed: order.date_closed ?? (CLOSED.includes(status) ? at : null),
    tags: [isPaid ? 'paid' : 'not_paid', ...tags],
    paid_amount: isPaid ? order.total_amount : status === 'cancelled' ? order.paid_amount : 0,
    payments: order.payments.map((payment) => withPaymentStatus(payment, PAYMENT_BY_STATUS[status], at)),
  }
}

function withPaymentStatus(payment: Payment, next: [string, string] | undefined, at: string): Payment {
  if (!next || payment.status === next[0]) return payment
  const approved = next[0] === 'approved' ? (payment.date_approved ?? at) : payment.date_approved
  const refunded = next[0] === 'refunded' ? payment.transaction_amount : payment.transaction_amount_refunded
  return {
    ...payment,
    status: next[0],
    status_detail: next[1],
    transaction_amount_refunded: refunded,
    date_approved: approved,
    date_last_modified: at,
  }
}

function newPayment(from: NewOrder, [status, detail]: [string, string], total: number, at: string): Payment {
  return {
    id: from.paymentId,
    order_id: from.id,
    payer_id: from.buyer.id,
    status,
    status_detail: detail,
    currency_id: from.currency,
    transaction_amount: total,
    transaction_amount_refunded: status === 'refunded' ? total : 0,
    total_paid_amount: total,
    installments: 1,
    payment_type: 'credit_card',
    payment_method_id: 'visa',
    date_created: at,
    date_approved: status === 'approved' ? at : null,
    date_last_modified: at,
    tags: [],
  }
}
