import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { cpuSecondsOf } from './cpu-seconds.ts'

// How long after `npm start` on an empty ROSH_HOME do ERP, hub and target agree on every compared field of the seeded orders? The auditor, a
// program that shares no code with the hub, looks at ledgers and tables over and over; a share counts from the look after which it never fell
// again. The install is over when this runs, so its end is the start of the process. Live traffic is off: it would move the denominator.
// BENCH_SECONDS (300) is the longest it waits.

const LONGEST_S = Number(process.env.BENCH_SECONDS ?? 300)
// Named, for a home that is only being made does not say yet that it is a demo's.
const MONDAY = ['--config', 'seed/hub.yaml', '--incidents', 'seed/monday-incidents.json']
const root = fileURLToPath(new URL('../', import.meta.url))

const Look = z.object({
  at: z.string(),
  orders: z.number(),
  agreeing: z.number(),
  incidents: z.object({ declared: z.number(), ok: z.number() }),
})
type Look = z.infer<typeof Look> & { seconds: number }

const home = await mkdtemp(join(tmpdir(), 'rosh-first-monday-'))
const startedMs = Date.now()
const hub = spawn(process.execPath, ['bin/rosh.js', 'up', '--demo', '--no-traffic'], {
  cwd: root,
  env: { ...process.env, ROSH_HOME: home, ...(await freePorts()) },
  stdio: ['ignore', 'pipe', 'inherit'],
})
const ended = new Promise<void>((resolve) => hub.once('exit', () => resolve()))
let seededAfter: number | null = null
createInterface({ input: hub.stdout }).on('line', (line) => {
  if (line.startsWith('The Monday is in')) seededAfter = secondsSince()
})
try {
  const looks = await watch()
  print(looks)
  process.exitCode = reached(looks, 0.95) === null ? 1 : 0
} finally {
  hub.kill('SIGTERM')
  await ended
  await rm(home, { recursive: true, force: true })
}

function secondsSince(): number {
  return (Date.now() - startedMs) / 1000
}

async function freePorts(): Promise<Record<string, string>> {
  const names = ['HTTP_PORT', 'MELI_SIM_PORT', 'PARIS_MOCK_PORT', 'ODOO_SIM_PORT', 'METRICS_PORT']
  const servers = await Promise.all(
    names.map(async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await new Promise((resolve) => server.once('listening', resolve))
      return server
    }),
  )
  const ports = servers.map((server) => String((server.address() as AddressInfo).port))
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return Object.fromEntries(names.map((name, at) => [name, ports[at] ?? '']))
}

/** Every look of the auditor until all is there, or the time is up. */
async function watch(): Promise<Look[]> {
  const looks: Look[] = []
  const auditor = spawn(process.execPath, ['test/chaos/auditor/main.ts', '--home', home, '--watch', ...MONDAY], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const timer = setTimeout(() => auditor.kill('SIGTERM'), LONGEST_S * 1000)
  try {
    for await (const line of createInterface({ input: auditor.stdout })) {
      const look = { ...Look.parse(JSON.parse(line)), seconds: secondsSince() }
      looks.push(look)
      process.stderr.write(
        `\r${look.seconds.toFixed(0)} s: ${look.agreeing} of ${look.orders} agree, ${look.incidents.ok} of ${look.incidents.declared} incidents `,
      )
      if (seededAfter !== null && isWhole(look)) break
    }
    process.stderr.write('\n')
    printCpu(auditor)
    return looks
  } finally {
    clearTimeout(timer)
    auditor.kill('SIGTERM')
  }
}

function isWhole({ orders, agreeing, incidents }: Look): boolean {
  return agreeing === orders && incidents.ok === incidents.declared
}

/** The first look from which the share never fell below again; the orders are those of the last look. */
function reached(looks: readonly Look[], share: number): number | null {
  const wanted = share * (looks.at(-1)?.orders ?? 0)
  const from = looks.findLastIndex((look) => look.agreeing < wanted) + 1
  return looks[from]?.seconds ?? null
}

function print(looks: readonly Look[]): void {
  const visible = looks.findLastIndex(({ incidents }) => incidents.ok < incidents.declared) + 1
  const orders = looks.at(-1)?.orders ?? 0
  const rows: [string, string][] = [
    ['orders outside the incident list', String(orders)],
    ['the Monday is typed in', secondsText(seededAfter)],
    ['95% agree in ERP, hub and target', secondsText(reached(looks, 0.95))],
    ['99% agree', secondsText(reached(looks, 0.99))],
    ['all agree', secondsText(reached(looks, 1))],
    ['all incidents are visible', secondsText(looks[visible]?.seconds ?? null)],
    ['looks of the auditor', String(looks.length)],
    ['machine', `${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)}`],
  ]
  console.log('\nsince the process began (the install had ended)')
  for (const [name, value] of rows) console.log(`  ${name.padEnd(34)} ${value.padStart(12)}`)
}

function secondsText(seconds: number | null): string {
  return seconds === null ? 'not reached' : `${seconds.toFixed(1)} s`
}

/** By its port the server is known among others: its data may lie elsewhere. */
function postgresPort(): string {
  const path = join(home, 'postgres.json')
  return existsSync(path) ? `port=${z.object({ port: z.int() }).parse(JSON.parse(readFileSync(path, 'utf8'))).port} ` : home
}

function printCpu(auditor: ChildProcess): void {
  console.log('\nCPU seconds until then')
  for (const [name, seconds] of cpuSecondsOf({ hub: hub.pid, auditor: auditor.pid }, postgresPort()))
    console.log(`  ${name.padEnd(34)} ${seconds.toFixed(1).padStart(12)}`)
}
