import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { registerChaos } from '../../src/cli/chaos.ts'
import { type CliContext, CliError, type Register } from '../../src/cli/context.ts'
import { registerDiagnose } from '../../src/cli/diagnose.ts'
import { registerDlq } from '../../src/cli/dlq.ts'
import { registerDoctor } from '../../src/cli/doctor.ts'
import { registerSeed } from '../../src/cli/seed.ts'
import { registerServices } from '../../src/cli/services.ts'
import { registerStatus } from '../../src/cli/status.ts'
import { registerTraffic } from '../../src/cli/traffic.ts'
import { registerUp } from '../../src/cli/up.ts'
import { packageRoot } from '../../src/home.ts'
import type { AuditReport } from '../chaos/auditor/audit.ts'
import { until } from '../support/running-hub.ts'

// What `npm start` does and a second terminal asks, in this process, on embedded defaults: PostgreSQL, simulators, hub, Monday.
const home = mkdtempSync(join(tmpdir(), 'rosh-demo-'))
const ROSH: Register[] = [
  registerUp,
  registerStatus,
  registerChaos,
  registerDiagnose,
  registerDlq,
  registerDoctor,
  registerSeed,
  registerServices,
  registerTraffic,
]
let env: Record<string, string>
let demo: Demo
let exitCode: typeof process.exitCode

interface Demo {
  said: string[]
  /** Resolves when the Monday is in; throws what was said when it takes too long or ends before. */
  seeded(forMs: number): Promise<void>
  stop(): Promise<void>
}

beforeAll(async () => {
  const [HTTP_PORT, ODOO_SIM_PORT, MELI_SIM_PORT, PARIS_MOCK_PORT] = await freePorts(4)
  env = { ROSH_HOME: home, HTTP_PORT, ODOO_SIM_PORT, MELI_SIM_PORT, PARIS_MOCK_PORT, LOG_LEVEL: 'silent' } as Record<string, string>
  await killHalfWay()
  demo = startDemo()
  await demo.seeded(200_000)
}, 300_000)
beforeEach(() => {
  exitCode = process.exitCode
  return () => {
    process.exitCode = exitCode
  }
})
afterAll(async () => {
  await demo.stop()
  rmSync(home, { recursive: true, force: true })
}, 60_000)

/** A first start, killed with -9 while it seeds: what it left is gone on with by every test below. */
async function killHalfWay(): Promise<void> {
  const first = spawn(process.execPath, [join(packageRoot, 'bin', 'rosh.js'), 'up', '--demo', '--no-traffic'], {
    env: { ...env, PATH: process.env.PATH },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  first.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString('utf8')
  })
  await until(() => Promise.resolve(/ERP orders [1-4]\d\d\/500/.test(said)), 120_000).catch(() => {
    throw new Error(said)
  })
  first.kill('SIGKILL')
  await until(async () => (await Promise.all(['ODOO_SIM_PORT', 'MELI_SIM_PORT', 'PARIS_MOCK_PORT'].map(isFree))).every(Boolean))
}

