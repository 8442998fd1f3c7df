import { ODOO_CHANNEL } from '../../core/channel.ts'
import { planOrder, type PlanSettings, referenceOf } from '../../core/desired.ts'
import { foldOrder, type Observed } from '../../core/fold.ts'
import type { CanonicalOrder } from '../../core/order.ts'
import type { ShownContent } from '../../ports/target.ts'
import {
  type Arrival,
  insertIdentifiers,
  insertObservations,
  type LockedOrder,
  lockOrders,
  type NewObservation,
  observationsOf,
  observeBindings,
  type Projection,
  writeProjections,
} from './order-rows.ts'
import type { PersonalVault } from './personal.ts'
import { type BindingWish, contentHash, planAll } from './plan.ts'
import type { PoolClient } from './pool.ts'

export interface ApplySettings {
  plan: PlanSettings
  vault: PersonalVault
  maxTries: number
}

export interface ArrivalOutcome {
  orderId: string
  /** `stale`: something new was stored, but the projection stayed as it was. */
  kind: 'changed' | 'stale' | 'unchanged'
}

export interface AppliedArrivals {
  outcomes: ArrivalOutcome[]
  planned: number
}

/**
 * The heart of ingest, in the caller's transaction: store what is new, fold each order anew from ALL its observations, write the projection
 * and its identifiers, and plan what every other system is owed. Planning reads the projection, never the fetched record.
 */
export async function applyArrivals(
  client: PoolClient,
  arrivals: readonly Arrival[],
  settings: ApplySettings,
  traceparent: string | null,
): Promise<AppliedArrivals> {
  const orders = await lockOrders(client, arrivals)
  const stored = await observationsOf(client, [...new Set(orders.map((o) => o.id))])
  const fresh = arrivals.map((arrival, i) => newFragments(arrival, stored.get(orders[i]?.id ?? '') ?? []))
  const sealed = await sealPersonal(client, arrivals, orders, fresh, settings.vault)
  await insertObservations(client, newRows(arrivals, orders, fresh, sealed))
  const projections = project(arrivals, orders, fresh, stored, sealed, settings)
  const changed = await writeProjections(client, projections)
  await insertIdentifiers(client, identifiersOf(arrivals, orders))
  await observeBindings(client, shownOf(arrivals, orders))
  const wishes = await wishesFor(
    client,
    projections.filter((p) => changed.has(p.orderId)).map((p) => ({ orderId: p.orderId, order: p.fold.order })),
    settings,
    traceparent,
  )
  const planned = await planAll(client, wishes)
  const outcomes = orders.map(
    (o, i): ArrivalOutcome => ({
      orderId: o.id,
      kind: changed.has(o.id) ? 'changed' : (fresh[i]?.length ?? 0) > 0 ? 'stale' : 'unchanged',
    }),
  )
  return { outcomes, planned }
}

/** Fragments that differ from the newest observation of their entity; the rest is not stored again. */
function newFragments(arrival: Arrival, stored: readonly Observed[]): Arrival['fragments'] {
  return arrival.fragments.filter((fragment) => {
    const newest = stored
      .filter(
        (o) => o.channel === arrival.channel && o.fragment.entity === fragment.entity && o.fragment.externalId === fragment.externalId,
      )
      .reduce<Observed | undefined>((a, b) => (a === undefined || b.fetchNo > a.fetchNo ? b : a), undefined)
    return newest === undefined || contentHash(newest.fragment) !== contentHash(fragment)
  })
}

type Sealed = Map<string, { keyId: string; sealedHex: string }>

async function sealPersonal(
  client: PoolClient,
  arrivals: readonly Arrival[],
  orders: LockedOrder[],
  fresh: Arrival['fragments'][],
  vault: PersonalVault,
): Promise<Sealed> {
  const sealed: Sealed = new Map()
  for (const [i, arrival] of arrivals.entries()) {
    const order = orders[i]
    const worth = arrival.personal !== null && Object.keys(arrival.personal).length > 0 && (fresh[i]?.length ?? 0) > 0
    if (!order || !worth || arrival.personal === null) continue
    const { keyId, sealed: bytes } = await vault.seal(client, order.id, order.keyId, arrival.personal)
    sealed.set(order.id, { keyId, sealedHex: bytes.toString('hex') })
  }
  return sealed
}

