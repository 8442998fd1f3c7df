import type { Pool } from './pool.ts'

export interface HubCounts {
  orders: number
  delivered: number
  dead_letters: number
  /** First rounds only: what backs off is an incident, not a start that is still going on. */
  on_the_way: number
  live_workers: number
}

/** What one kind of process says of itself, however many of it run. */
export interface AppStatus {
  app: string
  /** Whether one of them showed a heartbeat in the last 15 s. */
  live: boolean
}

export interface ChannelStatus {
  channel: string
  /** In words: `open`, or why nothing is sent there now. */
  gate: string
  /** Seconds since the gate shut; null while it is open. */
  shutSeconds: number | null
  /** Deliveries and inbound events that are due or wait for their next try. */
  waiting: number
  /** Seconds since the oldest of them came. */
  oldestSeconds: number | null
  deadLetters: number
}

export interface HubStatus {
  counts: HubCounts
  apps: AppStatus[]
  channels: ChannelStatus[]
  /** Seconds since the ERP was read to its end; null before the first time. */
  erpReadSeconds: number | null
  /** Since when reading it fails; null while it does not. */
  erpFailingSince: string | null
}

/** What a person wants to know of a running hub at a glance. Needs the role rosh_reader. */
export async function readHubStatus(pool: Pool): Promise<HubStatus> {
  const [counts, apps, channels, erp] = await Promise.all([
    pool.query<HubCounts>(COUNTS),
    pool.query<AppStatus>(APPS),
    pool.query<ChannelStatus>(CHANNELS),
    pool.query<{ seconds: number | null; failing: string | null }>(ERP),
  ])
  const none = { orders: 0, delivered: 0, dead_letters: 0, on_the_way: 0, live_workers: 0 }
  return {
    counts: counts.rows[0] ?? none,
    apps: apps.rows,
    channels: channels.rows,
    erpReadSeconds: erp.rows[0]?.seconds ?? null,
    erpFailingSince: erp.rows[0]?.failing ?? null,
  }
}

const COUNTS = `SELECT
  (SELECT count(*) FROM silver_order)::int AS orders,
  (SELECT count(*) FROM delivery WHERE state = 'delivered')::int AS delivered,
  (SELECT count(*) FROM delivery WHERE state = 'dead' AND resolved_by IS NULL AND archived_at IS NULL)::int
    + (SELECT count(*) FROM inbound_event WHERE state = 'dead' AND resolved_by IS NULL AND archived_at IS NULL)::int AS dead_letters,
  (SELECT count(*) FROM delivery WHERE state = 'pending' AND tries = 0 AND created_at > hub_now() - interval '2 minutes')::int
    + (SELECT count(*) FROM inbound_event WHERE state = 'pending' AND tries = 0 AND received_at > hub_now() - interval '2 minutes')::int AS on_the_way,
  (SELECT count(*) FROM worker_heartbeat WHERE app = 'worker' AND beat_at > hub_now() - interval '15 seconds')::int AS live_workers`

const APPS = `SELECT app, bool_or(beat_at > hub_now() - interval '15 seconds') AS live FROM worker_heartbeat GROUP BY app ORDER BY app`

// The gate in the order in which a claim looks at it.
const CHANNELS = `
  SELECT c.id AS channel,
    CASE WHEN NOT c.enabled THEN 'disabled' WHEN c.paused_at IS NOT NULL THEN 'paused: ' || c.pause_cause
      WHEN c.circuit_opened_at IS NOT NULL THEN 'not answering' WHEN c.limited_until > hub_now() THEN 'rate limited' ELSE 'open' END AS gate,
    extract(epoch FROM hub_now() - coalesce(c.paused_at, c.circuit_opened_at))::int AS "shutSeconds",
    (d.waiting + i.waiting)::int AS waiting,
    extract(epoch FROM hub_now() - least(d.oldest, i.oldest))::int AS "oldestSeconds",
    (d.dead + i.dead)::int AS "deadLetters"
  FROM channel c,
    LATERAL (SELECT count(*) FILTER (WHERE state <> 'dead') AS waiting, min(created_at) FILTER (WHERE state <> 'dead') AS oldest,
        count(*) FILTER (WHERE state = 'dead') AS dead
      FROM delivery WHERE channel = c.id AND (state IN ('pending', 'ambiguous') OR (state = 'dead' AND resolved_by IS NULL AND archived_at IS NULL))) d,
    LATERAL (SELECT count(*) FILTER (WHERE state <> 'dead') AS waiting, min(received_at) FILTER (WHERE state <> 'dead') AS oldest,
        count(*) FILTER (WHERE state = 'dead') AS dead
      FROM inbound_event WHERE channel = c.id AND (state = 'pending' OR (state = 'dead' AND resolved_by IS NULL AND archived_at IS NULL))) i
  WHERE c.enabled OR d.waiting + i.waiting + d.dead + i.dead > 0
  ORDER BY c.id`

const ERP = `SELECT extract(epoch FROM hub_now() - moved_at)::int AS seconds, failed_since AS failing FROM cursor WHERE name = 'erp-orders'`
