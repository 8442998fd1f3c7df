import { ODOO_CHANNEL } from '../../core/channel.ts'
import { planOrder, type PlanSettings, referenceOf } from '../../core/desired.ts'
import { foldOrder, type Observed } from '../../core/fold.ts'
import type { CanonicalOrder } from '../../core/order.ts'
import type { ShownContent } from '../../ports/target.ts'
import { recordSeenCopies } from './copies.ts'
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
 * and its identifiers, and plan what every other system is owed. Planning reads the projection, never the fetched record. Several arrivals
 * may speak of one order.
 */
export async function applyArrivals(client: PoolClient, arrivals: readonly Arrival[], settings: ApplySettings): Promise<AppliedArrivals> {
  const orders = await lockOrders(client, arrivals)
  const observed = await observationsOf(client, [...new Set(orders.map((o) => o.id))])
  const works = takeIn(arrivals, orders, observed)
  const sealed = await sealPersonal(client, works, settings.vault)
  await insertObservations(client, newRows(works, sealed))
  const projections = project(works, observed, sealed, settings)
  const changed = await writeProjections(client, projections)
  await insertIdentifiers(client, identifiersOf(works))
  // Before any of them is written, in the order in which everybody locks bindings.
  await client.query(`SELECT FROM binding WHERE order_id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE`, [orders.map((o) => o.id)])
  await observeBindings(client, shownOf(works))
  await recordSeenCopies(client, works.flatMap(shownBy))
  const moved = projections.filter((p) => changed.has(p.orderId)).map((p) => movedBy(p, works))
  const planned = await planAll(client, await wishesFor(client, moved, settings))
  return { outcomes: works.map((work) => outcomeOf(work, changed)), planned }
}

/** An arrival, the order it was found to speak of, and what of it is new. */
interface Work {
  arrival: Arrival
  order: LockedOrder
  fresh: Arrival['fragments']
  /** Nothing that is known was fetched there after it. */
  isNewest: boolean
}

/** What each arrival brings that is new; `observed` grows by it, so that a later one of the same order is held against it too. */
function takeIn(arrivals: readonly Arrival[], orders: readonly LockedOrder[], observed: Map<string, Observed[]>): Work[] {
  return arrivals.flatMap((arrival, i): Work[] => {
    const order = orders[i]
    if (!order) return []
    const known = observed.get(order.id) ?? []
    const fresh = newFragments(arrival, known)
    const isNewest = known.every((o) => o.channel !== arrival.channel || o.fetchNo <= arrival.fetchNo)
    observed.set(order.id, [...known, ...fresh.map((fragment) => ({ channel: arrival.channel, fragment, fetchNo: arrival.fetchNo }))])
    return [{ arrival, order, fresh, isNewest }]
  })
}

function movedBy({ orderId, fold }: Projection, works: readonly Work[]): OwedOrder {
  const newest = works.findLast((work) => work.order.id === orderId && work.fresh.length > 0)
  return { orderId, order: fold.order, traceparent: newest?.arrival.traceparent ?? null }
}

function outcomeOf({ order, fresh }: Work, changed: ReadonlySet<string>): ArrivalOutcome {
  if (changed.has(order.id)) return { orderId: order.id, kind: 'changed' }
  return { orderId: order.id, kind: fresh.length > 0 ? 'stale' : 'unchanged' }
}

/** Fragments that differ from the newest observation of their entity; the rest is not stored again. */
function newFragments(arrival: Arrival, known: readonly Observed[]): Arrival['fragments'] {
  return arrival.fragments.filter((fragment) => {
    const newest = known
      .filter(
        (o) => o.channel === arrival.channel && o.fragment.entity === fragment.entity && o.fragment.externalId === fragment.externalId,
      )
      .reduce<Observed | undefined>((a, b) => (a === undefined || b.fetchNo > a.fetchNo ? b : a), undefined)
    return newest === undefined || contentHash(newest.fragment) !== contentHash(fragment)
  })
}

interface SealedFields {
  keyId: string
  /** What the order itself is to hold; null leaves what it holds. */
  ofOrder: Buffer | null
  /** What was observed with its fragments. */
  observed: Buffer | null
}
type Sealed = ReadonlyMap<string, SealedFields>

async function sealPersonal(client: PoolClient, works: readonly Work[], vault: PersonalVault): Promise<Sealed> {
  const sealed = new Map<string, SealedFields>()
  for (const work of works) {
    const { arrival, order, fresh } = work
    if (order.isErased || arrival.personal === null || Object.keys(arrival.personal).length === 0) continue
    const before = sealed.get(order.id)
    const isNews = await tellsOrder(client, work, before, vault)
    if (!isNews && fresh.length === 0) continue
    const { keyId, sealed: bytes } = await vault.seal(client, order.id, before?.keyId ?? order.keyId, arrival.personal)
    sealed.set(order.id, {
      keyId,
      ofOrder: isNews ? bytes : (before?.ofOrder ?? null),
      observed: fresh.length > 0 ? bytes : (before?.observed ?? null),
    })
  }
  return sealed
}

