import type { CanonicalOrder, Flag, Fragment, Fulfilment, Identifier, Lifecycle, OrderLine, Payment } from './order.ts'

/** A fragment as stored: with the fetch number that the hub drew before the request. */
export interface Observed {
  /** Where it was fetched. */
  channel: string
  fragment: Fragment
  fetchNo: number
}

export interface Fold {
  order: CanonicalOrder
  /** Steps back that no rule allows; the newer statement was kept raw and not applied. */
  illegal: { axis: 'payment' | 'fulfilment' | 'lifecycle'; from: string; to: string; fetchNo: number }[]
}

/**
 * The silver order is the fold of its observations: a pure function of the SET of observations, so every arrival order, every
 * duplicate and every delay gives the same result. Entities whose versions do not compare fold apart; then they are joined.
 */
export function foldOrder(
  origin: string,
  orderKey: string,
  observed: readonly Observed[],
  shipsByItself: (channel: string) => boolean,
): Fold {
  const illegal: Fold['illegal'] = []
  const entities = [...byEntity(observed).values()].map((history) => ({ channel: history[0]?.channel, ...foldEntity(history, illegal) }))
  const own = entities.filter((e) => e.channel === origin)
  const shippers = entities.filter((e) => e.channel !== undefined && e.channel !== origin && shipsByItself(e.channel))
  return { order: join(origin, orderKey, own, shippers), illegal }
}

function byEntity(observed: readonly Observed[]): Map<string, Observed[]> {
  const groups = new Map<string, Observed[]>()
  for (const o of [...observed].sort(bySourceVersion)) {
    const key = `${o.channel}/${o.fragment.entity}/${o.fragment.externalId}`
    const group = groups.get(key)
    if (group) group.push(o)
    else groups.set(key, [o])
  }
  return groups
}

/** By the source's version as an instant, then by fetch number. Never by arrival, and never as text. */
function bySourceVersion(a: Observed, b: Observed): number {
  return instant(a) - instant(b) || a.fetchNo - b.fetchNo || compareText(key(a), key(b))
}

const instant = (o: Observed): number => (o.fragment.version === null ? 0 : Date.parse(o.fragment.version))
const key = (o: Observed): string => `${o.channel}/${o.fragment.entity}/${o.fragment.externalId}/${JSON.stringify(o.fragment)}`
const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

function foldEntity(history: Observed[], illegal: Fold['illegal']): Fragment {
  const [first, ...rest] = history
  if (!first) throw new Error('an entity without observations')
  let current: Fragment = { ...first.fragment, identifiers: [...first.fragment.identifiers] }
  for (const { fragment, fetchNo } of rest) {
    const next = { ...current, ...said(fragment), identifiers: unionOf(current.identifiers, fragment.identifiers) }
    illegal.push(
      ...[
        guard('payment', mayPayment, current, next),
        guard('fulfilment', mayFulfil, current, next),
        guard('lifecycle', mayLifecycle, current, next),
      ].flatMap((step) => (step ? [{ ...step, fetchNo }] : [])),
    )
    current = next
  }
  return current
}

/** Absent fields were not said; they never overwrite what is known. */
function said(fragment: Fragment): Partial<Fragment> {
  return Object.fromEntries(Object.entries(fragment).filter(([, value]) => value !== undefined))
}

/** Keeps the old value where the step back is not allowed, and answers that step. */
function guard<Axis extends 'payment' | 'fulfilment' | 'lifecycle'>(
  axis: Axis,
  may: (from: NonNullable<Fragment[Axis]>, to: NonNullable<Fragment[Axis]>) => boolean,
  current: Fragment,
  next: Fragment,
): { axis: Axis; from: string; to: string } | undefined {
  const from = current[axis]
  const to = next[axis]
  if (from === undefined || to === undefined || from === to || may(from, to)) return undefined
  next[axis] = from
  return { axis, from, to }
}

const PAYMENT_RANK: Record<Payment, number> = {
  none: 0,
  pending: 1,
  authorized: 2,
  paid: 3,
  partially_refunded: 4,
  refunded: 5,
  charged_back: 5,
}
const FULFILMENT_RANK: Record<Fulfilment, number> = {
  none: 0,
  awaiting_acceptance: 1,
  to_prepare: 2,
  ready_to_ship: 3,
  shipped: 4,
  delivered: 5,
  not_delivered: 5,
  returned: 6,
}
const LIFECYCLE_RANK: Record<Lifecycle, number> = { open: 0, cancel_requested: 1, cancelled: 2, closed: 2 }

// Lower rank with a newer version is legal only where the field lists it: a chargeback review, and a parcel that comes back.
export function mayPayment(from: Payment, to: Payment): boolean {
  return PAYMENT_RANK[to] >= PAYMENT_RANK[from] || (from === 'paid' && to === 'pending') || (from === 'charged_back' && to === 'paid')
}

