import { appendFileSync } from 'node:fs'
import pg from 'pg'
import type { Sample } from './sample-file.ts'

export interface SamplerOptions {
  /** The owner's login: reads every table. */
  databaseUrl: string
  /** The login of the hub's own sessions: PostgreSQL tells nobody else how old their transactions are. */
  hubUrl: string
  /** JSON lines are appended here; their shape is that of `sample-file.ts`. */
  file: string
  everyMs?: number
}

export interface Sampler {
  /** Samples once more, now. */
  sample(): Promise<void>
  stop(): Promise<void>
}

/** Names that the hub's transactions are told apart from. */
const WATCHERS = ['ledger sampler', 'ledger auditor']
const NOW = `statement_timestamp() + (SELECT shift FROM hub_clock)`

// What became of each order that was read from the ERP; null: it was decided nowhere, or is not planned at each channel of its route.
const ERP_ORDERS = `
  SELECT CASE
      WHEN q.erp_id IS NOT NULL THEN 'quarantined'
      WHEN NOT s.confirmed OR s.lifecycle = 'cancelled' THEN 'nothing owed'
      WHEN jsonb_array_length(s.route -> 'channels') = 0 THEN 'not routed'
      WHEN jsonb_array_length(s.route -> 'channels') = (
        SELECT count(DISTINCT b.channel) FROM binding b
        WHERE b.order_id = s.id AND b.kind = 'order' AND b.next_version > 1 AND s.route -> 'channels' ? b.channel) THEN 'planned'
    END AS told
  FROM (SELECT DISTINCT order_id FROM observation WHERE channel = 'odoo' AND entity = 'order') seen
  JOIN silver_order s ON s.id = seen.order_id AND s.origin = 'odoo'
  FULL JOIN (SELECT DISTINCT erp_id FROM erp_quarantine WHERE resolved_at IS NULL) q ON q.erp_id = s.order_key`
// One statement each, so one snapshot each. Base tables only.
const SUMS = `
  SELECT ${NOW} AS at,
    (SELECT json_build_object('accepted', count(*), 'accounted', count(*) FILTER (WHERE EXISTS (SELECT FROM inbound_event e WHERE e.request_id = r.id)))
     FROM inbound_request r WHERE verdict IN ('accepted', 'conflict')) AS inbound,
    (SELECT json_build_object('observed', count(*), 'planned', count(*) FILTER (WHERE told = 'planned'),
       'nothingOwed', count(*) FILTER (WHERE told = 'nothing owed'), 'notRouted', count(*) FILTER (WHERE told = 'not routed'),
       'quarantined', count(*) FILTER (WHERE told = 'quarantined')) FROM (${ERP_ORDERS}) erp) AS erp,
    (SELECT json_build_object('planned', (SELECT coalesce(sum(next_version - 1), 0)::bigint FROM binding), 'delivered', count(*) FILTER (WHERE state = 'delivered'),
       'superseded', count(*) FILTER (WHERE state = 'superseded'), 'pending', count(*) FILTER (WHERE state = 'pending'),
       'ambiguous', count(*) FILTER (WHERE state = 'ambiguous'), 'dead', count(*) FILTER (WHERE state = 'dead')) FROM delivery) AS deliveries`
const CHANNELS = `
  SELECT ${NOW} AS at, c.id, c.circuit_opened_at AS "circuitOpenedAt", c.paused_at AS "pausedAt", c.limited_until AS "limitedUntil",
    (SELECT count(*)::int FROM delivery d WHERE d.channel = c.id AND d.state = 'delivered') AS delivered,
    (SELECT count(*)::int FROM delivery d WHERE d.channel = c.id AND d.state IN ('pending', 'ambiguous') AND d.due_at < ${NOW}) AS due
  FROM channel c ORDER BY c.id`
const LEASES = `
  SELECT ${NOW} AS at, id::text AS delivery, lease::text AS lease FROM delivery WHERE lease IS NOT NULL AND lease_until > ${NOW}`
const SESSIONS = `
  SELECT pid, application_name AS application, state,
    (extract(epoch FROM clock_timestamp() - xact_start) * 1000)::float8 AS "transactionMs", left(query, 120) AS query
  FROM pg_stat_activity
  WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid() AND application_name <> ALL($1::text[])`

/** Writes what no later look at the tables can tell: how old transactions are, the sums in any snapshot, who holds which lease. */
export async function startSampler({ databaseUrl, hubUrl, file, everyMs = 1_000 }: SamplerOptions): Promise<Sampler> {
  const connect = async (connectionString: string): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString, application_name: 'ledger sampler', connectionTimeoutMillis: 10_000 })
    client.on('error', () => {}) // a server that restarts under the sampler is part of some scenarios
    await client.connect()
    return client
  }
  let clients: [pg.Client, pg.Client] | null = [await connect(databaseUrl), await connect(hubUrl)]
  const write = (line: Sample): void => appendFileSync(file, `${JSON.stringify(line)}\n`)
  const sample = async (): Promise<void> => {
    try {
      clients ??= [await connect(databaseUrl), await connect(hubUrl)]
      for (const line of await read(...clients)) write(line)
    } catch (error) {
      // It goes on with new connections; that it could not look is in the file.
      await Promise.allSettled(clients?.map((client) => client.end()) ?? [])
      clients = null
      write({ kind: 'blind', at: new Date().toISOString(), why: error instanceof Error ? error.message : String(error) })
    }
  }
  let running = sample()
  const timer = setInterval(() => {
    running = running.then(sample)
  }, everyMs)
  return {
    sample: () => (running = running.then(sample)),
    async stop() {
      clearInterval(timer)
      await (running = running.then(sample))
      await Promise.allSettled(clients?.map((client) => client.end()) ?? [])
    },
  }
}

interface At {
  at: Date
}

async function read(owner: pg.Client, hub: pg.Client): Promise<Sample[]> {
  // The sessions first: the sampler's own statements must not be what it finds waiting.
  const sessions = (await hub.query<Extract<Sample, { kind: 'sessions' }>['sessions'][number]>(SESSIONS, [WATCHERS])).rows
  const seenAt = new Date().toISOString()
  const sums = (await owner.query<At & Pick<Extract<Sample, { kind: 'sums' }>, 'inbound' | 'erp' | 'deliveries'>>(SUMS)).rows[0]
  const channels = (
    await owner.query<
      At & { id: string; delivered: number; due: number } & Record<'circuitOpenedAt' | 'pausedAt' | 'limitedUntil', Date | null>
    >(CHANNELS)
  ).rows
  const leases = (await owner.query<At & { delivery: string; lease: string }>(LEASES)).rows
  if (!sums) throw new Error('no sums')
  // Each by the instant of its own statement: what happened between two of them must not seem to have come before.
  const at = sums.at.toISOString()
  const iso = (time: Date | null): string | null => time?.toISOString() ?? null
  return [
    { kind: 'sessions', at: seenAt, sessions },
    { kind: 'sums', at, inbound: sums.inbound, erp: sums.erp, deliveries: sums.deliveries },
    {
      kind: 'channels',
      at: channels[0]?.at.toISOString() ?? at,
      channels: channels.map(({ id, delivered, due, circuitOpenedAt, pausedAt, limitedUntil }) => ({
        id,
        delivered,
        due,
        circuitOpenedAt: iso(circuitOpenedAt),
        pausedAt: iso(pausedAt),
        limitedUntil: iso(limitedUntil),
      })),
    },
    { kind: 'leases', at: leases[0]?.at.toISOString() ?? at, leases: leases.map(({ delivery, lease }) => ({ delivery, lease })) },
  ]
}
