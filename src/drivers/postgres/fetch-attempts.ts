import type { FetchAttempts } from '../../ports/attempt-log.ts'
import type { ClaimedEvent } from '../../ports/inbox.ts'
import { grouped } from './group.ts'
import { GROUP, groupedEnds } from './outbox.ts'
import type { Pool } from './pool.ts'

interface FetchItem {
  claim: ClaimedEvent
  operation: string
}

export function postgresFetchAttempts(pool: Pool): FetchAttempts {
  const intents = grouped({ run: (items: FetchItem[]) => intendFetches(pool, items), flights: 2, ...GROUP })
  const ends = groupedEnds(pool)
  return {
    intend: (claim, operation) => intents.add({ claim, operation }),
    end: (end) => ends.add(end),
  }
}

/** Commits the intents of fetches; ends what earlier claims left open as unknown. Null: fenced. */
async function intendFetches(pool: Pool, items: FetchItem[]): Promise<(string | null)[]> {
  const { rows } = await pool.query<{ id: string; lease: string }>(
    `WITH item AS (
       SELECT * FROM jsonb_to_recordset($1::jsonb) AS i(event_id bigint, lease bigint, operation text, trace_id text)
     ), held AS MATERIALIZED (
       SELECT e.id, e.channel, i.* FROM item i JOIN inbound_event e ON e.id = i.event_id
       WHERE e.lease = i.lease AND e.state = 'pending' ORDER BY e.id FOR UPDATE OF e
     ), left_open AS (
       UPDATE attempt a SET outcome = 'unknown', error_code = 'no-answer', ended_at = hub_now(), summary = 'its worker ended before the answer'
       FROM held h WHERE a.inbound_event_id = h.id AND a.outcome IS NULL AND a.lease <> h.lease
     )
     INSERT INTO attempt (inbound_event_id, channel, purpose, operation, lease, started_at, trace_id)
     SELECT id, channel, 'fetch', operation, lease, hub_now(), trace_id FROM held RETURNING id, lease`,
    [
      JSON.stringify(
        items.map(({ claim, operation }) => ({
          event_id: claim.id,
          lease: claim.lease,
          operation,
          trace_id: claim.traceparent?.split('-')[1] ?? null,
        })),
      ),
    ],
  )
  const ids = new Map(rows.map((row) => [row.lease, row.id]))
  return items.map(({ claim }) => ids.get(claim.lease) ?? null)
}