export function mayFulfil(from: Fulfilment, to: Fulfilment): boolean {
  if (from === 'delivered' && to === 'not_delivered') return false
  return FULFILMENT_RANK[to] >= FULFILMENT_RANK[from]
}

export function mayLifecycle(from: Lifecycle, to: Lifecycle): boolean {
  if (from === 'cancelled' || from === 'closed') return false
  return LIFECYCLE_RANK[to] >= LIFECYCLE_RANK[from] || (from === 'cancel_requested' && to === 'open')
}

// Content, payment and lifecycle follow the origin; fulfilment follows the system that ships. Other systems' words stay on bindings.
function join(origin: string, orderKey: string, entities: Fragment[], shippers: Fragment[]): CanonicalOrder {
  const orders = entities.filter(isOrder).sort((a, b) => compareText(a.externalId, b.externalId))
  const movers = entities.filter(isMover)
  const live = orders.filter((o) => o.lifecycle !== 'cancelled')
  const counted = live.length > 0 ? live : orders
  const toldByShipper = shippers.some((s) => s.fulfilment !== undefined)
  const createdAt = orders.find((o) => o.createdAt)?.createdAt
  return {
    origin,
    orderKey,
    payment: least(
      counted.map((o) => o.payment),
      PAYMENT_RANK,
      'none',
    ),
    fulfilment: toldByShipper ? joinedFulfilment(shippers.filter(isOrder), shippers.filter(isMover)) : joinedFulfilment(counted, movers),
    ...(toldByShipper ? { fulfilmentFromShipper: true } : {}),
    lifecycle: joinedLifecycle(orders, entities),
    flags: [...new Set(entities.flatMap((e) => e.flags ?? []))].sort() as Flag[],
    currency: counted.find((o) => o.currency)?.currency ?? null,
    totalMinor: sum(counted.map((o) => o.totalMinor)),
    lines: counted.flatMap((o) => o.lines ?? []).sort(byLineId),
    tracking: lastSaid([...orders, ...movers, ...shippers], (e) => e.tracking) ?? null,
    confirmed: orders.length > 0 && orders.every((o) => o.confirmed ?? false),
    ...(createdAt ? { createdAt } : {}),
    erp: orders.find((o) => o.erp)?.erp ?? null,
    rawStatus:
      entities
        .map((e) => e.rawStatus)
        .filter(Boolean)
        .join(' + ') || null,
    identifiers: entities
      .reduce<Identifier[]>((all, e) => unionOf(all, e.identifiers), [])
      .sort((a, b) => compareText(a.kind + a.value, b.kind + b.value)),
  }
}

const isOrder = (e: Fragment): boolean => e.entity === 'order'
const isMover = (e: Fragment): boolean => e.entity === 'shipment' || e.entity === 'picking'

function joinedFulfilment(orders: Fragment[], movers: Fragment[]): Fulfilment {
  const said = movers.map((m) => m.fulfilment).filter((f) => f !== undefined)
  if (said.length > 0) return least(said, FULFILMENT_RANK, 'none')
  return least(
    orders.map((o) => o.fulfilment),
    FULFILMENT_RANK,
    'none',
  )
}

function joinedLifecycle(orders: Fragment[], entities: Fragment[]): Lifecycle {
  const packs = entities.filter((e) => e.entity === 'pack' && e.lifecycle !== undefined)
  if (packs.some((p) => p.lifecycle === 'cancelled') || (orders.length > 0 && orders.every((o) => o.lifecycle === 'cancelled')))
    return 'cancelled'
  if ([...orders, ...packs].some((e) => e.lifecycle === 'cancel_requested')) return 'cancel_requested'
  return orders.length > 0 && orders.every((o) => o.lifecycle === 'closed') ? 'closed' : 'open'
}

function least<T extends string>(values: (T | undefined)[], rank: Record<T, number>, none: T): T {
  const said = values.filter((v) => v !== undefined)
  return said.reduce<T | undefined>((low, v) => (low === undefined || rank[v] < rank[low] ? v : low), undefined) ?? none
}

function sum(values: (number | undefined)[]): number | null {
  return values.length === 0 || values.some((v) => v === undefined) ? null : values.reduce<number>((total, v) => total + (v ?? 0), 0)
}

function lastSaid<T>(entities: Fragment[], pick: (e: Fragment) => T | undefined): T | undefined {
  return entities
    .map(pick)
    .filter((v) => v !== undefined)
    .at(-1)
}

const byLineId = (a: OrderLine, b: OrderLine): number => compareText(a.lineId, b.lineId)

function unionOf(a: Identifier[], b: Identifier[]): Identifier[] {
  const seen = new Set(a.map((i) => `${i.kind}/${i.value}`))
  return [...a, ...b.filter((i) => !seen.has(`${i.kind}/${i.value}`))]
}
