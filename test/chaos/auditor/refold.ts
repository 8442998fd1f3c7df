import { z } from 'zod'
import { RANK } from './seen-order.ts'

/** What an observation says of one entity of an order; an absent field was not said. */
export const Said = z.object({
  entity: z.string(),
  payment: z.string().optional(),
  fulfilment: z.string().optional(),
  lifecycle: z.string().optional(),
  flags: z.array(z.string()).optional(),
  currency: z.string().optional(),
  totalMinor: z.number().optional(),
  lines: z.array(z.object({ lineId: z.string(), sku: z.string(), quantity: z.string(), unitPriceMinor: z.number().nullable() })).optional(),
  confirmed: z.boolean().optional(),
})
export type Said = z.infer<typeof Said>

export interface StoredObservation {
  id: string
  channel: string
  external_id: string
  /** Milliseconds since the epoch, null: the source has no versions. */
  version_ms: number | null
  fetch_no: number
  body: Said
}

/** The part of a projection that is held against the stored one. */
export interface Refolded {
  payment: string
  fulfilment: string
  lifecycle: string
  currency: string | null
  totalMinor: number | null
  confirmed: boolean
  flags: string
  lines: string
}

/**
 * I4 by its own words: entities fold apart over their observations sorted by (version, fetch number), a step back that no rule lists keeps
 * the old value, and the projection joins them. Written without a look at the hub's fold, so that one mistake cannot stand in both.
 */
export function refold(origin: string, observations: readonly StoredObservation[], shipsByItself: (channel: string) => boolean): Refolded {
  const sorted = observations.toSorted((a, b) => (a.version_ms ?? 0) - (b.version_ms ?? 0) || a.fetch_no - b.fetch_no)
  const entities = [...Map.groupBy(sorted, (one) => `${one.channel} ${one.body.entity} ${one.external_id}`).values()].map((history) => ({
    channel: history[0]?.channel ?? '',
    externalId: history[0]?.external_id ?? '',
    state: history.slice(1).reduce((state, one) => step(state, one.body), history[0]?.body ?? { entity: '' }),
  }))
  const own = entities.filter((one) => one.channel === origin).map((one) => one)
  const shippers = entities.filter((one) => one.channel !== origin && shipsByItself(one.channel)).map((one) => one.state)
  const orders = own
    .filter((one) => one.state.entity === 'order')
    .toSorted((a, b) => (a.externalId < b.externalId ? -1 : 1))
    .map((one) => one.state)
  return joined(
    orders,
    own.map((one) => one.state),
    shippers,
  )
}

function step(state: Said, next: Said): Said {
  const said = Object.fromEntries(Object.entries(next).filter(([, value]) => value !== undefined)) as Said
  const after: Said = { ...state, ...said }
  if (!mayPay(state.payment, next.payment)) after.payment = state.payment
  if (!mayFulfil(state.fulfilment, next.fulfilment)) after.fulfilment = state.fulfilment
  if (!mayLive(state.lifecycle, next.lifecycle)) after.lifecycle = state.lifecycle
  return after
}

const PAID: Record<string, number> = {
  none: 0,
  pending: 1,
  authorized: 2,
  paid: 3,
  partially_refunded: 4,
  refunded: 5,
  charged_back: 5,
}
const LIVES: Record<string, number> = { open: 0, cancel_requested: 1, cancelled: 2, closed: 2 }
const rank = (ranks: Record<string, number>, word: string): number => ranks[word] ?? 0

function mayPay(from: string | undefined, to: string | undefined): boolean {
  if (from === undefined || to === undefined || from === to) return true
  return rank(PAID, to) >= rank(PAID, from) || (from === 'paid' && to === 'pending') || (from === 'charged_back' && to === 'paid')
}

function mayFulfil(from: string | undefined, to: string | undefined): boolean {
  if (from === undefined || to === undefined || from === to) return true
  return rank(RANK, to) >= rank(RANK, from) && !(from === 'delivered' && to === 'not_delivered')
}

function mayLive(from: string | undefined, to: string | undefined): boolean {
  if (from === undefined || to === undefined || from === to) return true
  if (from === 'cancelled' || from === 'closed') return false
  return rank(LIVES, to) >= rank(LIVES, from) || (from === 'cancel_requested' && to === 'open')
}

function joined(orders: Said[], entities: Said[], shippers: Said[]): Refolded {
  const live = orders.filter((order) => order.lifecycle !== 'cancelled')
  const counted = live.length > 0 ? live : orders
  const isTold = shippers.some((one) => one.fulfilment !== undefined)
  const totals = counted.map((order) => order.totalMinor)
  return {
    payment: lowest(
      PAID,
      counted.map((order) => order.payment),
    ),
    fulfilment: isTold
      ? fulfilmentOf(
          shippers.filter((one) => one.entity === 'order'),
          shippers,
        )
      : fulfilmentOf(counted, entities),
    lifecycle: lifecycleOf(
      orders,
      entities.filter((one) => one.entity === 'pack'),
    ),
    currency: counted.find((order) => order.currency !== undefined)?.currency ?? null,
    totalMinor: totals.length === 0 || totals.includes(undefined) ? null : totals.reduce<number>((sum, one) => sum + (one ?? 0), 0),
    confirmed: orders.length > 0 && orders.every((order) => order.confirmed === true),
    flags: [...new Set(entities.flatMap((one) => one.flags ?? []))].toSorted().join(' '),
    lines: linesText(counted.flatMap((order) => order.lines ?? [])),
  }
}

function fulfilmentOf(orders: Said[], all: Said[]): string {
  const moved = all.filter((one) => one.entity === 'shipment' || one.entity === 'picking').map((one) => one.fulfilment)
  return lowest(RANK, moved.some((word) => word !== undefined) ? moved : orders.map((order) => order.fulfilment))
}

function lifecycleOf(orders: Said[], packs: Said[]): string {
  const isCancelled = packs.some((pack) => pack.lifecycle === 'cancelled')
  if (isCancelled || (orders.length > 0 && orders.every((order) => order.lifecycle === 'cancelled'))) return 'cancelled'
  if ([...orders, ...packs].some((one) => one.lifecycle === 'cancel_requested')) return 'cancel_requested'
  return orders.length > 0 && orders.every((order) => order.lifecycle === 'closed') ? 'closed' : 'open'
}

function lowest(ranks: Record<string, number>, words: (string | undefined)[]): string {
  return words.flatMap((word) => word ?? []).toSorted((a, b) => rank(ranks, a) - rank(ranks, b))[0] ?? 'none'
}

export function linesText(lines: NonNullable<Said['lines']>): string {
  return lines
    .map(({ lineId, sku, quantity, unitPriceMinor }) => `${lineId} ${sku} ${quantity} ${unitPriceMinor ?? '-'}`)
    .toSorted()
    .join('; ')
}
