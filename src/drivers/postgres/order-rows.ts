import type { Fold, Observed } from '../../core/fold.ts'
import { displayStatus, Fragment } from '../../core/order.ts'
import type { Route } from '../../core/routing.ts'
import type { Personal } from '../../ports/target.ts'
import { contentHash } from './plan.ts'
import type { PoolClient } from './pool.ts'

/** Fragments of one canonical order, as one fetch or one batch brought them. */
export interface Arrival {
  channel: string
  /** Channel the order was born in, where it is another than the one it was fetched from and known beforehand. */
  origin?: string
  orderKey: string
  fragments: Fragment[]
  personal: Personal | null
  fetchNo: number
  inboundEventId: string | null
  traceparent: string | null
}

export interface LockedOrder {
  id: string
  origin: string
  orderKey: string
  keyId: string | null
  personal: Buffer | null
  /** The person was erased: personal fields that still come are not kept. */
  isErased: boolean
}

/**
 * Makes transactions that speak of one order under any of its names take turns, from here to their commit: an order that gains a pack while
 * its first fetch is still being stored would otherwise become two. In key order, so that no two wait for each other in a circle.
 */
export async function lockNames(client: PoolClient, arrivals: readonly Arrival[]): Promise<void> {
  await client.query(
    `SELECT pg_advisory_xact_lock(k.key) FROM (
       SELECT DISTINCT hashtextextended(name, 0) AS key FROM unnest($1::text[]) AS n(name) ORDER BY key
     ) k`,
    [arrivals.flatMap((a) => namesOf(a).map((name) => `${a.channel}/${name}`))],
  )
}

/** Every name under which an arrival finds its order at its own channel, upper case. */
export function namesOf(arrival: Arrival): string[] {
  return [...new Set([arrival.orderKey.toUpperCase(), ...idsOf(arrival, ['marketplace-order', 'pack'])])]
}

/**
 * Finds the silver order that an arrival speaks of, and locks it; makes it when nobody knows it yet. Our own bindings come first: an order
 * that the hub created at a marketplace is the ERP's order, not a new one. A reference binds only when it equals one that we sent there.
 */
export async function lockOrders(client: PoolClient, arrivals: readonly Arrival[]): Promise<LockedOrder[]> {
  const keys = arrivals.map((a, index) => ({
    index,
    channel: a.channel,
    origin: a.origin ?? a.channel,
    order_key: a.orderKey,
    ids: [...new Set([a.orderKey, ...idsOf(a, ['marketplace-order', 'pack'])])],
    references: idsOf(a, ['reference']),
  }))
  const known = await knownOrders(client, keys)
  const fresh = keys.filter((k) => !known.has(k.index))
  for (const [index, id] of await insertOrders(client, fresh)) known.set(index, id)
  const { rows } = await client.query<{
    id: string
    origin: string
    order_key: string
    key_id: string | null
    personal: Buffer | null
    erased: boolean
  }>(
    `SELECT id, origin, order_key, key_id, personal, erased_at IS NOT NULL AS erased FROM silver_order WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE`,
    [[...new Set(known.values())]],
  )
  const byId = new Map(
    rows.map((r) => [
      r.id,
      { id: r.id, origin: r.origin, orderKey: r.order_key, keyId: r.key_id, personal: r.personal, isErased: r.erased },
    ]),
  )
  return arrivals.map((_, index) => {
    const order = byId.get(known.get(index) ?? '')
    if (!order) throw new Error('an order vanished between its insert and its lock')
    return order
  })
}

function idsOf(arrival: Arrival, kinds: string[]): string[] {
  return arrival.fragments.flatMap((f) => f.identifiers.filter((i) => kinds.includes(i.kind)).map((i) => i.value.toUpperCase()))
}

interface Key {
  index: number
  channel: string
  origin: string
  order_key: string
  ids: string[]
  references: string[]
}

