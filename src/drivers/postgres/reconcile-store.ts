import type { Drift } from '../../core/drift.ts'
import { orderPointer } from '../../core/inbound-event.ts'
import type { Desired } from '../../core/desired.ts'
import type { Comparable, CompareRest, OpenOrders, ReconcileStore, Unseen } from '../../ports/reconcile-store.ts'
import type { Listed } from '../../ports/marketplace.ts'
import type { Shown } from '../../ports/target.ts'
import { keptStart } from './kept-start.ts'
import { recordCopies, recordErpCopies } from './copies.ts'
import { recordEvents } from './delivery-events.ts'
import { wakeOutbox } from './plan.ts'
import { type Pool, type PoolClient, transaction } from './pool.ts'

export function postgresReconcileStore(pool: Pool, maxTries: number): ReconcileStore {
  return {
    async readCursor(name) {
      const { rows } = await pool.query<{ watermark: string | null }>(
        `SELECT position ->> 'watermark' AS watermark FROM cursor WHERE name = $1`,
        [name],
      )
      return rows[0]?.watermark ?? null
    },
    async moveCursor(name, watermark) {
      await pool.query(
        `INSERT INTO cursor (name, position, moved_at) VALUES ($1, $2::jsonb, hub_now())
         ON CONFLICT (name) DO UPDATE SET position = excluded.position, moved_at = excluded.moved_at`,
        [name, JSON.stringify({ watermark })],
      )
    },
    async now() {
      const { rows } = await pool.query<{ now: string }>(`SELECT hub_now() AS now`)
      return rows[0]?.now ?? ''
    },
    unseen: (channel, found, than) => unseen(pool, { channel, ...than }, found),
    sweepStart: (channel, spanMs) => keptStart(pool, `sweep-start/${channel}`, spanMs),
    openOrders: (channel, which, limit) => openOrders(pool, { channel, ...which }, limit),
    comparable: (channel, rest, limit) => comparable(pool, channel, rest, limit),
    recordComparison: (compared, shown, drifts) => transaction(pool, (client) => recordComparison(client, compared, shown, drifts)),
    async postponeComparison({ bindingId }) {
      await pool.query(`UPDATE binding SET compared_at = hub_now() WHERE id = $1`, [bindingId])
    },
    recordCopies: ({ bindingId }, ids) => transaction(pool, (client) => recordCopies(client, [{ bindingId, ids }])),
    recordErpCopies: (doubled) => transaction(pool, (client) => recordErpCopies(client, doubled)),
    redeliver: (compared) => transaction(pool, (client) => redeliver(client, compared, maxTries)),
  }
}

// What an event speaks of is fetched for that event, under its lease and count; a poisonous one is not fetched by another door.
const UNSPOKEN = `NOT EXISTS (SELECT FROM inbound_event e WHERE e.channel = $1 AND e.resource = f.resource
                         AND (e.state = 'pending' OR e.state = 'dead' AND e.cause = 'poison' AND e.resolved_by IS NULL))`

// Minus infinity stands for a fetch that was begun and never taken in: as good as none.
const FETCHED_AT = `extract(epoch FROM nullif(r.fetched_at, '-infinity'))::text AS "fetchedAt"`

async function unseen(
  pool: Pool,
  { channel, olderThanMs, since }: { channel: string; olderThanMs: number; since: string },
  found: readonly Listed[],
): Promise<Unseen[]> {
  const { rows } = await pool.query<Unseen>(
    `SELECT f.resource, f."orderKey", f.version, ${FETCHED_AT} FROM jsonb_to_recordset($2::jsonb) AS f(resource text, "orderKey" text, version text, "createdAt" timestamptz)
     LEFT JOIN resource r ON r.channel = $1 AND r.resource = f.resource
     WHERE ${UNSPOKEN}
       AND (coalesce(f."createdAt" >= $4, true) OR EXISTS (
         SELECT FROM observation o WHERE o.channel = $1 AND o.entity = 'order' AND o.external_id = regexp_replace(f.resource, '^.*/', '')))
       AND CASE WHEN f.version IS NULL
       THEN coalesce(r.fetched_at <= hub_now() - $3 * interval '1 ms', true)
       ELSE NOT EXISTS (
         SELECT FROM observation o
         WHERE o.channel = $1 AND o.entity = 'order' AND o.external_id = regexp_replace(f.resource, '^.*/', '')
           AND o.source_version >= f.version::timestamptz) END`,
    [channel, JSON.stringify(found), olderThanMs, since],
  )
  return rows
}

// Goods come back after their delivery, for a while.
const OPEN = `s.lifecycle IN ('open', 'cancel_requested') AND s.fulfilment <> 'returned'
  AND (s.fulfilment <> 'delivered' OR $5 AND s.updated_at > hub_now() - interval '30 days')`

// Of a pack that has an id of its own: one order of it, whose fetch brings the others.
const ORDER_ID = `coalesce((SELECT min(o.external_id) FROM observation o WHERE o.order_id = s.id AND o.channel = s.origin AND o.entity = 'order'), s.order_key)`

// Its dead letter waits for a person, or for a webhook that tells of the order anew.
const GIVEN_UP = `EXISTS (SELECT FROM inbound_event e WHERE e.channel = $1 AND e.resource = f.resource
                     AND e.topic = 'sweep' AND e.state = 'dead' AND e.resolved_by IS NULL)`

