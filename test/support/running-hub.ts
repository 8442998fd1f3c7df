import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startMeliSim } from '../../simulators/meli-sim/meli-sim.ts'
import { startOdooSim } from '../../simulators/odoo-sim/odoo-sim.ts'
import { startParisMock } from '../../simulators/paris-mock/paris-mock.ts'
import { SERVICES, type Service } from '../../src/apps/services.ts'
import { runService } from '../../src/apps/up.ts'
import { assemble, type Hub, type Seams } from '../../src/assembly.ts'
import { connectSimulatedAccounts } from '../../src/cli/simulated-accounts.ts'
import { listenForWebhooks } from '../../src/cli/listen.ts'
import { loadConfig } from '../../src/config.ts'
import { connect, type Pool } from '../../src/drivers/postgres/pool.ts'
import type { Log } from '../../src/supervise.ts'
import { cloneDatabase, type TestDatabase } from './database.ts'

export interface RunningHub {
  hub: Hub
  database: TestDatabase
  /** The owner's pool: looks at anything, moves the hub's clock. */
  owner: Pool
  webhooks: string
  home: string
  /** The variables it was configured by: another process given them is a part of the same hub. */
  env: Record<string, string>
  ledgers: { odoo: string; meli: string; paris: string }
  /** Calls a simulator's admin API; throws its words when it refuses. */
  odoo(method: string, path: string, body?: unknown): Promise<unknown>
  meli(method: string, path: string, body?: unknown): Promise<unknown>
  paris(method: string, path: string, body?: unknown): Promise<unknown>
  /** Stops the services and leaves the rest as it is. */
  halt(): Promise<void>
  /** Stops and starts the services, as a restart would. */
  restart(): Promise<void>
  /** MercadoLibre goes away: nothing listens on its port any more. */
  stopMeli(): Promise<void>
  stop(): Promise<void>
}

export interface HubOptions {
  services?: readonly Service[]
  yaml?: string
  env?: Record<string, string>
  seams?: Seams
  /** Told what the services log as errors: bugs, since a failure of another system is none. */
  onError?: (fields: Record<string, unknown>, message: string) => void
  odooVersion?: 14 | 19
  /** In place of a log that keeps quiet. */
  log?: Log
  /** What stands between the hub and a system: is told the system's port and answers the one that the hub shall use. */
  between?: Partial<Record<Between, (port: number) => Promise<number>>>
  /** Clones the hub's database; default: on the run's server. */
  database?: () => Promise<TestDatabase>
  /** The hub as its services and its listener get it. */
  altered?: (hub: Hub) => Hub
}

export type Between = 'odoo' | 'meli' | 'paris' | 'postgres'

/** Two MercadoLibre accounts and Paris, a rule for each team. */
export const ACCOUNTS_AND_RULES = `
mercadolibre: { accounts: ['1001', '1002'] }
taxMode: { kind: price-included-tax, taxId: 2 }
collectOverlapSeconds: 60
backoffScale: 0.02
routing:
  - { name: first account, when: { team: MercadoLibre }, to: ['mercadolibre:1001'] }
  - { name: paris, when: { team: Paris }, to: [paris] }
  - { name: web stays, when: { team: Web }, to: [] }
`

/** The same, quick enough for a test. */
export const HUB_YAML = `${ACCOUNTS_AND_RULES}
compareAfterSeconds: 1
channels:
  odoo: { timing: { timeoutMs: 5000, marginMs: 1000, settleMs: 1000, leaseMs: 8000 } }
  'mercadolibre:1001': { timing: { timeoutMs: 2000, marginMs: 1000, settleMs: 1000, leaseMs: 4000 } }
  'mercadolibre:1002': { timing: { timeoutMs: 2000, marginMs: 1000, settleMs: 1000, leaseMs: 4000 } }
  'paris:main': { timing: { timeoutMs: 2000, marginMs: 1000, settleMs: 1000, leaseMs: 4000 } }
`

