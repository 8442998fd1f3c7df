import { z } from 'zod'

/**
 * The canonical order: the hub's own order, the same for every system. Its state stands on three axes and in flags, never in one
 * enum; the display status is derived. Personal data is never in it: that stands apart, encrypted.
 */
export const Payment = z.enum(['none', 'pending', 'authorized', 'paid', 'partially_refunded', 'refunded', 'charged_back'])
export const Fulfilment = z.enum([
  'none',
  'awaiting_acceptance',
  'to_prepare',
  'ready_to_ship',
  'shipped',
  'delivered',
  'not_delivered',
  'returned',
])
export const Lifecycle = z.enum(['open', 'cancel_requested', 'cancelled', 'closed'])
export const Flag = z.enum(['hold_fraud', 'mediation', 'test_order', 'marketplace_fulfilled', 'partial', 'unknown_status'])
export type Payment = z.infer<typeof Payment>
export type Fulfilment = z.infer<typeof Fulfilment>
export type Lifecycle = z.infer<typeof Lifecycle>
export type Flag = z.infer<typeof Flag>

export const OrderLine = z.object({
  /** Stable within the order: the line's id in its origin. */
  lineId: z.string(),
  sku: z.string(),
  /** Decimal text, canonical (`"2"`, `"0.5"`). */
  quantity: z.string(),
  /** Gross unit price in minor units, or null where the origin carries no prices. */
  unitPriceMinor: z.number().int().nullable(),
})
export type OrderLine = z.infer<typeof OrderLine>

/** What routing rules may look at: how the ERP classes the order. */
export const ErpAttributes = z.object({
  team: z.string().nullable(),
  tags: z.array(z.string()),
  pricelist: z.string().nullable(),
  company: z.string().nullable(),
  fields: z.record(z.string(), z.string()),
})
export type ErpAttributes = z.infer<typeof ErpAttributes>

export const IdentifierKind = z.enum([
  'reference',
  'client-order-ref',
  'erp-name',
  'marketplace-order',
  'pack',
  'shipment',
  'bare',
  'erp-id',
])
export type IdentifierKind = z.infer<typeof IdentifierKind>
export const Identifier = z.object({ kind: IdentifierKind, value: z.string().min(1).max(200) })
export type Identifier = z.infer<typeof Identifier>

/**
 * What one fetch of one entity showed, mapped to the hub's words. An absent field means "not said": it never overwrites a known one.
 * `version` is the source's own version as an ISO instant in UTC, null where the source has none (Paris, mock contract).
 */
export const Fragment = z.object({
  entity: z.enum(['order', 'pack', 'shipment', 'picking']),
  externalId: z.string().min(1),
  orderKey: z.string().min(1),
  version: z.string().nullable(),
  identifiers: z.array(Identifier),
  payment: Payment.optional(),
  fulfilment: Fulfilment.optional(),
  lifecycle: Lifecycle.optional(),
  flags: z.array(Flag).optional(),
  currency: z.string().length(3).optional(),
  totalMinor: z.number().int().optional(),
  lines: z.array(OrderLine).optional(),
  tracking: z.string().max(120).optional(),
  /** ERP only: confirmed there. */
  confirmed: z.boolean().optional(),
  /** ERP only: when it was created there, an ISO instant in UTC. It never moves: another one under the same id is another order. */
  createdAt: z.string().optional(),
  erp: ErpAttributes.optional(),
  /** The source's own words for the state, kept for people (`paid`, `ready_to_ship/picked_up`). */
  rawStatus: z.string().max(120).optional(),
})
export type Fragment = z.infer<typeof Fragment>

export interface CanonicalOrder {
  /** Channel the order was born in: a marketplace account, or `odoo`. */
  origin: string
  /** Key there: pack id or order id at a marketplace, `sale.order` id at Odoo. */
  orderKey: string
  payment: Payment
  fulfilment: Fulfilment
  /** Set when a marketplace that ships by itself says how fulfilment stands; absent when it is the origin's own word. */
  fulfilmentFromShipper?: true
  lifecycle: Lifecycle
  flags: Flag[]
  currency: string | null
  totalMinor: number | null
  lines: OrderLine[]
  tracking: string | null
  confirmed: boolean
  /** When it was created in the ERP it was born in; absent where that was never said. */
  createdAt?: string
  erp: ErpAttributes | null
  rawStatus: string | null
  identifiers: Identifier[]
}

/** Whether the payment stands. Part of it given back leaves the rest of the order to be shipped. */
export function isPaid({ payment }: Pick<CanonicalOrder, 'payment'>): boolean {
  return payment === 'paid' || payment === 'authorized' || payment === 'partially_refunded'
}

export const DISPLAY_STATUSES = [
  'PENDING_PAYMENT',
  'AWAITING_ACCEPTANCE',
  'CONFIRMED',
  'READY_TO_SHIP',
  'SHIPPED',
  'DELIVERED',
  'CLOSED',
  'ON_HOLD',
  'CANCEL_REQUESTED',
  'CANCELLED',
  'RETURN_IN_PROGRESS',
  'RETURNED',
  'UNKNOWN',
] as const
export type DisplayStatus = (typeof DISPLAY_STATUSES)[number]

/** The one status that people see, derived from the axes; side states win over the ranked ones. */
export function displayStatus(order: Pick<CanonicalOrder, 'payment' | 'fulfilment' | 'lifecycle' | 'flags'>): DisplayStatus {
  if (order.lifecycle === 'cancelled') return 'CANCELLED'
  if (order.lifecycle === 'cancel_requested') return 'CANCEL_REQUESTED'
  if (order.flags.includes('hold_fraud') || order.flags.includes('mediation')) return 'ON_HOLD'
  if (order.flags.includes('unknown_status')) return 'UNKNOWN'
  if (order.lifecycle === 'closed') return 'CLOSED'
  switch (order.fulfilment) {
    case 'returned':
      return 'RETURNED'
    case 'not_delivered':
      return 'ON_HOLD'
    case 'delivered':
      return 'DELIVERED'
    case 'shipped':
      return 'SHIPPED'
    case 'ready_to_ship':
      return 'READY_TO_SHIP'
    case 'awaiting_acceptance':
      return 'AWAITING_ACCEPTANCE'
    case 'none':
    case 'to_prepare':
      return order.payment === 'none' || order.payment === 'pending' ? 'PENDING_PAYMENT' : 'CONFIRMED'
  }
}
