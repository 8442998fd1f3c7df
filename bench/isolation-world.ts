import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { assemble } from '../src/assembly.ts'
import { connectSimulatedAccounts } from '../src/cli/simulated-accounts.ts'
import { loadConfig } from '../src/config.ts'
import { startEmbedded, stopEmbedded } from '../src/drivers/postgres/embedded.ts'
import { migrate } from '../src/drivers/postgres/migrate.ts'
import { connect, type Pool } from '../src/drivers/postgres/pool.ts'
import { packageRoot } from '../src/home.ts'

export type Simulator = 'odoo-sim' | 'meli-sim' | 'paris-mock'

export interface World {
  /** The owner's pool: looks at everything. */
  owner: Pool
  /** Calls a simulator's admin API; throws its words when it refuses. */
  admin(simulator: Simulator, method: string, path: string, body?: unknown): Promise<unknown>
  stop(): Promise<void>
}

// Short timeouts, so that a round with the fault ends within seconds; both kinds of rounds run under the same ones.
const YAML = `
mercadolibre: { accounts: ['1001'] }
collectOverlapSeconds: 2
routing:
  - { name: meli, when: { team: MercadoLibre }, to: [mercadolibre] }
  - { name: paris, when: { team: Paris }, to: [paris] }
channels:
  'mercadolibre:1001': { timing: { timeoutMs: 2000, marginMs: 1000, settleMs: 1000, leaseMs: 4000 } }
  'paris:main': { timing: { timeoutMs: 2000, marginMs: 1000, settleMs: 1000, leaseMs: 4000 } }
`

const PORTS: Record<Simulator, string> = { 'odoo-sim': 'ODOO_SIM_PORT', 'meli-sim': 'MELI_SIM_PORT', 'paris-mock': 'PARIS_MOCK_PORT' }
const LEDGERS: Record<Simulator, string> = {
  'odoo-sim': 'ODOO_SIM_LEDGER_PATH',
  'meli-sim': 'MELI_SIM_LEDGER_PATH',
  'paris-mock': 'PARIS_MOCK_DB_PATH',
}

/** A PostgreSQL of its own, the three simulators and one `rosh worker`, each a process; nothing else of the hub runs. */
export async function startWorld(): Promise<World> {
  const home = mkdtempSync(join(tmpdir(), 'rosh-isolation-'))
  writeFileSync(join(home, 'hub.yaml'), YAML)
  const children: ChildProcess[] = []
  const cleanUp = async (): Promise<void> => {
    await Promise.all(children.map(stopChild))
    await stopEmbedded({ home })
    rmSync(home, { recursive: true, force: true })
  }
  try {
    const instance = await startEmbedded({ home, log: () => {} })
    await migrate({ url: instance.migratorUrl, folder: join(packageRoot, 'migrations'), log: () => {} })
    const ports = await startSimulators(home, children)
    const env = {
      ROSH_HOME: home,
      ROSH_CONFIG: join(home, 'hub.yaml'),
      HTTP_PORT: String(await freePort()),
      LOG_LEVEL: 'warn',
      OUTBOX_POLL_INTERVAL_SECONDS: '0.25',
      ...Object.fromEntries(Object.entries(ports).map(([name, port]) => [PORTS[name as Simulator], String(port)])),
    }
    await connectAccounts(env, instance.databaseUrl)
    children.push(spawn(process.execPath, [join(packageRoot, 'src', 'main.ts'), 'worker'], { env, stdio: ['ignore', 'ignore', 'inherit'] }))
    const owner = connect({ url: instance.migratorUrl, role: null, max: 2, applicationName: 'bench owner' })
    return {
      owner,
      admin: (simulator, method, path, body) => admin(ports[simulator], { method, path, body }),
      stop: async () => {
        await owner.end()
        await cleanUp()
      },
    }
  } catch (error) {
    await cleanUp()
    throw error
  }
}

async function startSimulators(home: string, children: ChildProcess[]): Promise<Record<Simulator, number>> {
  const start = async (name: Simulator): Promise<number> => {
    const child = spawn(process.execPath, [join(packageRoot, 'simulators', name, 'main.ts')], {
      env: { [PORTS[name]]: '0', [LEDGERS[name]]: join(home, `${name}.ledger.jsonl`) },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.push(child)
    for await (const line of createInterface({ input: child.stdout })) {
      const port = /"listening":\s*(\d+)/.exec(line)?.[1]
      if (port) return Number(port)
    }
    throw new Error(`${name} did not start`)
  }
  return { 'odoo-sim': await start('odoo-sim'), 'meli-sim': await start('meli-sim'), 'paris-mock': await start('paris-mock') }
}

async function connectAccounts(env: Record<string, string>, url: string): Promise<void> {
  const quiet = { info: () => {}, warn: () => {}, error: () => {} }
  const hub = await assemble(loadConfig(env, { demo: false }), url, quiet)
  try {
    await connectSimulatedAccounts(hub, () => {})
  } finally {
    await hub.close()
  }
}

async function admin(port: number, call: { method: string; path: string; body: unknown }): Promise<unknown> {
  const reply = await fetch(`http://127.0.0.1:${port}${call.path}`, {
    method: call.method,
    headers: { 'content-type': 'application/json', 'x-admin-key': 'change-me' },
    ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
  })
  const text = await reply.text()
  if (!reply.ok) throw new Error(`${call.method} ${call.path} answered ${reply.status}: ${text}`)
  return text === '' ? null : JSON.parse(text)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return typeof address === 'object' && address ? address.port : 0
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 8_000)
  await ended
  clearTimeout(timer)
}