async function knownOrders(client: PoolClient, keys: Key[]): Promise<Map<number, string>> {
  const { rows } = await client.query<{ index: number; order_id: string }>(
    `SELECT DISTINCT ON (k.index) k.index, found.order_id
     FROM jsonb_to_recordset($1::jsonb) AS k(index integer, channel text, origin text, order_key text, ids jsonb, "references" jsonb)
     CROSS JOIN LATERAL (
       SELECT b.order_id, 1 AS rank FROM binding b WHERE b.channel = k.channel AND b.kind = 'order' AND k.channel <> 'odoo'
         AND b.external_id IN (SELECT jsonb_array_elements_text(k.ids))
       UNION ALL
       SELECT b.order_id, 2 FROM binding b WHERE b.channel = k.channel AND b.kind = 'order' AND k.channel <> 'odoo'
         AND b.reference IN (SELECT lower(jsonb_array_elements_text(k."references")))
       UNION ALL
       SELECT s.id, 3 FROM silver_order s WHERE s.origin = k.origin AND s.order_key = k.order_key
       UNION ALL
       SELECT i.order_id, 4 FROM identifier i WHERE k.channel <> 'odoo' AND i.channel = k.channel AND i.kind IN ('marketplace-order', 'pack')
         AND i.value IN (SELECT jsonb_array_elements_text(k.ids))
     ) found
     ORDER BY k.index, found.rank, found.order_id`,
    [JSON.stringify(keys)],
  )
  return new Map(rows.map((r) => [r.index, r.order_id]))
}

async function insertOrders(client: PoolClient, keys: Key[]): Promise<[number, string][]> {
  if (keys.length === 0) return []
  const { rows } = await client.query<{ id: string; origin: string; order_key: string }>(
    `INSERT INTO silver_order (origin, order_key, payment, fulfilment, lifecycle, display_status, canonical)
     SELECT DISTINCT channel, order_key, 'none', 'none', 'open', 'UNKNOWN', '{}'::jsonb
     FROM jsonb_to_recordset($1::jsonb) AS k(channel text, order_key text) ORDER BY 1, 2
     ON CONFLICT (origin, order_key) DO UPDATE SET order_key = excluded.order_key
     RETURNING id, origin, order_key`,
    [JSON.stringify(keys)],
  )
  const ids = new Map(rows.map((r) => [`${r.origin}/${r.order_key}`, r.id]))
  return keys.map((k) => [k.index, ids.get(`${k.channel}/${k.order_key}`) ?? ''])
}

/** Every stored observation of these orders, for the fold. */
export async function observationsOf(client: PoolClient, orderIds: readonly string[]): Promise<Map<string, Observed[]>> {
  const { rows } = await client.query<{ order_id: string; channel: string; fetch_no: string; body: unknown }>(
    `SELECT order_id, channel, fetch_no, body FROM observation WHERE order_id = ANY($1::bigint[]) ORDER BY id`,
    [orderIds],
  )
  const byOrder = new Map<string, Observed[]>()
  for (const row of rows) {
    const observed = { channel: row.channel, fetchNo: Number(row.fetch_no), fragment: Fragment.parse(row.body) }
    const list = byOrder.get(row.order_id)
    if (list) list.push(observed)
    else byOrder.set(row.order_id, [observed])
  }
  return byOrder
}

export interface NewObservation {
  orderId: string
  channel: string
  fragment: Fragment
  fetchNo: number
  inboundEventId: string | null
  sealedHex: string | null
}

export async function insertObservations(client: PoolClient, rows: readonly NewObservation[]): Promise<void> {
  if (rows.length === 0) return
  await client.query(
    `INSERT INTO observation (order_id, channel, entity, external_id, source_version, fetch_no, content_hash, body, personal, inbound_event_id)
     SELECT o.order_id, o.channel, o.body ->> 'entity', o.body ->> 'externalId', (o.body ->> 'version')::timestamptz, o.fetch_no, decode(o.hash, 'hex'), o.body,
            decode(o.sealed, 'hex'), o.event_id
     FROM jsonb_to_recordset($1::jsonb) AS o(order_id bigint, channel text, body jsonb, fetch_no bigint, hash text, sealed text, event_id bigint)`,
    [
      JSON.stringify(
        rows.map((r) => ({
          order_id: r.orderId,
          channel: r.channel,
          body: r.fragment,
          fetch_no: r.fetchNo,
          hash: contentHash(r.fragment),
          sealed: r.sealedHex,
          event_id: r.inboundEventId,
        })),
      ),
    ],
  )
}

export interface Projection {
  orderId: string
  fold: Fold
  route: Route | null
  keyId: string | null
  sealedHex: string | null
}