function newRows(arrivals: readonly Arrival[], orders: LockedOrder[], fresh: Arrival['fragments'][], sealed: Sealed): NewObservation[] {
  return arrivals.flatMap((arrival, i) =>
    (fresh[i] ?? []).map((fragment) => {
      const orderId = orders[i]?.id ?? ''
      return {
        orderId,
        channel: arrival.channel,
        fragment,
        fetchNo: arrival.fetchNo,
        inboundEventId: arrival.inboundEventId,
        sealedHex: sealed.get(orderId)?.sealedHex ?? null,
      }
    }),
  )
}

function project(
  arrivals: readonly Arrival[],
  orders: LockedOrder[],
  fresh: Arrival['fragments'][],
  stored: Map<string, Observed[]>,
  sealed: Sealed,
  settings: ApplySettings,
): Projection[] {
  const projections = new Map<string, Projection>()
  for (const order of orders) {
    if (projections.has(order.id)) continue
    const arrived = arrivals.flatMap((a, i) =>
      orders[i]?.id === order.id ? (fresh[i] ?? []).map((fragment) => ({ channel: a.channel, fragment, fetchNo: a.fetchNo })) : [],
    )
    const fold = foldOrder(order.origin, order.orderKey, [...(stored.get(order.id) ?? []), ...arrived], (id) =>
      shipsByItself(id, settings.plan),
    )
    const { route } = planOrder(fold.order, [], settings.plan)
    projections.set(order.id, {
      orderId: order.id,
      fold,
      route,
      keyId: sealed.get(order.id)?.keyId ?? null,
      sealedHex: sealed.get(order.id)?.sealedHex ?? null,
    })
  }
  return [...projections.values()]
}

/** Whether a channel's own word on fulfilment counts: it ships its orders itself. */
export function shipsByItself(channel: string, plan: PlanSettings): boolean {
  const found = plan.channels.find((c) => c.id === channel)
  return found !== undefined && found.marketplace !== 'odoo' && found.shipsFrom === 'marketplace'
}

function identifiersOf(
  arrivals: readonly Arrival[],
  orders: LockedOrder[],
): { orderId: string; channel: string; kind: string; value: string }[] {
  return arrivals.flatMap((a, i) =>
    a.fragments.flatMap((f) => f.identifiers.map((id) => ({ orderId: orders[i]?.id ?? '', channel: a.channel, ...id }))),
  )
}

function shownOf(
  arrivals: readonly Arrival[],
  orders: LockedOrder[],
): { orderId: string; channel: string; externalId: string; shown: ShownContent }[] {
  return arrivals.flatMap((a, i) => {
    const order = orders[i]
    const main = a.fragments.find((f) => f.entity === 'order')
    if (!order || !main || order.origin === a.channel) return []
    const shown: ShownContent = {
      lifecycle: main.lifecycle ?? null,
      fulfilment: a.fragments.find((f) => f.entity === 'shipment')?.fulfilment ?? main.fulfilment ?? null,
      currency: main.currency ?? null,
      totalMinor: main.totalMinor ?? null,
      lines: (main.lines ?? []).map(({ sku, quantity, unitPriceMinor }) => ({ sku, quantity, unitPriceMinor })),
      extra: {},
    }
    return [{ orderId: order.id, channel: a.channel, externalId: main.externalId, shown }]
  })
}

/** What every other system is owed of these orders, on the bindings they already have. */
export async function wishesFor(
  client: PoolClient,
  orders: readonly { orderId: string; order: CanonicalOrder }[],
  settings: ApplySettings,
  traceparent: string | null,
): Promise<BindingWish[]> {
  if (orders.length === 0) return []
  const { rows } = await client.query<{ order_id: string; channel: string; generation: number }>(
    `SELECT order_id, channel, generation FROM binding WHERE order_id = ANY($1::bigint[])`,
    [orders.map((o) => o.orderId)],
  )
  return orders.flatMap(({ orderId, order }) => {
    const bound = rows.filter((r) => r.order_id === orderId)
    return planOrder(
      order,
      bound.map((b) => b.channel),
      settings.plan,
    ).wishes.map(({ channel, desired }) => ({
      channel,
      orderId,
      sku: null,
      desired,
      reference: referenceOf(order, bound.find((b) => b.channel === channel)?.generation ?? 1),
      externalId: channel === ODOO_CHANNEL && order.origin === ODOO_CHANNEL ? order.orderKey : null,
      maxTries: settings.maxTries,
      traceparent,
    }))
  })
}