// The person of an order is the origin's word, as its lifecycle is; a customer who is corrected there moves no version of the order. Another
// system's word counts while there is none.
async function tellsOrder(
  client: PoolClient,
  { arrival: { channel, personal }, order, isNewest }: Work,
  before: SealedFields | undefined,
  vault: PersonalVault,
): Promise<boolean> {
  const keyId = before?.keyId ?? order.keyId
  const held = before?.ofOrder ?? order.personal
  if (personal === null) return false
  if (keyId === null || held === null) return true
  return channel === order.origin && isNewest && (await vault.differs(client, { orderId: order.id, keyId, sealed: held }, personal))
}

function newRows(works: readonly Work[], sealed: Sealed): NewObservation[] {
  return works.flatMap(({ arrival: { channel, fetchNo, inboundEventId }, order, fresh }) =>
    fresh.map((fragment) => ({
      orderId: order.id,
      channel,
      fragment,
      fetchNo,
      inboundEventId,
      sealedHex: sealed.get(order.id)?.observed?.toString('hex') ?? null,
    })),
  )
}

function project(works: readonly Work[], observed: ReadonlyMap<string, Observed[]>, sealed: Sealed, settings: ApplySettings): Projection[] {
  const orders = new Map(works.map((w) => [w.order.id, w.order]))
  return [...orders.values()].map((order) => {
    const fold = foldOrder(order.origin, order.orderKey, observed.get(order.id) ?? [], (id) =>
      shipsByItself(id, order.origin, settings.plan),
    )
    const { route } = planOrder(fold.order, [], settings.plan)
    const bytes = sealed.get(order.id)
    return { orderId: order.id, fold, route, keyId: bytes?.keyId ?? null, sealedHex: bytes?.ofOrder?.toString('hex') ?? null }
  })
}

/** Whether a channel's word on fulfilment counts for an order of this origin: a marketplace that ships itself, or Odoo where it ships for one. */
function shipsByItself(channel: string, origin: string, plan: PlanSettings): boolean {
  const ships = (id: string): string | undefined => plan.channels.find((c) => c.id === id)?.shipsFrom
  return channel === ODOO_CHANNEL ? origin !== ODOO_CHANNEL && ships(origin) === 'odoo' : ships(channel) === 'marketplace'
}

function identifiersOf(works: readonly Work[]): { orderId: string; channel: string; kind: string; value: string }[] {
  return works.flatMap(({ arrival, order }) =>
    arrival.fragments.flatMap((f) => f.identifiers.map((id) => ({ orderId: order.id, channel: arrival.channel, ...id }))),
  )
}

interface ShownAt {
  orderId: string
  channel: string
  externalId: string
  shown: ShownContent
}

/** What other systems show now; of several arrivals of one binding the newest. */
function shownOf(works: readonly Work[]): ShownAt[] {
  const byBinding = works.flatMap(shownBy).map((one): [string, ShownAt] => [`${one.orderId} ${one.channel}`, one])
  return [...new Map(byBinding).values()]
}

function shownBy({ arrival, order }: Work): ShownAt[] {
  const main = arrival.fragments.find((f) => f.entity === 'order')
  if (!main || order.origin === arrival.channel) return []
  const shown: ShownContent = {
    lifecycle: main.lifecycle ?? null,
    fulfilment: arrival.fragments.find((f) => f.entity === 'shipment')?.fulfilment ?? main.fulfilment ?? null,
    currency: main.currency ?? null,
    totalMinor: main.totalMinor ?? null,
    lines: (main.lines ?? []).map(({ sku, quantity, unitPriceMinor }) => ({ sku, quantity, unitPriceMinor })),
    extra: {},
  }
  return [{ orderId: order.id, channel: arrival.channel, externalId: main.externalId, shown }]
}

/** An order whose projection moved, and the trace of what moved it. */
export interface OwedOrder {
  orderId: string
  order: CanonicalOrder
  traceparent: string | null
}

/** What every other system is owed of these orders, on the bindings they already have. */
export async function wishesFor(client: PoolClient, orders: readonly OwedOrder[], settings: ApplySettings): Promise<BindingWish[]> {
  if (orders.length === 0) return []
  const { rows } = await client.query<{ order_id: string; channel: string; generation: number }>(
    `SELECT order_id, channel, generation FROM binding WHERE order_id = ANY($1::bigint[])`,
    [orders.map((o) => o.orderId)],
  )
  return orders.flatMap(({ orderId, order, traceparent }) => {
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
      externalId: channel === order.origin ? order.orderKey : null,
      maxTries: settings.maxTries,
      traceparent,
    }))
  })
}
