import { z } from 'zod'
import { isoInstant } from '../../core/instant.ts'
import { minorFrom, quantityFrom } from '../../core/money.ts'
import type { Fulfilment } from '../../core/order.ts'
import { shortened } from '../../core/storable-text.ts'

// Odoo writes an empty field of any type as `false`.
export const Text = z.union([z.string(), z.literal(false)]).transform((value) => (value === false ? '' : value.trim()))
export const Reference = z
  .union([z.literal(false), z.tuple([z.number().int(), z.string()])])
  .transform((value) => (value === false ? null : { id: value[0], name: value[1] }))
export const Instant = z
  .string()
  .refine(
    (text) => /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?$/.test(text) && isoIn(text) !== undefined,
    'is no UTC time like 2026-11-23 10:00:00',
  )

/** `sale.order` as the driver reads it; what the client or a module left out is optional. */
export const OrderRecord = z.object({
  id: z.number().int(),
  name: Text,
  state: z.string(),
  write_date: Instant,
  /** Empty on a row that was put into the table past Odoo. */
  create_date: z.union([Instant, z.literal(false)]).optional(),
  client_order_ref: Text,
  origin: Text,
  amount_total: z.number(),
  currency_id: Reference,
  partner_id: Reference,
  order_line: z.array(z.number().int()),
  create_uid: Reference,
  write_uid: Reference,
  team_id: Reference.optional(),
  tag_ids: z.array(z.number().int()).optional(),
  pricelist_id: Reference.optional(),
  company_id: Reference.optional(),
  invoice_count: z.number().optional(),
  locked: z.boolean().optional(),
})
export type OrderRecord = z.infer<typeof OrderRecord>

export const LineRecord = z.object({
  id: z.number().int(),
  order_id: Reference,
  product_id: Reference,
  product_uom_qty: z.number(),
  price_unit: z.number(),
  price_total: z.number(),
  qty_delivered: z.number().optional(),
  qty_invoiced: z.number().optional(),
  display_type: Text.optional(),
  create_uid: Reference.optional(),
  write_uid: Reference,
})
export type LineRecord = z.infer<typeof LineRecord>

export const PickingRecord = z.object({
  id: z.number().int(),
  sale_id: Reference,
  state: z.string(),
  picking_type_code: Text,
  carrier_tracking_ref: Text.optional(),
  write_date: Instant,
})
export type PickingRecord = z.infer<typeof PickingRecord>

export const ORDER_FIELDS = Object.keys(OrderRecord.shape)
export const LINE_FIELDS = Object.keys(LineRecord.shape)
export const PICKING_FIELDS = Object.keys(PickingRecord.shape)

/** A record's id as a number; null for text that no column could hold (the database fails on 2^31 and more). */
export function recordId(text: string): number | null {
  return /^[1-9]\d{0,9}$/.test(text) && Number(text) < 2 ** 31 ? Number(text) : null
}

/** Odoo's `YYYY-MM-DD HH:MM:SS` (UTC, without a zone), which passed `Instant`, as an ISO instant. */
export function isoFrom(odooTime: string): string {
  const iso = isoIn(odooTime)
  if (iso === undefined) throw new RangeError('a time of Odoo that was not checked on its way in')
  return iso
}

function isoIn(odooTime: string): string | undefined {
  return isoInstant(Date.parse(`${odooTime.slice(0, 19).replace(' ', 'T')}Z`))
}

/** An order's version: the last write of it or of one of its pickings, since a tracking number moves no `write_date` of its order. */
export function versionOf(order: { write_date: string }, pickings: readonly { write_date: string }[]): string {
  return (
    [order, ...pickings]
      .map((written) => isoFrom(written.write_date))
      .sort()
      .at(-1) ?? isoFrom(order.write_date)
  )
}

/** An ISO instant as Odoo compares it: whole seconds, rounded down, plus `addSeconds`. */
export function odooTimeFrom(iso: string, addSeconds = 0): string {
  const seconds = Math.floor(Date.parse(iso) / 1000) + addSeconds
  return new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ')
}

/** An amount that Odoo rounded to the currency; undefined when it is none. Six decimals swallow what floats add. */
export function amountFrom(amount: number, currency: string): number | undefined {
  return Math.abs(amount) < 1e12 ? minorFrom(amount.toFixed(6), currency) : undefined
}

/** Gross price of one piece as the customer pays it; null when the line's total does not divide exactly. */
export function grossUnitPrice(totalMinor: number, quantity: number): number | null {
  const unit = Math.round(totalMinor / quantity)
  return Number.isSafeInteger(unit) && Math.abs(unit * quantity - totalMinor) < 1e-6 ? unit : null
}

export const quantityText = (quantity: number): string => quantityFrom(quantity) ?? String(quantity)

/** Tracking number of the pickings to the customer; empty when none carries one. */
export function trackingOf(pickings: readonly PickingRecord[]): string {
  const numbers = pickings.map((p) => (p.picking_type_code === 'outgoing' ? (p.carrier_tracking_ref ?? '') : ''))
  return shortened(numbers.find(Boolean) ?? '', 120)
}

/** What the pickings to the customer say together. Odoo 14 has no state of its own for it. */
export function fulfilmentOf(pickings: readonly PickingRecord[]): { fulfilment: Fulfilment; partial: boolean } {
  const live = pickings.filter((p) => p.picking_type_code === 'outgoing' && p.state !== 'cancel')
  const open = live.filter((p) => p.state !== 'done')
  const partial = open.length > 0 && open.length < live.length
  if (live.length === 0) return { fulfilment: 'none', partial }
  if (open.length === 0) return { fulfilment: 'shipped', partial }
  return { fulfilment: open.every((p) => p.state === 'assigned') ? 'ready_to_ship' : 'to_prepare', partial }
}