function isFree(variable: string): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(Number(env[variable]), '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

async function freePorts(count: number): Promise<string[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const ports = servers.map((server) => String((server.address() as { port: number }).port))
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

async function run(args: string[], context: CliContext): Promise<void> {
  const program = new Command('rosh').exitOverride().configureOutput({ writeErr: () => {}, writeOut: () => {} })
  for (const register of ROSH) register(program, context)
  await program.parseAsync(args, { from: 'user' })
}

function startDemo(): Demo {
  const stopping = new AbortController()
  const said: string[] = []
  const say = (line: string): void => void said.push(line)
  const running = run(['up', '--demo', '--no-traffic'], { env, signal: stopping.signal, print: say, progress: say })
  // Its failure is the test's: what it said ends with it.
  const ended = running.catch((error: unknown) => say(`failed: ${String(error)}`))
  return {
    said,
    async seeded(forMs) {
      const isOver = () => Promise.resolve(said.some((line) => line.includes('The Monday is in') || line.startsWith('failed')))
      await until(isOver, forMs).catch(() => say('failed: it took too long'))
      if (said.at(-1)?.startsWith('failed')) throw new Error(said.slice(-12).join('\n'))
    },
    async stop() {
      stopping.abort()
      await ended
    },
  }
}

/** A command of the second terminal. */
async function rosh(...args: string[]): Promise<string> {
  const printed: string[] = []
  await run(args, { env, signal: new AbortController().signal, print: (line) => printed.push(line), progress: () => {} })
  return printed.join('\n')
}

test('the start says what runs where, and prints the configuration of an agent', () => {
  const text = demo.said.join('\n')
  expect(text).toContain('database   ready (embedded PostgreSQL)')
  for (const name of ['odoo-sim', 'meli-sim', 'paris-mock']) expect(text).toContain(`${name.padEnd(10)} ready`)
  expect(text).toContain('ERP orders 500/500')
  expect(text).toContain(`"ROSH_HOME": "${home}"`)
})

test('a second terminal sees it become ready, with its dead letters', async () => {
  const status = await until(async () => {
    const shown = JSON.parse(await rosh('status', '--json')) as { ready: boolean; counts: { dead_letters: number } }
    return shown.ready ? shown : undefined
  }, 200_000)
  expect(status.counts.dead_letters).toBeGreaterThanOrEqual(6)
  expect(await rosh('status')).toContain('ready')
  expect(await rosh('dlq', 'list')).toContain('ML-98345')
  expect(await rosh('diagnose', 'ML-98345')).toContain('sku-unknown')
  expect(await rosh('doctor')).toContain('odoo')
}, 220_000)

test('the start that was killed half way lost no order and doubled none', async () => {
  // Every 20 s the demo looks for what a killed simulator could not say any more.
  const report = await until(async () => {
    const found = await audited()
    return found.lost === 0 && found.unsettled === 0 ? found : undefined
  }, 120_000)
  expect([report.lost, report.doubled]).toEqual([0, 0])
  expect(report.checked.erpToMarketplace).toBeGreaterThan(200)
}, 150_000)

/** What `npm run audit:ledgers -- --home HOME --json` says, in a process of its own. */
async function audited(): Promise<AuditReport> {
  const program = join(packageRoot, 'test', 'chaos', 'auditor', 'main.ts')
  const child = spawn(process.execPath, [program, '--home', home, '--quiet-seconds', '1', '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  for await (const chunk of child.stdout) text += String(chunk)
  return JSON.parse(text) as AuditReport
}

test('a second start in the same home is refused and harms nothing', async () => {
  await expect(rosh('up')).rejects.toThrow(CliError)
  expect(JSON.parse(await rosh('status', '--json'))).toMatchObject({ urls: { hub: `http://127.0.0.1:${env.HTTP_PORT}` } })
})

test('a seed run again makes nothing twice', async () => {
  const summary = JSON.parse(await rosh('seed', '--json')) as Record<string, { created: number }>
  expect([summary.erpOrders?.created, summary.purchases?.created, summary.parisOrders?.created]).toEqual([0, 0, 0])
}, 60_000)

test('a burst of webhooks is taken in, copies included', async () => {
  const sent = JSON.parse(await rosh('traffic', '--burst', '40', '--json')) as { webhooks: number; copies: number }
  expect(sent.webhooks).toBe(40)
  expect(sent.copies).toBeGreaterThan(0)
}, 60_000)

test('a gentle stream of traffic reports each event until it is stopped', async () => {
  const stopping = new AbortController()
  const said: string[] = []
  const stream = run(['traffic', '--per-minute', '600'], {
    env,
    signal: stopping.signal,
    print: () => {},
    progress: (line) => said.push(line),
  })
  await until(() => Promise.resolve(said.length >= 5))
  stopping.abort()
  await stream
  expect(said.filter((line) => line.startsWith('skipped'))).toEqual([])
}, 60_000)

test('fault knobs are added, listed and cleared by command', async () => {
  await rosh('chaos', 'add', 'paris-mock', 'status', '--status', '503', '--path', '^/never$')
  expect(await rosh('chaos', 'list')).toContain('paris-mock')
  await rosh('chaos', 'clear')
  expect(await rosh('chaos', 'list')).toBe('no fault is in force')
})

test('a part runs by itself beside the rest, and ends when asked', async () => {
  const stopping = new AbortController()
  const said: string[] = []
  const [port] = await freePorts(1)
  const context = {
    env: { ...env, HTTP_PORT: port },
    signal: stopping.signal,
    print: () => {},
    progress: (line: string) => said.push(line),
  }
  const receiver = run(['receiver', '--demo'], context)
  await until(() => Promise.resolve(said.some((line) => line.startsWith('receiver: listening'))))
  const reply = await fetch(`http://127.0.0.1:${port}/health`)
  expect(await reply.json()).toEqual({ status: 'ok' })
  stopping.abort()
  await receiver
}, 60_000)

test('after a stop the next start goes on with what is there, and seeds nothing twice', async () => {
  await demo.stop()
  expect(demo.said.at(-1)).toContain('stopped; the data stays')
  await expect(rosh('dlq', 'list')).rejects.toThrow('hub-not-running')
  demo = startDemo()
  await demo.seeded(120_000)
  expect(demo.said.some((line) => line.startsWith('applied '))).toBe(false)
  expect(await rosh('diagnose', 'ML-98345')).toContain('sku-unknown')
}, 180_000)
