import { existsSync } from 'node:fs'
import { get } from 'node:http'
import { SERVICES } from '../apps/services.ts'
import { SIMULATOR_KEY } from '../config.ts'
import { connect, type Pool } from '../drivers/postgres/pool.ts'
import { type AppStatus, type ChannelStatus, type HubCounts, type HubStatus, readHubStatus } from '../drivers/postgres/hub-status.ts'
import { homeFolder, readInstance } from '../home.ts'
import { runningConfig } from './configuration.ts'
import { type CliContext, CliError, conclude, type Register } from './context.ts'
import { attachDatabase } from './database.ts'

export interface Status {
  ready: boolean
  /** Whether `rosh up` runs in this home, or any part of the hub on this database. */
  running: boolean
  /** What keeps it from being ready, one sentence each. */
  waiting: string[]
  urls: Record<string, string>
  /** Null while no hub runs. */
  counts: HubCounts | null
  /** Parts of the hub that showed a heartbeat on this database at any time. */
  apps: AppStatus[]
  channels: ChannelStatus[]
  erp: { readSeconds: number | null; failingSince: string | null } | null
}

/** `rosh status`: what runs where; exits 0 only when all of it is ready. */
export const registerStatus: Register = (program, context) => {
  program
    .command('status')
    .description('say what runs where; exits 0 only when all is ready')
    .option('--json', 'print one JSON object')
    .action(async (options: { json?: boolean }) => {
      const status = await readStatus(context)
      const failure = { code: status.running ? 'not-ready' : 'hub-not-running', message: status.waiting.join('; ') } as const
      const say = (): void => printStatus(status, context)
      conclude(context, options.json, { data: { ...status }, say, failure: status.ready ? undefined : failure })
    })
}

async function readStatus(context: CliContext): Promise<Status> {
  const instance = readInstance(homeFolder(context.env))
  if (!instance) return partsStatus(context)
  const [health, { counts, apps, channels, broken, ...erp }] = await Promise.all([
    Promise.all(Object.entries(instance.urls).map(([name, url]) => unhealthy(name, url))),
    ofDatabase(context),
  ])
  const waiting = [
    ...health.filter((problem) => problem !== undefined),
    ...broken,
    ...(instance.seeded === false ? ['the Monday is still being seeded'] : []),
    ...(counts.live_workers === 0 ? ['no worker has shown a heartbeat in the last 15 s'] : []),
    ...(instance.demo && counts.on_the_way > 0 ? [`${counts.on_the_way} deliveries and events are on their way`] : []),
  ]
  return { ready: waiting.length === 0, running: true, waiting, urls: instance.urls, counts, apps, channels, erp: erpOf(erp) }
}

// Where each part is a process of its own nothing says which ports they have; the database knows which of them live.
async function partsStatus(context: CliContext): Promise<Status> {
  const known = existsSync(homeFolder(context.env)) || hasValue(context.env.DATABASE_URL) || hasValue(context.env.APP_DB_HOST)
  const found = !known
    ? undefined
    : await ofDatabase(context).catch((error: unknown) => {
        if (error instanceof CliError && error.code === 'hub-not-running') return undefined
        throw error
      })
  const live = found?.apps.filter((one) => one.live).map(({ app }) => app) ?? []
  if (!found || live.length === 0) {
    const waiting = ['the hub does not run; start it with `npm start` or `rosh up`']
    return { ready: false, running: false, waiting, urls: {}, counts: null, apps: found?.apps ?? [], channels: [], erp: null }
  }
  const { counts, apps, channels, broken, ...erp } = found
  const missing = SERVICES.filter((service) => !live.includes(service))
  const waiting = [
    ...broken,
    ...missing.map((service) => `the ${service} has shown no heartbeat in the last 15 s; start it with \`rosh ${service}\``),
  ]
  return { ready: waiting.length === 0, running: true, waiting, urls: {}, counts, apps, channels, erp: erpOf(erp) }
}

const hasValue = (text: string | undefined): boolean => text !== undefined && text !== ''

const erpOf = ({ erpReadSeconds, erpFailingSince }: Pick<HubStatus, 'erpReadSeconds' | 'erpFailingSince'>): Status['erp'] => ({
  readSeconds: erpReadSeconds,
  failingSince: erpFailingSince,
})

const HEALTH: Record<string, string> = { 'meli-sim': '/admin/health', 'odoo-sim': '/admin/health' }

async function unhealthy(name: string, url: string): Promise<string | undefined> {
  const status = await statusOf(url + (HEALTH[name] ?? '/health'))
  if (status === undefined) return `${name} does not answer on ${url}`
  return status < 500 ? undefined : `${name} answers ${status} on ${url}`
}

const HEALTH_TIMEOUT_MS = 3_000

// Node's own client: loading undici for this costs more than all the rest of the command.
function statusOf(url: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const request = get(url, { headers: { 'x-admin-key': SIMULATOR_KEY }, signal: AbortSignal.timeout(HEALTH_TIMEOUT_MS), agent: false })
    request.once('response', (reply) => {
      reply.resume()
      resolve(reply.statusCode)
    })
    request.once('error', () => resolve(undefined))
  })
}

async function ofDatabase(context: CliContext): Promise<HubStatus & { broken: string[] }> {
  const config = runningConfig(context)
  const { url } = await attachDatabase(config)
  const pool = connect({ url, role: 'rosh_reader', max: 3, applicationName: 'rosh status' })
  try {
    const [status, broken] = await Promise.all([readHubStatus(pool), unbalanced(pool)])
    return { ...status, broken }
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

function printStatus({ ready, running, waiting, urls, counts, channels, erp }: Status, { print }: CliContext): void {
  print(ready ? 'ready' : 'not ready')
  for (const reason of waiting) print(`  ${reason}`)
  if (!running) return
  print('')
  for (const [name, url] of Object.entries(urls)) print(`  ${name.padEnd(12)} ${url}`)
  if (!counts || !erp) return
  print('')
  print(`  ${counts.orders} orders, ${counts.delivered} deliveries acknowledged, ${counts.on_the_way} on their first way`)
  print(`  ${counts.dead_letters} dead letters${counts.dead_letters === 0 ? '' : ': see `rosh dlq list`'}`)
  print(`  ${counts.live_workers} delivery worker${counts.live_workers === 1 ? '' : 's'} alive; ${erpSentence(erp)}`)
  print('')
  print(`  ${'channel'.padEnd(26)} ${'gate'.padEnd(16)} ${'waiting'.padStart(7)} ${'oldest'.padStart(8)} ${'dead'.padStart(6)}`)
  for (const { channel, gate, shutSeconds, waiting: waits, oldestSeconds, deadLetters } of channels) {
    const state = gate === 'open' || shutSeconds === null ? gate : `${gate} (${ageOf(shutSeconds)})`
    const oldest = oldestSeconds === null ? '-' : ageOf(oldestSeconds)
    print(
      `  ${channel.padEnd(26)} ${state.padEnd(16)} ${String(waits).padStart(7)} ${oldest.padStart(8)} ${String(deadLetters).padStart(6)}`,
    )
  }
}

function erpSentence({ readSeconds, failingSince }: NonNullable<Status['erp']>): string {
  if (failingSince !== null) return `the ERP cannot be read since ${failingSince}`
  return readSeconds === null ? 'the ERP was not read yet' : `the ERP was read ${ageOf(readSeconds)} ago`
}

/** `40 s`, `12 min`, `3 h`, `2 d`. */
function ageOf(seconds: number): string {
  if (seconds < 120) return `${Math.max(0, seconds)} s`
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} d`
}
