import type { FetchAttempts } from '../../ports/attempt-log.ts'
import { endAttempts } from './outbox-intent.ts'
import type { Pool } from './pool.ts'

export function postgresFetchAttempts(pool: Pool): FetchAttempts {
  return {
    async intend(claim, operation) {
      const { rows } = await pool.query<{ id: string }>(
        `WITH held AS MATERIALIZED (
           SELECT id, channel FROM inbound_event WHERE id = $1 AND lease = $2 AND state = 'pending' FOR UPDATE
         ), left_open AS (
           UPDATE attempt SET outcome = 'unknown', error_code = 'no-answer', ended_at = hub_now(), summary = 'its worker ended before the answer'
           WHERE inbound_event_id = (SELECT id FROM held) AND outcome IS NULL AND lease <> $2
         )
         INSERT INTO attempt (inbound_event_id, channel, purpose, operation, lease, started_at, trace_id)
         SELECT id, channel, 'fetch', $3, $2, hub_now(), $4 FROM held RETURNING id`,
        [claim.id, claim.lease, operation, claim.traceparent?.split('-')[1] ?? null],
      )
      return rows[0]?.id ?? null
    },
    end: (end) => endAttempts(pool, [end]),
  }
}