/** The whole hub on real simulators and a database of its own, all on free ports, in this process. */
export async function startHub(options: HubOptions = {}): Promise<RunningHub> {
  const home = await mkdtemp(join(tmpdir(), 'rosh-e2e-'))
  const ledger = (name: string): string => join(home, `${name}.ledger.jsonl`)
  await writeFile(join(home, 'hub.yaml'), options.yaml ?? HUB_YAML)
  const odoo = await startOdooSim({ ledgerPath: ledger('odoo-sim'), port: 0, version: options.odooVersion ?? 19 })
  const meli = await startMeliSim({ ledgerPath: ledger('meli-sim') })
  const paris = await startParisMock({ ledgerPath: ledger('paris-mock') })
  const { url, ...database } = await (options.database ?? cloneDatabase)()
  const via = async (name: Between, port: number): Promise<string> => String((await options.between?.[name]?.(port)) ?? port)
  const hubUrl = new URL(url)
  hubUrl.port = await via('postgres', Number(hubUrl.port))
  const env = {
    ODOO_SIM_PORT: await via('odoo', odoo.port),
    MELI_SIM_PORT: await via('meli', meli.port),
    PARIS_MOCK_PORT: await via('paris', paris.port),
    OUTBOX_POLL_INTERVAL_SECONDS: '0.3',
    RECONCILER_INTERVAL_SECONDS: '1',
  }
  const variables = {
    ROSH_HOME: home,
    ROSH_CONFIG: join(home, 'hub.yaml'),
    DATABASE_URL: hubUrl.href,
    HTTP_PORT: '0',
    ...env,
    ...options.env,
  }
  const config = loadConfig(variables, { demo: false })
  const owner = connect({ url: database.migratorUrl, role: null, max: 3, applicationName: 'test owner' })
  const quiet = { info: () => {}, warn: () => {}, error: options.onError ?? (() => {}) }
  let stopping = new AbortController()
  let running: Promise<unknown> = Promise.resolve()
  let meliClosed: Promise<void> | undefined
  const stopMeli = (): Promise<void> => (meliClosed ??= meli.close())
  const start = (hub: Hub): void => {
    stopping = new AbortController()
    running = Promise.all((options.services ?? SERVICES).map((service) => runService(service, hub, stopping.signal)))
  }
  const halt = async (): Promise<void> => {
    stopping.abort()
    await running
  }
  const assembled = await assemble(config, hubUrl.href, options.log ?? quiet, options.seams)
  const hub = options.altered?.(assembled) ?? assembled
  const server = await listenForWebhooks(hub, 0)
  const callbacks = callbacksOf(config, server.url)
  await admin(meli.url, 'PUT', '/admin/callback', { url: callbacks.meli })
  await admin(paris.url, 'PUT', '/admin/webhooks', { secret: config.paris.apiSecret.reveal() })
  await admin(paris.url, 'POST', '/webhooks/register', { url: callbacks.paris })
  await connectSimulatedAccounts(hub, () => {})
  start(hub)
  return {
    hub,
    database: { ...database, url: hubUrl.href },
    owner,
    webhooks: server.url,
    home,
    env: variables,
    ledgers: { odoo: ledger('odoo-sim'), meli: ledger('meli-sim'), paris: ledger('paris-mock') },
    odoo: (method, path, body) => admin(odoo.url, method, path, body),
    meli: (method, path, body) => admin(meli.url, method, path, body),
    paris: (method, path, body) => admin(paris.url, method, path, body),
    halt,
    async restart() {
      await halt()
      start(hub)
    },
    stopMeli,
    async stop() {
      await halt()
      await server.close()
      await hub.close()
      await owner.end()
      await Promise.all([odoo.close(), stopMeli(), paris.close()])
      await database.drop()
      await rm(home, { recursive: true, force: true })
    },
  }
}

function callbacksOf(config: ReturnType<typeof loadConfig>, url: string): { meli: string; paris: string } {
  return { meli: `${url}/webhooks/mercadolibre/${config.mercadolibre.pathSecret.reveal()}`, paris: `${url}/webhooks/paris` }
}

async function admin(origin: string, method: string, path: string, body?: unknown): Promise<unknown> {
  const reply = await fetch(origin + path, {
    method,
    headers: { 'content-type': 'application/json', 'x-admin-key': 'change-me', 'x-api-key': 'change-me' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await reply.text()
  if (!reply.ok) throw new Error(`${method} ${path} answered ${reply.status}: ${text}`)
  return text === '' ? null : JSON.parse(text)
}

/** Waits until `condition` answers something true; fails with the last answer after `forMs`. */
export async function until<T>(condition: () => Promise<T>, forMs = 20_000): Promise<NonNullable<T>> {
  const end = Date.now() + forMs
  for (;;) {
    const answer = await condition()
    if (answer) return answer
    if (Date.now() > end) throw new Error(`still ${JSON.stringify(answer)} after ${forMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
