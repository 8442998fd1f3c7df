import type { TypedIdentifier } from '../../core/identifier.ts'
import type { Candidate, Focus, Resolved, Unapplied } from '../../ports/order-trace.ts'
import type { Pool } from './pool.ts'
import { prepared } from './prepared.ts'

const LOOKED_IN = ['identifiers', 'order keys', 'bindings', 'deliveries', 'inbound events', 'ERP quarantine']
const MOST_CANDIDATES = 10
const MOST_HITS = 100

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
    const rows = await prepared<{ order_id: string | null }>(pool, 'delivery-row', `SELECT order_id FROM delivery WHERE id = $1`, [
      typed.deliveryId,
    ])
    const focus: Focus = { table: 'delivery', id: typed.deliveryId }
    const [row] = rows
    if (!row) return null
    // Stock is of no order: the delivery tells its own story.
    if (row.order_id === null) return { kind: 'unapplied', unapplied: { quarantineIds: [], inboundIds: [] }, focus }
    return { kind: 'found', orderId: row.order_id, focus }
  }
  if (typed.orderRowId !== null) {
    const rows = await prepared<Record<string, unknown>>(pool, 'order-row', `SELECT FROM silver_order WHERE id = $1`, [typed.orderRowId])
    return rows.length > 0 ? { kind: 'found', orderId: typed.orderRowId, focus: null } : null
  }
  if (typed.inboundId === null && typed.eventId === null) return null
  const rows = await prepared<{ id: string; order_id: string | null }>(
    pool,
    'event-row',
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

interface Hit extends Omit<Candidate, 'rank'> {
  value: string
}

// By value alone, which every index answers; what kind may stand for what was typed is judged here.
async function findCandidates(pool: Pool, typed: TypedIdentifier): Promise<Candidate[]> {
  const rows = await prepared<Hit>(
    pool,
    'candidates',
    `WITH hit AS (
       SELECT order_id, kind, value, value AS known, channel FROM identifier WHERE value = ANY($1::text[])
       UNION ALL
       SELECT s.id, 'order-key', s.order_key, s.order_key, s.origin FROM silver_order s
       WHERE s.origin = ANY(ARRAY(SELECT id FROM channel)) AND s.order_key = ANY($2::text[])
       UNION ALL
       SELECT order_id, 'marketplace-order', external_id, external_id, channel FROM binding
       WHERE channel = ANY(ARRAY(SELECT id FROM channel)) AND external_id = ANY($1::text[]) AND order_id IS NOT NULL
       UNION ALL
       SELECT order_id, 'reference', upper(reference), reference, channel FROM binding WHERE upper(reference) = ANY($1::text[]) AND kind = 'order'
     )
     SELECT h.order_id AS "orderId", h.kind, h.value, h.known, h.channel, s.origin, s.created_at AS "createdAt"
     FROM (SELECT * FROM hit LIMIT ${MOST_HITS}) h JOIN silver_order s ON s.id = h.order_id`,
    [typed.lookUps.map((l) => l.value), [typed.text]],
  )
  const ranked = rows.flatMap(({ value, ...hit }): Candidate[] => {
    const ranks = typed.lookUps
      .filter((l) => l.value === value && (l.kinds === null || l.kinds.some((k) => k === hit.kind)))
      .map((l) => l.rank)
    return ranks.length > 0 ? [{ ...hit, rank: Math.min(...ranks) }] : []
  })
  ranked.sort((a, b) => a.rank - b.rank || (a.createdAt < b.createdAt ? 1 : -1) || a.kind.localeCompare(b.kind))
  return ranked.filter((c, i) => ranked.findIndex((o) => o.orderId === c.orderId) === i).slice(0, MOST_CANDIDATES)
}

async function findUnapplied(pool: Pool, typed: TypedIdentifier): Promise<Unapplied> {
  const values = typed.lookUps.map((l) => l.value)
  const rows = await prepared<{ table: 'q' | 'e'; id: string }>(
    pool,
    'unapplied',
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
  const rows = await prepared<{ value: string }>(
    pool,
    'nearest',
    `(SELECT value, 0 AS far FROM identifier WHERE value = ANY($2::text[]) LIMIT 5)
     UNION ALL (SELECT value, 1 FROM identifier WHERE value ~>~ $1 ORDER BY value USING ~<~ LIMIT 6)
     UNION ALL (SELECT value, 1 FROM identifier WHERE value ~<~ $1 ORDER BY value USING ~>~ LIMIT 6)`,
    [typed.text, typed.variants],
  )
  const start = typed.text.slice(0, Math.max(SHARED_PREFIX, Math.ceil(typed.text.length / 2)))
  const near = rows.map((r) => r.value).filter((v) => typed.variants.includes(v) || v.startsWith(start))
  return [...new Set(near)].slice(0, 5)
}
