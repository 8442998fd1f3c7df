import { z } from 'zod'
import type { Fetched } from '../../ports/marketplace.ts'
import { quantityFrom } from '../../core/money.ts'
import type { Flag, Fragment, Fulfilment, Identifier, Lifecycle } from '../../core/order.ts'
import { shortened } from '../../core/storable-text.ts'

/** What stands in a path; anything else in an id is refused before it is used. */
export const PARIS_ID = /^[A-Za-z0-9_-]{1,80}$/

const Instant = z.iso.datetime({ offset: true })
const Quantity = z.number().transform((value, context) => {
  const text = quantityFrom(value)
  if (text !== undefined) return text
  context.addIssue('is no quantity')
  return z.NEVER
})
// A database takes no NUL in a text.
const text = (longest: number) =>
  z
    .string()
    .max(longest)
    .refine((value) => !value.includes('\0'), 'holds a NUL')

/** An order as Paris shows it (mock contract): no prices, no currency, no version. Unknown fields are ignored. */
export const ParisOrder = z.object({
  id: z.string().regex(PARIS_ID),
  buyer: text(500),
  status: text(500),
  external_ref: text(200).nullish(),
  items: z.array(z.object({ sku: text(200).min(1), qty: Quantity })).max(5_000),
  created_at: Instant,
})
export type ParisOrder = z.infer<typeof ParisOrder>

/** A row of a list, read no further than paging needs: one odd order must not hide the others. */
export const ParisRow = z.looseObject({ id: z.string(), external_ref: z.unknown(), created_at: Instant })
export type ParisRow = z.infer<typeof ParisRow>

interface Meaning {
  lifecycle?: Lifecycle | undefined
  fulfilment?: Fulfilment | undefined
}

/** What Paris's words for a status mean; an absent axis is not said. Data: a status that is not here is kept raw and shown as unknown. */
export type ParisStatusMap = Readonly<Record<string, Meaning>>

/** The hub's own; settings add to it and overwrite it. */
export const PARIS_STATUSES: ParisStatusMap = {
  created: { lifecycle: 'open', fulfilment: 'to_prepare' },
  accepted: { lifecycle: 'open', fulfilment: 'to_prepare' },
  confirmed: { lifecycle: 'open', fulfilment: 'to_prepare' },
  ready_to_ship: { lifecycle: 'open', fulfilment: 'ready_to_ship' },
  shipped: { lifecycle: 'open', fulfilment: 'shipped' },
  delivered: { lifecycle: 'open', fulfilment: 'delivered' },
  returned: { lifecycle: 'open', fulfilment: 'returned' },
  cancelled: { lifecycle: 'cancelled' },
}

export function meaningOf(statuses: ParisStatusMap, status: string): Meaning | undefined {
  return Object.hasOwn(statuses, status) ? statuses[status] : undefined
}

/** An order as a fetch brings it. */
export function fetchedOf(order: ParisOrder, statuses: ParisStatusMap): Fetched {
  const buyerName = order.buyer.trim()
  return { orderKey: order.id, fragments: [orderFragment(order, statuses)], personal: buyerName === '' ? null : { buyerName } }
}

const LONGEST_RAW_STATUS = 120

/** The fragment of an order. The contract has no version, so the fetch number orders what was seen and the rank guards it. */
export function orderFragment(order: ParisOrder, statuses: ParisStatusMap): Fragment {
  const meaning = meaningOf(statuses, order.status)
  const flags: Flag[] = meaning ? [] : ['unknown_status']
  const reference: Identifier[] = order.external_ref ? [{ kind: 'reference', value: shortened(order.external_ref.toUpperCase(), 200) }] : []
  return {
    entity: 'order',
    externalId: order.id,
    orderKey: order.id,
    version: null,
    identifiers: [{ kind: 'marketplace-order', value: order.id }, { kind: 'marketplace-order', value: `PARIS-${order.id}` }, ...reference],
    payment: 'paid', // the contract shows paid orders only
    ...(meaning?.lifecycle ? { lifecycle: meaning.lifecycle } : {}),
    ...(meaning?.fulfilment ? { fulfilment: meaning.fulfilment } : {}),
    flags,
    lines: order.items.map(({ sku, qty }, i) => ({ lineId: `${order.id}-${i + 1}`, sku, quantity: qty, unitPriceMinor: null })),
    confirmed: true,
    ...(order.status === '' ? {} : { rawStatus: shortened(order.status, LONGEST_RAW_STATUS) }),
  }
}
