import { createHash } from 'node:crypto'
import { outboxIdOf } from '../../core/identifier.ts'
import type { DeadLetter, DeadLetterFilter, DeadLetterList, Depth } from '../../ports/dead-letters.ts'
import type { Pool, PoolClient } from './pool.ts'

// The open dead letters of both directions. A stock delivery has no order; an event may have none yet.
const OPEN = `
  SELECT 'delivery' AS "table", d.id, d.order_id, d.channel, coalesce(d.cause, 'attempts-exhausted') AS cause, d.summary, d.tries, d.ended_at AS died_at, d.state_version
  FROM delivery d WHERE d.state = 'dead' AND d.resolved_by IS NULL AND d.archived_at IS NULL
  UNION ALL
  SELECT 'inbound_event', e.id, e.order_id, e.channel, coalesce(e.cause, 'inbound-dead'), e.summary, e.tries, e.ended_at, e.state_version
  FROM inbound_event e WHERE e.state = 'dead' AND e.resolved_by IS NULL AND e.archived_at IS NULL`

interface DepthRow {
  at: string
  target: string | null
  cause: string | null
  count: number
  orders: number
  oldest: string | null
}

export async function readDepth(pool: Pool): Promise<Depth> {
  const { rows } = await pool.query<DepthRow>(
    `SELECT hub_now() AS at, channel AS target, cause, count(*)::int AS count, count(DISTINCT order_id)::int AS orders, min(died_at) AS oldest
     FROM (${OPEN}) l GROUP BY GROUPING SETS ((), (channel), (cause)) ORDER BY count(*) DESC, 2, 3`,
  )
  const total = rows.find((r) => r.target === null && r.cause === null)
  return {
    deadLetters: total?.count ?? 0,
    orders: total?.orders ?? 0,
    oldestAt: total?.oldest ?? null,
    at: total?.at ?? '',
    byTarget: rows.flatMap((r) =>
      r.target === null ? [] : [{ target: r.target, count: r.count, orders: r.orders, oldestAt: r.oldest ?? r.at }],
    ),
    byCause: rows.flatMap((r) => (r.cause === null ? [] : [{ cause: r.cause, count: r.count, oldestAt: r.oldest ?? r.at }])),
  }
}

/** Oldest first; the snapshot covers what is listed. Inside a transaction it sees what that transaction sees. */
export async function listDeadLetters(client: Pool | PoolClient, filter: DeadLetterFilter, limit: number): Promise<DeadLetterList> {
  const { rows } = await client.query<DeadLetter & { total: number; sinceIso: string | null }>(
    `WITH bound AS (
       SELECT coalesce($3::timestamptz, hub_now() - $4::float8 * interval '1 ms') AS since
     ), hit AS (
       SELECT l.*, count(*) OVER ()::int AS total FROM (${OPEN}) l, bound
       WHERE ($1::text IS NULL OR l.channel IN (SELECT id FROM channel WHERE id = $1 OR marketplace = $1))
         AND ($2::text IS NULL OR l.cause = $2) AND (bound.since IS NULL OR l.died_at >= bound.since)
       ORDER BY l.died_at, l."table", l.id LIMIT $5
     )
     SELECT h."table", h.id, h.order_id AS "orderId", h.channel, h.cause, h.summary, h.tries, h.died_at AS "diedAt", h.state_version::int AS "stateVersion", h.total,
            bound.since AS "sinceIso", best_known(h.order_id) AS known
     FROM hit h, bound ORDER BY h.died_at, h."table", h.id`,
    [
      filter.marketplace,
      filter.cause,
      filter.since?.kind === 'instant' ? filter.since.iso : null,
      filter.since?.kind === 'window' ? filter.since.ms : null,
      limit,
    ],
  )
  const letters = rows.map(({ total: _total, sinceIso: _since, ...letter }) => letter)
  return { letters, total: rows[0]?.total ?? 0, snapshot: snapshotOf(letters), sinceIso: rows[0]?.sinceIso ?? null }
}

function snapshotOf(letters: readonly DeadLetter[]): string {
  const lines = letters.map((l) => `${outboxIdOf(l.table, l.id)}@${l.stateVersion}`).sort()
  return createHash('sha256').update(lines.join('\n')).digest('hex')
}
