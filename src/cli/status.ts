import { httpClient } from '../drivers/http.ts'
import { connect, type Pool } from '../drivers/postgres/pool.ts'
import { homeFolder, readInstance, type RunningInstance } from '../home.ts'
import { attachDatabase, type CliContext, configOf, EXIT, type Register } from './context.ts'

export interface Status {
  ready: boolean
  /** What keeps it from being ready, one sentence each. */
  waiting: string[]
  urls: Record<string, string>
  counts: Record<string, number>
}

/** `rosh status`: what runs where; exits 0 only when all of it is ready. */
export const registerStatus: Register = (program, context) => {
  program
    .command('status')
    .description('say what runs where; exits 0 only when all is ready')
    .option('--json', 'print one JSON object')
    .action(async (options: { json?: boolean }) => {
      const status = await readStatus(context)
      if (options.json) context.print(JSON.stringify(status))
      else printStatus(status, context)
      process.exitCode = status.ready ? EXIT.ok : status.urls.hub === undefined ? EXIT.hubNotRunning : EXIT.failed
    })
}

async function readStatus(context: CliContext): Promise<Status> {
  const instance = readInstance(homeFolder(context.env))
  if (!instance) return { ready: false, waiting: ['the hub does not run; start it with `npm start` or `rosh up`'], urls: {}, counts: {} }
  const health = await Promise.all(Object.entries(instance.urls).map(([name, url]) => unhealthy(name, url)))
  const { counts, broken } = await readDatabase(context, instance)
  const waiting = [
    ...health.filter((problem) => problem !== undefined),
    ...broken,
    ...(instance.seeded === false ? ['the Monday is still being seeded'] : []),
    ...(counts.live_workers === 0 ? ['no worker has shown a heartbeat in the last 15 s'] : []),
    ...(instance.demo && (counts.on_the_way ?? 0) > 0 ? [`${counts.on_the_way} deliveries and events are on their way`] : []),
  ]
  return { ready: waiting.length === 0, waiting, urls: instance.urls, counts }
}

const HEALTH: Record<string, string> = { 'meli-sim': '/admin/health', 'odoo-sim': '/admin/health' }

async function unhealthy(name: string, url: string): Promise<string | undefined> {
  const client = httpClient({ origin: url, timeoutMs: 3_000 })
  try {
    const reply = await client.exchange({ method: 'GET', path: HEALTH[name] ?? '/health', headers: { 'x-admin-key': 'change-me' } })
    return reply.status < 500 ? undefined : `${name} answers ${reply.status} on ${url}`
  } catch {
    return `${name} does not answer on ${url}`
  } finally {
    await client.close()
  }
}

// First rounds only: what waits for its first send or fetch. What backs off or is dead is an incident, not a start that is still going on.
const COUNTS = `SELECT
  (SELECT count(*) FROM silver_order)::int AS orders,
  (SELECT count(*) FROM delivery WHERE state = 'delivered')::int AS delivered,
  (SELECT count(*) FROM delivery WHERE state = 'dead' AND resolved_by IS NULL AND archived_at IS NULL)::int
    + (SELECT count(*) FROM inbound_event WHERE state = 'dead' AND resolved_by IS NULL AND archived_at IS NULL)::int AS dead_letters,
  (SELECT count(*) FROM delivery WHERE state = 'pending' AND tries = 0 AND created_at > hub_now() - interval '2 minutes')::int
    + (SELECT count(*) FROM inbound_event WHERE state = 'pending' AND tries = 0 AND received_at > hub_now() - interval '2 minutes')::int AS on_the_way,
  (SELECT count(*) FROM worker_heartbeat WHERE app = 'worker' AND beat_at > hub_now() - interval '15 seconds')::int AS live_workers`

async function readDatabase(context: CliContext, instance: RunningInstance): Promise<{ counts: Record<string, number>; broken: string[] }> {
  const config = configOf(context, { demo: instance.demo })
  const { url } = await attachDatabase(config)
  const pool = connect({ url, role: 'rosh_reader', max: 1, applicationName: 'rosh status' })
  try {
    const { rows } = await pool.query<Record<string, number>>(COUNTS)
    return { counts: rows[0] ?? {}, broken: await unbalanced(pool) }
  } finally {
    await pool.end()
  }
}

/** Flows of which something taken in is not accounted for: a bug, whatever else is well. */
export async function unbalanced(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query<{ flow: string; taken: string; accounted: string }>(
    `SELECT flow, taken, accounted FROM conservation WHERE taken <> accounted ORDER BY flow`,
  )
  return rows.map(({ flow, taken, accounted }) => `conservation is broken: ${flow} took ${taken} and accounts for ${accounted}`)
}

function printStatus(status: Status, context: CliContext): void {
  context.print(status.ready ? 'ready' : 'not ready')
  for (const reason of status.waiting) context.print(`  ${reason}`)
  for (const [name, url] of Object.entries(status.urls)) context.print(`  ${name.padEnd(12)} ${url}`)
  for (const [name, count] of Object.entries(status.counts)) context.print(`  ${name.padEnd(12)} ${count}`)
}
