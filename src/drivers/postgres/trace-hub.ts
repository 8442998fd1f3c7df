import type { ChannelFact, CursorFact, OrderFacts, WorkerFact } from '../../core/order-facts.ts'
import type { Pool } from './pool.ts'
import { prepared } from './prepared.ts'

/** The hub's clock, its channels with their gates, its live processes and its cursors. */
export async function readHub(pool: Pool): Promise<Pick<OrderFacts, 'at' | 'channels' | 'workers' | 'cursors'>> {
  const [gates, processes] = await Promise.all([readGates(pool), readProcesses(pool)])
  return { ...gates, ...processes }
}

type Gate = ChannelFact & { at: string }

async function readGates(pool: Pool): Promise<Pick<OrderFacts, 'at' | 'channels'>> {
  const rows = await prepared<Omit<Gate, 'id'> & { id: string | null }>(
    pool,
    'gates',
    `SELECT h.at, c.id, c.marketplace, c.enabled, c.paused_at AS "pausedAt", c.pause_cause AS "pauseCause", c.circuit_opened_at AS "circuitOpenedAt",
            c.probe_at AS "probeAt", c.limited_until AS "limitedUntil",
            (SELECT count(*)::int FROM (SELECT FROM delivery d WHERE d.channel = c.id AND d.state = 'delivered' AND d.ended_at > h.at - interval '10 minutes' LIMIT 2000) t) AS "recentlyDelivered"
     FROM (SELECT hub_now() AS at) h LEFT JOIN channel c ON true ORDER BY c.id LIMIT 200`,
    [],
  )
  const channels = rows.flatMap(({ at: _at, id, ...rest }) => (id === null ? [] : [{ id, ...rest }]))
  return { at: rows[0]?.at ?? '', channels }
}

type Process = WorkerFact & CursorFact & { isCursor: boolean }

async function readProcesses(pool: Pool): Promise<Pick<OrderFacts, 'workers' | 'cursors'>> {
  const rows = await prepared<Process>(
    pool,
    'processes',
    `(SELECT false AS "isCursor", app, max(beat_at) AS "beatAt", NULL AS name, NULL AS watermark, NULL::timestamptz AS "movedAt", NULL::timestamptz AS "triedAt",
             NULL::timestamptz AS "failedSince", NULL AS "failureCode"
      FROM worker_heartbeat GROUP BY app ORDER BY app LIMIT 50)
     UNION ALL
     (SELECT true, NULL, NULL, name, coalesce(position ->> 'watermark', position #>> '{}'), moved_at, tried_at, failed_since, failure ->> 'code' FROM cursor ORDER BY name LIMIT 100)`,
    [],
  )
  return {
    workers: rows.flatMap(({ isCursor, app, beatAt }) => (isCursor ? [] : [{ app, beatAt }])),
    cursors: rows.flatMap(({ isCursor, name, watermark, movedAt, triedAt, failedSince, failureCode }) =>
      isCursor ? [{ name, watermark, movedAt, triedAt, failedSince, failureCode }] : [],
    ),
  }
}
