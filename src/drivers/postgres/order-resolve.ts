import type { TypedIdentifier } from '../../core/identifier.ts'
import type { Candidate, Focus, Resolved, Unapplied } from '../../ports/order-trace.ts'
import type { Pool } from './pool.ts'

const LOOKED_IN = ['identifiers', 'order keys', 'bindings', 'deliveries', 'inbound events', 'ERP quarantine']
const MOST_CANDIDATES = 10

/** Finds what a typed identifier names; by indexes only. */
export async function resolve(pool: Pool, typed: TypedIdentifier): Promise<Resolved> {
  if (typed.text === '') return { kind: 'unknown', nearest: [], lookedIn: [] }
  const focused = await resolveRow(pool, typed)
  if (focused) return focused
  const [candidates, unapplied] = await Promise.all([findCandidates(pool, typed), findUnapplied(pool, typed)])
  const [best] = candidates
  if (best) return isClear(candidates) ? { kind: 'found', orderId: best.orderId, focus: null } : { kind: 'ambiguous', candidates }
  if (unapplied.quarantineIds.length > 0 || unapplied.inboundIds.length > 0) return { kind: 'unapplied', unapplied, focus: null }
  return { kind: 'unknown', nearest: await findNearest(pool, typed), lookedIn: LOOKED_IN }
}

/** `outbox-17`, `inbound-9` and event ids name one row, whatever order it belongs to. */
async function resolveRow(pool: Pool, typed: TypedIdentifier): Promise<Resolved | null> {
  if (typed.deliveryId !== null) {
    const { rows } = await pool.query<{ order_id: string | null }>(`SELECT order_id FROM delivery WHERE id = $1`, [typed.deliveryId])
    const focus: Focus = { table: 'delivery', id: typed.deliveryId }
    return rows[0]?.order_id ? { kind: 'found', orderId: rows[0].order_id, focus } : null
  }
  if (typed.orderRowId !== null) {
    const { rows } = await pool.query(`SELECT FROM silver_order WHERE id = $1`, [typed.orderRowId])
    return rows.length > 0 ? { kind: 'found', orderId: typed.orderRowId, focus: null } : null
  }
  if (typed.inboundId === null && typed.eventId === null) return null
  const { rows } = await pool.query<{ id: string; order_id: string | null }>(
    `SELECT id, order_id FROM inbound_event WHERE id = $1::bigint
     UNION ALL SELECT id, order_id FROM inbound_event WHERE event_id = $2::uuid LIMIT 1`,
    [typed.inboundId, typed.eventId],
  )
  const row = rows[0]
  if (!row) return null
  const focus: Focus = { table: 'inbound_event', id: row.id }
  if (row.order_id !== null) return { kind: 'found', orderId: row.order_id, focus }
  return { kind: 'unapplied', unapplied: { quarantineIds: [], inboundIds: [row.id] }, focus }
}

// What was typed, exactly, is no guess; only when it names nothing does what it may stand for count.
function isClear(candidates: readonly Candidate[]): boolean {
  const first = candidates.filter((c) => c.rank === candidates[0]?.rank)
  return new Set(first.map((c) => c.orderId)).size === 1
}

async function findCandidates(pool: Pool, typed: TypedIdentifier): Promise<Candidate[]> {
  const { rows } = await pool.query<Candidate>(
    `WITH typed AS MATERIALIZED (
       SELECT value, rank, kinds FROM jsonb_to_recordset($1::jsonb) AS t(value text, rank integer, kinds jsonb)
     ), hit AS (
       SELECT i.order_id, t.rank, i.kind, i.value AS known, i.channel
       FROM typed t JOIN identifier i ON i.value = t.value AND (t.kinds IS NULL OR t.kinds ? i.kind)
       UNION ALL
       SELECT s.id, t.rank, 'order-key', s.order_key, s.origin
       FROM typed t CROSS JOIN channel c JOIN silver_order s ON s.origin = c.id AND s.order_key = t.value WHERE t.rank = 1
       UNION ALL
       SELECT b.order_id, t.rank, 'marketplace-order', b.external_id, b.channel
       FROM typed t CROSS JOIN channel c JOIN binding b ON b.channel = c.id AND b.external_id = t.value WHERE b.order_id IS NOT NULL
       UNION ALL
       SELECT b.order_id, t.rank, 'reference', b.reference, b.channel
       FROM typed t JOIN binding b ON upper(b.reference) = t.value AND b.kind = 'order'
     ), best AS (
       SELECT DISTINCT ON (order_id) order_id, rank, kind, known, channel FROM hit ORDER BY order_id, rank, kind
     )
     SELECT b.order_id AS "orderId", b.known, b.kind, b.channel, b.rank, s.origin, s.created_at AS "createdAt"
     FROM best b JOIN silver_order s ON s.id = b.order_id ORDER BY b.rank, s.created_at DESC, s.id DESC LIMIT $2`,
    [JSON.stringify(typed.lookUps), MOST_CANDIDATES],
  )
  return rows
}

async function findUnapplied(pool: Pool, typed: TypedIdentifier): Promise<Unapplied> {
  const values = typed.lookUps.map((l) => l.value)
  const { rows } = await pool.query<{ table: 'q' | 'e'; id: string }>(
    `(SELECT 'q' AS "table", id FROM erp_quarantine WHERE resolved_at IS NULL AND erp_id = ANY($1::text[]) LIMIT 5)
     UNION (SELECT 'q', id FROM erp_quarantine WHERE upper(erp_name) = ANY($1::text[]) AND resolved_at IS NULL LIMIT 5)
     UNION (SELECT 'e', id FROM inbound_event WHERE order_key = ANY($1::text[]) ORDER BY id DESC LIMIT 50)
     UNION (SELECT 'e', id FROM inbound_event WHERE source_event_id = ANY($2::text[]) ORDER BY id DESC LIMIT 5)`,
    [values, [typed.text, typed.text.toLowerCase()]],
  )
  const idsOf = (table: 'q' | 'e'): string[] => rows.filter((r) => r.table === table).map((r) => r.id)
  return { quarantineIds: idsOf('q'), inboundIds: idsOf('e') }
}

const SHARED_PREFIX = 3

// Neighbours in the index and near misses of the typing; both are a handful of index look-ups.
async function findNearest(pool: Pool, typed: TypedIdentifier): Promise<string[]> {
  const { rows } = await pool.query<{ value: string }>(
    `(SELECT value, 0 AS far FROM identifier WHERE value = ANY($2::text[]) LIMIT 5)
     UNION ALL (SELECT value, 1 FROM identifier WHERE value ~>~ $1 ORDER BY value USING ~<~ LIMIT 6)
     UNION ALL (SELECT value, 1 FROM identifier WHERE value ~<~ $1 ORDER BY value USING ~>~ LIMIT 6)`,
    [typed.text, typed.variants],
  )
  const start = typed.text.slice(0, Math.max(SHARED_PREFIX, Math.ceil(typed.text.length / 2)))
  const near = rows.map((r) => r.value).filter((v) => typed.variants.includes(v) || v.startsWith(start))
  return [...new Set(near)].slice(0, 5)
}
