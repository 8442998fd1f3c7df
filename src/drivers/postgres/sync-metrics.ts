import type { SlaRow, SyncMetrics } from '../../ports/sync-metrics.ts'
import type { Pool } from './pool.ts'

/** Sync metrics from the operational tables: exact, over an index on the ends of deliveries. */
export function postgresSyncMetrics(pool: Pool): SyncMetrics {
  return {
    async sla(marketplace, windowMs) {
      const { rows } = await pool.query<SlaRow>(SLA, [marketplace, windowMs])
      return rows
    },
  }
}

const SLA = `
  WITH ended AS MATERIALIZED (
    SELECT c.marketplace, true AS ok, extract(epoch FROM d.ended_at - d.created_at)::float8 AS seconds
    FROM channel c JOIN delivery d ON d.channel = c.id AND d.state = 'delivered' AND d.ended_at > hub_now() - $2::float8 * interval '1 ms' AND d.kind = 'order'
    WHERE $1::text IS NULL OR c.marketplace = $1 OR c.id = $1
    UNION ALL
    SELECT c.marketplace, false, NULL
    FROM channel c JOIN delivery d ON d.channel = c.id AND d.state = 'dead' AND d.ended_at > hub_now() - $2::float8 * interval '1 ms' AND d.kind = 'order'
      AND d.resolved_by IS NULL
    WHERE $1::text IS NULL OR c.marketplace = $1 OR c.id = $1
  )
  SELECT coalesce(marketplace, 'all') AS marketplace, count(*) FILTER (WHERE ok)::int AS "totalSynced", count(*) FILTER (WHERE NOT ok)::int AS dead,
         avg(seconds)::float8 AS "avgSeconds",
         percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds)::float8 AS "p50Seconds",
         percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds)::float8 AS "p95Seconds",
         percentile_cont(0.99) WITHIN GROUP (ORDER BY seconds)::float8 AS "p99Seconds"
  FROM ended GROUP BY GROUPING SETS ((), (marketplace)) ORDER BY grouping(marketplace) DESC, 1`
