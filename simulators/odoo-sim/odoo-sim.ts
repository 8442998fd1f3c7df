import type { FastifyRequest } from 'fastify'
import { createSimulator, readJson, sha256 } from '../server.ts'
import { addAdminRoutes } from './admin.ts'
import { createAutomation } from './automation.ts'
import { addJson2Route } from './json2.ts'
import { addJsonRpcRoutes, callNameOf } from './jsonrpc.ts'
import { modelsOf, namesOf, type OdooVersion } from './model-fields.ts'
import { restore } from './restore.ts'
import type { Simulation } from './simulation.ts'
import { createTables } from './tables.ts'
import { createWriteFailures } from './write-failures.ts'

export interface OdooSimOptions {
  ledgerPath: string
  /** Default 0: any free port. */
  port?: number
  /** Default 19. A ledger written by the other version is refused. */
  version?: OdooVersion
  database?: string
  login?: string
  /** Password and API key of the hub's user. */
  password?: string
  /** Value of `X-Admin-Key`. */
  key?: string
  /** Leaves out the delivery module: pickings then have no `carrier_tracking_ref`. */
  withoutDelivery?: boolean
  /** How long a `load` holds its external ids, in ms (default 15). */
  loadMs?: number
  seed?: number
  log?: boolean
  /** Microseconds since 1970; default: the system's clock. */
  now?: () => number
}

export interface OdooSim {
  url: string
  port: number
  /** Resolves when no automation webhook is under way. */
  webhooksIdle(): Promise<void>
  close(): Promise<void>
}

/** Odoo 14 or 19 as far as a sync hub uses it. State is rebuilt from the ledger; an empty ledger gets the demo company. */
export async function startOdooSim(options: OdooSimOptions): Promise<OdooSim> {
  const version = options.version ?? 19
  const simulator = await createSimulator({
    name: 'odoo-sim',
    ledgerPath: options.ledgerPath,
    faultPath,
    bodyLimitBytes: 20 * 1024 * 1024,
    ...(options.key === undefined ? {} : { key: options.key }),
    ...(options.seed === undefined ? {} : { seed: options.seed }),
    ...(options.log === undefined ? {} : { log: options.log }),
  })
  try {
    const models = modelsOf(version)
    if (options.withoutDelivery) models.get('stock.picking')?.fields.delete('carrier_tracking_ref')
    const login = options.login ?? 'hub@example.com'
    const sim: Simulation = {
      tables: createTables(version, models),
      names: namesOf(version),
      ledger: simulator.ledger,
      user: { login, email: login, lang: 'es_CL', tz: 'America/Santiago' },
      database: options.database ?? 'odoo',
      credentials: { login, keys: new Map([[sha256(options.password ?? 'change-me'), { expired: false }]]) },
      automation: createAutomation(simulator),
      failures: createWriteFailures(),
      loading: new Map(),
      loadMs: options.loadMs ?? 15,
      open: new Map(),
      now: options.now ?? systemMicros,
      closing: simulator.closing,
    }
    await restore(sim)
    addJsonRpcRoutes(simulator.app, sim)
    if (version === 19) addJson2Route(simulator.app, sim)
    addAdminRoutes(simulator, sim)
    const { url, port } = await simulator.listen(options.port ?? 0)
    return { url, port, webhooksIdle: () => sim.automation.idle(), close: () => close(sim, () => simulator.close()) }
  } catch (error) {
    await simulator.close()
    throw error
  }
}

async function close(sim: Simulation, closeServer: () => Promise<void>): Promise<void> {
  for (const { timer, tx } of sim.open.values()) {
    if (timer) clearTimeout(timer)
    tx.end()
  }
  sim.open.clear()
  await closeServer()
}

// The start of a transaction, in PostgreSQL's resolution.
function systemMicros(): number {
  return Math.floor((performance.timeOrigin + performance.now()) * 1000)
}

function faultPath(request: FastifyRequest): string {
  const path = request.url.split('?', 1)[0] ?? request.url
  const json2 = /^\/json\/2\/([^/]+)\/([^/]+)$/.exec(path)
  if (json2) return `${json2[1]}.${json2[2]}`
  return path === '/jsonrpc' ? (callNameOf(readJson(request)) ?? path) : path
}
