import type { ChannelFact, CursorFact, WorkerFact } from '../../core/order-facts.ts'
import type { Pool } from './pool.ts'

export async function readClock(pool: Pool): Promise<string> {
  const { rows } = await pool.query<{ at: string }>(`SELECT hub_now() AS at`)
  return rows[0]?.at ?? new Date(0).toISOString()
}

export async function readChannels(pool: Pool): Promise<ChannelFact[]> {
  const { rows } = await pool.query<ChannelFact>(
    `SELECT c.id, c.marketplace, c.enabled, c.paused_at AS "pausedAt", c.pause_cause AS "pauseCause", c.circuit_opened_at AS "circuitOpenedAt",
            c.probe_at AS "probeAt", c.limited_until AS "limitedUntil",
            (SELECT count(*)::int FROM (SELECT FROM delivery d WHERE d.channel = c.id AND d.state = 'delivered' AND d.ended_at > hub_now() - interval '10 minutes' LIMIT 2000) t) AS "recentlyDelivered"
     FROM channel c ORDER BY c.id LIMIT 200`,
  )
  return rows
}

export async function readWorkers(pool: Pool): Promise<WorkerFact[]> {
  const { rows } = await pool.query<WorkerFact>(
    `SELECT app, max(beat_at) AS "beatAt" FROM worker_heartbeat GROUP BY app ORDER BY app LIMIT 50`,
  )
  return rows
}

export async function readCursors(pool: Pool): Promise<CursorFact[]> {
  const { rows } = await pool.query<CursorFact>(
    `SELECT name, coalesce(position ->> 'watermark', position #>> '{}') AS watermark, moved_at AS "movedAt", tried_at AS "triedAt", failed_since AS "failedSince",
            failure ->> 'code' AS "failureCode"
     FROM cursor ORDER BY name LIMIT 100`,
  )
  return rows
}