/** Writes the projections; a row that stays as it was keeps its version, whoever its person is now. Answers the orders that changed. */
export async function writeProjections(client: PoolClient, projections: readonly Projection[]): Promise<Set<string>> {
  const rows = projections.map(({ orderId, fold: { order, illegal }, route, keyId, sealedHex }) => ({
    id: orderId,
    payment: order.payment,
    fulfilment: order.fulfilment,
    lifecycle: order.lifecycle,
    flags: order.flags,
    display_status: displayStatus(order),
    currency: order.currency,
    total_minor: order.totalMinor,
    confirmed: order.confirmed,
    canonical: order,
    route,
    illegal: illegal.length > 0 ? illegal : null,
    key_id: keyId,
    personal: sealedHex,
  }))
  const { rows: changed } = await client.query<{ id: string }>(
    `WITH item AS (
       SELECT * FROM jsonb_to_recordset($1::jsonb) AS p(id bigint, payment text, fulfilment text, lifecycle text, flags jsonb, display_status text, currency text,
         total_minor bigint, confirmed boolean, canonical jsonb, route jsonb, illegal jsonb, key_id bigint, personal text)
     ), moved AS (
       UPDATE silver_order s SET payment = i.payment, fulfilment = i.fulfilment, lifecycle = i.lifecycle,
         flags = ARRAY(SELECT jsonb_array_elements_text(i.flags)), display_status = i.display_status, currency = i.currency, total_minor = i.total_minor,
         confirmed = i.confirmed, canonical = i.canonical, route = i.route, illegal = i.illegal,
         key_id = coalesce(i.key_id, s.key_id), personal = coalesce(decode(i.personal, 'hex'), s.personal),
         version = s.version + 1, updated_at = hub_now()
       FROM item i
       WHERE s.id = i.id AND (s.canonical IS DISTINCT FROM i.canonical OR s.route IS DISTINCT FROM i.route OR s.illegal IS DISTINCT FROM i.illegal)
       RETURNING s.id, s.version, s.origin, s.display_status, s.canonical
     ), resealed AS (
       UPDATE silver_order s SET key_id = coalesce(i.key_id, s.key_id), personal = coalesce(decode(i.personal, 'hex'), s.personal)
       FROM item i
       WHERE s.id = i.id AND i.key_id IS NOT NULL
         AND NOT (s.canonical IS DISTINCT FROM i.canonical OR s.route IS DISTINCT FROM i.route OR s.illegal IS DISTINCT FROM i.illegal)
     ), told AS (
       INSERT INTO order_event (event_id, event_type, aggregate_type, aggregate_id, aggregate_version, marketplace, occurred_at, payload)
       SELECT gen_random_uuid(), CASE WHEN m.version = 2 THEN 'order.created' ELSE 'order.changed' END, 'order', m.id, m.version, c.marketplace, hub_now(),
              jsonb_build_object('display_status', m.display_status, 'origin', m.origin, 'payment', m.canonical ->> 'payment', 'fulfilment', m.canonical ->> 'fulfilment',
                'lifecycle', m.canonical ->> 'lifecycle', 'total_minor', m.canonical -> 'totalMinor', 'currency', m.canonical ->> 'currency')
       FROM moved m JOIN channel c ON c.id = m.origin
     )
     SELECT id FROM moved`,
    [JSON.stringify(rows)],
  )
  return new Set(changed.map((r) => r.id))
}

export async function insertIdentifiers(
  client: PoolClient,
  rows: readonly { orderId: string; channel: string; kind: string; value: string }[],
): Promise<void> {
  if (rows.length === 0) return
  await client.query(
    `INSERT INTO identifier (value, kind, order_id, channel)
     SELECT DISTINCT upper(trim(value)), kind, "orderId", channel FROM jsonb_to_recordset($1::jsonb) AS i("orderId" bigint, channel text, kind text, value text)
     ON CONFLICT DO NOTHING`,
    [JSON.stringify(rows)],
  )
}

/** What other systems show of an order stays on their bindings; an id that a fetch told binds at once. A copy under another id says nothing of the bound one. */
export async function observeBindings(
  client: PoolClient,
  rows: readonly { orderId: string; channel: string; externalId: string; shown: unknown }[],
): Promise<void> {
  if (rows.length === 0) return
  await client.query(
    `UPDATE binding b SET observed = i.shown, observed_at = hub_now(), missing_since = NULL, external_id = coalesce(b.external_id, i."externalId")
     FROM jsonb_to_recordset($1::jsonb) AS i("orderId" bigint, channel text, "externalId" text, shown jsonb)
     WHERE b.order_id = i."orderId" AND b.channel = i.channel AND b.kind = 'order' AND coalesce(b.external_id, i."externalId") = i."externalId"`,
    [JSON.stringify(rows)],
  )
}