async function openOrders(
  pool: Pool,
  { channel, olderThanMs, isDeliveredToo }: { channel: string } & OpenOrders,
  limit: number,
): Promise<Unseen[]> {
  const { rows } = await pool.query<Unseen>(
    `SELECT f.resource, f."orderKey", NULL AS version, ${FETCHED_AT} FROM (
       SELECT $2 || id AS resource, id AS "orderKey" FROM (
         SELECT ${ORDER_ID} AS id FROM silver_order s WHERE s.origin = $1 AND ${OPEN}
         UNION
         SELECT b.external_id FROM binding b JOIN silver_order s ON s.id = b.order_id
         WHERE b.channel = $1 AND s.origin <> $1 AND b.external_id IS NOT NULL AND b.missing_since IS NULL AND ${OPEN}) there
     ) f LEFT JOIN resource r ON r.channel = $1 AND r.resource = f.resource
     WHERE coalesce(r.fetched_at < hub_now() - $3 * interval '1 ms', true) AND ${UNSPOKEN} AND NOT ${GIVEN_UP}
     ORDER BY r.fetch_no NULLS FIRST LIMIT $4`,
    [channel, orderPointer(''), olderThanMs, limit, isDeliveredToo],
  )
  return rows
}

interface ComparableRow {
  binding_id: string
  order_id: string
  reference: string
  generation: number
  external_id: string | null
  first_sent_at: string | null
  version: string
  content: Desired
  duplicates: string[] | null
}

async function comparable(pool: Pool, channel: string, { firstMs, againMs }: CompareRest, limit: number): Promise<Comparable[]> {
  const { rows } = await pool.query<ComparableRow>(
    `SELECT b.id AS binding_id, b.order_id, b.reference, b.generation, b.external_id, b.duplicates, d.first_sent_at, d.version, w.content
     FROM binding b
     CROSS JOIN LATERAL (SELECT * FROM delivery d WHERE d.binding_id = b.id ORDER BY d.version DESC LIMIT 1) d
     JOIN desired w ON w.id = d.desired_id
     WHERE b.channel = $1 AND b.kind = 'order' AND b.external_id IS NOT NULL AND d.state = 'delivered'
       AND d.ended_at < hub_now() - $2 * interval '1 ms' AND coalesce(b.compared_at, '-infinity'::timestamptz) < hub_now() - $3 * interval '1 ms'
     ORDER BY coalesce(b.compared_at, '-infinity'::timestamptz) LIMIT $4`,
    [channel, firstMs, againMs, limit],
  )
  return rows.map((r) => ({
    bindingId: r.binding_id,
    orderId: r.order_id,
    copies: r.duplicates ?? [],
    wanted: {
      channel,
      reference: r.reference,
      generation: r.generation,
      version: Number(r.version),
      externalId: r.external_id,
      desired: r.content,
      firstSentAt: r.first_sent_at,
      personal: null,
    },
  }))
}

async function recordComparison(client: PoolClient, compared: Comparable, shown: Shown, drifts: readonly Drift[]): Promise<number> {
  if (!(await lockNewest(client, compared))) return 0
  await client.query(
    `UPDATE binding SET observed = coalesce($2::jsonb, observed), observed_at = hub_now(), compared_at = hub_now(),
       missing_since = CASE WHEN $3 THEN coalesce(missing_since, hub_now()) END
     WHERE id = $1`,
    [compared.bindingId, shown.kind === 'found' ? JSON.stringify(shown.content) : null, drifts.some((d) => d.kind === 'missing')],
  )
  await client.query(
    `UPDATE drift SET resolved_at = hub_now() WHERE order_id = $1 AND channel = $2 AND resolved_at IS NULL AND kind <> 'duplicate' AND NOT kind = ANY($3::text[])`,
    [compared.orderId, compared.wanted.channel, drifts.map((d) => d.kind)],
  )
  if (drifts.length > 0) {
    await client.query(
      `INSERT INTO drift (order_id, channel, kind, cause, fields)
       SELECT $1, $2, kind, cause, fields FROM jsonb_to_recordset($3::jsonb) AS d(kind text, cause text, fields jsonb)
       ON CONFLICT (order_id, channel, kind) WHERE resolved_at IS NULL DO UPDATE SET seen_at = hub_now(), fields = excluded.fields`,
      [compared.orderId, compared.wanted.channel, JSON.stringify(drifts)],
    )
  }
  return drifts.length
}

/**
 * Locks the binding, and answers whether what was compared is still what it should show: a version that was planned while the target was looked
 * at makes the answer one about other content.
 */
async function lockNewest(client: PoolClient, { bindingId, wanted: { version } }: Comparable): Promise<boolean> {
  await client.query(`SELECT FROM binding WHERE id = $1 FOR NO KEY UPDATE`, [bindingId])
  const { rowCount } = await client.query(
    `SELECT FROM (SELECT version, state FROM delivery WHERE binding_id = $1 ORDER BY version DESC LIMIT 1) newest
     WHERE newest.version = $2 AND newest.state = 'delivered'`,
    [bindingId, version],
  )
  return rowCount === 1
}

// A newer version with the same content: it follows the same rules as any other, look-up first.
async function redeliver(client: PoolClient, compared: Comparable, maxTries: number): Promise<boolean> {
  if (!(await lockNewest(client, compared))) return false
  const { rows } = await client.query<{ id: string }>(
    `WITH counted AS (
       UPDATE binding SET next_version = next_version + 1 WHERE id = $1 RETURNING next_version - 1 AS version
     )
     INSERT INTO delivery (binding_id, channel, kind, order_id, version, generation, desired_id, max_tries, cause)
     SELECT n.binding_id, n.channel, n.kind, n.order_id, c.version, n.generation, n.desired_id, $3, 'drift'
     FROM delivery n, counted c WHERE n.binding_id = $1 AND n.version = $2 RETURNING id`,
    [compared.bindingId, compared.wanted.version, maxTries],
  )
  await recordEvents(
    client,
    rows.map(({ id }) => id),
    'planned',
  )
  await wakeOutbox(client, rows.length)
  return true
}
