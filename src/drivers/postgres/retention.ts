import type { Retention, RetentionDue } from '../../ports/retention.ts'
import type { Pool } from './pool.ts'
import { retried } from './retry.ts'

/** Needs the role rosh_operator. The age is measured by the database's clock. */
export function postgresRetention(operator: Pool): Retention {
  return {
    async due(of, days) {
      const { rows } = await operator.query<RetentionDue>(
        `SELECT count(*)::int AS count, min(id)::text AS low, max(id)::text AS high FROM retention_due
         WHERE class = $1 AND since < hub_now() - make_interval(days => $2)`,
        [of, days],
      )
      return rows[0] && rows[0].count > 0 ? rows[0] : null
    },
    async letGo(of, days, { low, high }) {
      const { rows } = await retried(() =>
        operator.query<{ gone: number }>('SELECT let_go($1, hub_now() - make_interval(days => $2), $3, $4) AS gone', [of, days, low, high]),
      )
      return rows[0]?.gone ?? 0
    },
  }
}
