import type { FailedOrder, FailedOrders } from '../../ports/failed-orders.ts'
import type { Pool } from './pool.ts'

/** Desired against observed, in both directions; every part is an index of its own, and bounded. */
export function postgresFailedOrders(pool: Pool): FailedOrders {
  return {
    async list({ marketplace, since }, limit) {
      const { rows } = await pool.query<FailedOrder & { total: number; byCause: Record<string, number> }>(FAILED, [
        marketplace,
        since.kind === 'instant' ? since.iso : null,
        since.kind === 'window' ? since.ms : null,
        limit,
      ])
      return {
        orders: rows.map(({ total: _total, byCause: _byCause, ...order }) => order),
        total: rows[0]?.total ?? 0,
        byCause: rows[0]?.byCause ?? {},
      }
    },
  }
}

// Late: due for over a minute, or failed before. Why it is late stands on its channel before it stands on the delivery.
const FAILED = `
  WITH bound AS (
    SELECT coalesce($2::timestamptz, hub_now() - $3::float8 * interval '1 ms') AS since
  ), wanted AS MATERIALIZED (
    SELECT c.*, CASE WHEN paused_at IS NOT NULL THEN coalesce(pause_cause, 'channel-paused') WHEN NOT enabled OR circuit_opened_at IS NOT NULL THEN 'channel-paused'
                     WHEN limited_until > hub_now() THEN 'rate-limited' END AS gate
    FROM channel c WHERE $1::text IS NULL OR id = $1 OR marketplace = $1
  ), alive AS (
    SELECT EXISTS (SELECT FROM worker_heartbeat WHERE app = 'worker' AND beat_at > hub_now() - interval '30 s') AS worker
  ), part AS (
    (SELECT d.order_id, NULL::text AS known, d.channel, coalesce(d.cause, 'attempts-exhausted') AS cause, 'dead' AS state, d.ended_at AS since, 'outbox-' || d.id AS letter, d.summary
     FROM wanted w JOIN delivery d ON d.channel = w.id, bound
     WHERE d.state = 'dead' AND d.resolved_by IS NULL AND d.archived_at IS NULL AND d.kind = 'order' AND d.ended_at >= bound.since
     ORDER BY d.ended_at DESC LIMIT 1000)
    UNION ALL
    (SELECT d.order_id, NULL, d.channel,
            CASE WHEN d.cause = 'poison' THEN 'poison' WHEN w.gate IS NOT NULL THEN w.gate WHEN d.due_at <= hub_now() AND NOT alive.worker THEN 'worker-down'
                 WHEN d.state = 'ambiguous' THEN 'ambiguous-outcome' WHEN d.due_at > hub_now() THEN coalesce(d.cause, 'backing-off') ELSE 'queued' END,
            'late', d.created_at, NULL, d.summary
     FROM wanted w JOIN delivery d ON d.channel = w.id, bound, alive
     WHERE d.state IN ('pending', 'ambiguous') AND d.kind = 'order' AND d.created_at >= bound.since AND (d.tries > 0 OR d.due_at < hub_now() - interval '1 minute')
       AND (d.lease_until IS NULL OR d.lease_until <= hub_now())
     ORDER BY d.due_at LIMIT 1000)
    UNION ALL
    (SELECT e.order_id, e.order_key, e.channel, coalesce(e.cause, 'inbound-dead'), 'dead', e.ended_at, 'inbound-' || e.id, e.summary
     FROM wanted w JOIN inbound_event e ON e.channel = w.id, bound
     WHERE e.state = 'dead' AND e.resolved_by IS NULL AND e.archived_at IS NULL AND e.ended_at >= bound.since
     ORDER BY e.ended_at DESC LIMIT 1000)
    UNION ALL
    (SELECT NULL, q.erp_name, 'odoo', q.cause, 'quarantined', q.found_at, NULL, 'field ' || q.field || ': ' || q.problem
     FROM erp_quarantine q, bound WHERE q.resolved_at IS NULL AND q.seen_at >= bound.since -- it may be owed to any marketplace
     ORDER BY q.id DESC LIMIT 1000)
    UNION ALL
    (SELECT b.order_id, b.reference, b.channel, 'delivered-then-missing', 'missing', b.missing_since, NULL, NULL
     FROM wanted w JOIN binding b ON b.channel = w.id, bound WHERE b.kind = 'order' AND b.missing_since >= bound.since
     ORDER BY b.missing_since DESC LIMIT 1000)
  ), counted AS (
    SELECT (SELECT count(*)::int FROM part) AS total, (SELECT coalesce(jsonb_object_agg(cause, n), '{}') FROM (SELECT cause, count(*) AS n FROM part GROUP BY cause) c) AS by_cause
  )
  SELECT p.order_id AS "orderId", coalesce(best_known(p.order_id), p.known, p.letter, '?') AS known, p.channel AS target, p.cause, p.state, p.since,
         p.letter AS "deadLetter", p.summary, counted.total, counted.by_cause AS "byCause"
  FROM (SELECT * FROM part ORDER BY since DESC, letter DESC LIMIT $4) p, counted ORDER BY p.since DESC, p.letter DESC`
