import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Config } from '../config.ts'
import { packageRoot } from '../home.ts'
import { CliError } from './context.ts'

export type SimulatorName = 'paris-mock' | 'meli-sim' | 'odoo-sim'

export interface RunningSimulator {
  name: SimulatorName
  port: number
  /** Ends with the process, on its own or because it was stopped. */
  ended: Promise<number>
  stop(): Promise<void>
}

/** The simulators that stand in for what this configuration leaves out. */
export function simulatorsOf(config: Config): SimulatorName[] {
  return [
    ...(config.odoo.simulated ? ['odoo-sim' as const] : []),
    ...(config.mercadolibre.simulated ? ['meli-sim' as const] : []),
    ...(config.paris.simulated ? ['paris-mock' as const] : []),
  ]
}

/** Entry of a simulator: the sources in development, the compiled file in the package. */
export function simulatorEntry(name: SimulatorName): string {
  const source = join(packageRoot, 'simulators', name, 'main.ts')
  return existsSync(source) ? source : join(packageRoot, 'dist', 'simulators', name, 'main.js')
}

/** Starts a simulator as a process of its own and waits until it listens. Throws its own words when it cannot. */
export async function startSimulator(name: SimulatorName, config: Config): Promise<RunningSimulator> {
  const child = spawn(process.execPath, [simulatorEntry(name)], {
    env: environmentOf(name, config),
    // Its standard input ends with this process, however that ends: no simulator is left behind to hold its port.
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  })
  // Not `exit`, which may come before the last words on its standard error.
  const ended = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? 1)))
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString('utf8')).slice(-2_000)
  })
  const port = await Promise.race([listening(child), ended.then(() => undefined)])
  if (port === undefined) throw new CliError('simulator-not-started', `${name} did not start: ${said.trim() || 'it said nothing'}`)
  return { name, port, ended, stop: () => stop(child, ended) }
}

function listening(child: ChildProcess): Promise<number | undefined> {
  return new Promise((resolve) => {
    if (!child.stdout) return resolve(undefined)
    const lines = createInterface({ input: child.stdout })
    lines.on('line', (line) => {
      const port = /"listening":\s*(\d+)/.exec(line)?.[1]
      if (port) resolve(Number(port))
    })
  })
}

async function stop(child: ChildProcess, ended: Promise<number>): Promise<void> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 5_000)
  await ended
  clearTimeout(timer)
}

// MercadoLibre retries for an hour at unpublished intervals; these reach four minutes, so that a busy machine loses none.
const NOTIFICATION_RETRIES_MS = '500,2000,5000,15000,30000,60000,120000'

// Each simulator reads its own few variables; nothing of the hub's secrets but the two that sign webhooks.
function environmentOf(name: SimulatorName, config: Config): Record<string, string> {
  const { variables: v, home } = config
  const shared = { ROSH_HOME: home, NODE_NO_WARNINGS: '1', END_WITH_STDIN: '1' }
  switch (name) {
    case 'odoo-sim':
      return {
        ...shared,
        ODOO_SIM_PORT: String(v.ODOO_SIM_PORT),
        ODOO_SIM_LEDGER_PATH: join(home, 'odoo-sim.ledger.jsonl'),
        ODOO_DB: config.odoo.db,
      }
    case 'meli-sim':
      return {
        ...shared,
        MELI_SIM_PORT: String(v.MELI_SIM_PORT),
        MELI_SIM_LEDGER_PATH: join(home, 'meli-sim.ledger.jsonl'),
        ML_REDIRECT_URI: config.mercadolibre.redirectUri,
        MELI_SIM_RETRY_MS: NOTIFICATION_RETRIES_MS,
        MELI_SIM_CALLBACK_URL: `http://127.0.0.1:${config.httpPort}/webhooks/mercadolibre/${config.mercadolibre.pathSecret.reveal()}`,
      }
    case 'paris-mock':
      return {
        ...shared,
        PARIS_MOCK_PORT: String(v.PARIS_MOCK_PORT),
        PARIS_MOCK_DB_PATH: v.PARIS_MOCK_DB_PATH ?? join(home, 'paris-mock.ledger.jsonl'),
        PARIS_API_SECRET: config.paris.apiSecret.reveal(),
        PARIS_MOCK_WEBHOOK_URLS: `http://127.0.0.1:${config.httpPort}/webhooks/paris`,
      }
  }
}
