import { join } from 'node:path'
import type { Hub } from '../assembly.ts'
import { SERVICES } from '../apps/services.ts'
import { runService } from '../apps/up.ts'
import { startsOf } from '../collect-start.ts'
import type { Config } from '../config.ts'
import { stopEmbedded } from '../drivers/postgres/embedded.ts'
import { LockHeld, withStartLock } from '../drivers/postgres/start-lock.ts'
import { systemClock } from '../drivers/system-clock.ts'
import { removeInstance, writeInstance } from '../home.ts'
import { Wake } from '../supervise.ts'
import { configOf } from './configuration.ts'
import { type CliContext, CliError, type Register } from './context.ts'
import { startDatabase } from './database.ts'
import { listenForWebhooks } from './listen.ts'
import { logTo } from './log.ts'
import { onHub } from './on-hub.ts'
import { seedCommand } from './seed.ts'
import { connectSimulatedAccounts } from './simulated-accounts.ts'
import { type RunningSimulator, simulatorsOf, startSimulator } from './simulator-processes.ts'
import { liveTraffic } from './traffic.ts'
import { welcome } from './welcome.ts'

const LIVE_EVENTS_PER_MINUTE = 6
const START_PATIENCE_MS = 600_000
const STARTED_AT = new Date().toISOString()

/** All of the hub in one process; PostgreSQL and the simulators are child processes. */
export const registerUp: Register = (program, context) => {
  program
    .command('up')
    .description('start everything: PostgreSQL, what stands in for missing systems, and every part of the hub')
    .option('--demo', 'seed a Monday into the simulators and keep gentle traffic running')
    .option('--no-traffic', 'in the demo: seed, but make no live traffic')
    .action(async (options: { demo?: boolean; traffic: boolean }) => {
      const asked = { demo: options.demo ?? false, traffic: options.traffic }
      const config = configOf(context, asked)
      await aloneIn(config.home, () => up(config, context, asked))
    })
}

const STOPPING_TAKES_MS = 5_000

// A second hub in one home would find the ports taken, give up, and stop the database of the first.
async function aloneIn(home: string, work: () => Promise<void>): Promise<void> {
  const path = join(home, 'up.lock')
  try {
    await withStartLock(path, work, STOPPING_TAKES_MS)
  } catch (error) {
    if (!(error instanceof LockHeld && error.path === path)) throw error
    throw new CliError(
      'already-running',
      `a hub runs already in ${home} (process ${error.pid}); stop it with Ctrl-C, or set ROSH_HOME and the ports for a second one`,
    )
  }
}

async function up(config: Config, context: CliContext, options: { demo: boolean; traffic: boolean }): Promise<void> {
  const database = await startDatabase(config, context).catch(async (error: unknown) => {
    if (!config.databaseUrl) await stopEmbedded({ home: config.home })
    throw error
  })
  context.progress(`database   ready${database.embedded ? ' (embedded PostgreSQL)' : ''}`)
  const simulators: RunningSimulator[] = []
  try {
    for (const name of simulatorsOf(config)) {
      simulators.push(await startSimulator(name, config))
      context.progress(`${name.padEnd(10)} ready`)
    }
    await runAll({ config, databaseUrl: database.url }, context, { ...options, simulators })
  } finally {
    await Promise.all(simulators.map((s) => s.stop()))
    removeInstance(config.home)
    if (database.embedded) await stopEmbedded({ home: config.home })
    context.progress('stopped; the data stays, the next start goes on with it')
  }
}

interface Around {
  demo: boolean
  traffic: boolean
  simulators: RunningSimulator[]
}

/** Runs every part until a signal asks to stop or one of them ends; then all of them are stopped before the error goes on. */
async function runAll(run: { config: Config; databaseUrl: string }, context: CliContext, around: Around): Promise<void> {
  const stopping = new AbortController()
  const signal = AbortSignal.any([context.signal, stopping.signal])
  const state: State = { seeded: false, port: run.config.httpPort, listening: new Wake() }
  const parts = [
    onHub({ ...run, log: logTo(run.config.variables.LOG_LEVEL), signal }, (hub, until) =>
      runHub(hub, context, { around, state, signal: until }),
    ),
    runDemo(run.config, context, { around, state, signal }),
    ...around.simulators.map((simulator) => guard(simulator, signal)),
  ]
  try {
    await Promise.race([Promise.all(parts), untilAborted(signal)])
  } finally {
    stopping.abort()
    await Promise.allSettled(parts)
  }
}

interface State {
  seeded: boolean
  /** Where the hub listens; the port it got, once it got one. */
  port: number
  /** Woken when the hub listens. */
  listening: Wake
}

/** The hub's own parts. They end together, when the signal aborts or an account was added: then this is run again. */
async function runHub(hub: Hub, context: CliContext, { around, state, signal }: { around: Around; state: State; signal: AbortSignal }) {
  const server = await listenForWebhooks(hub, state.port)
  state.port = server.port
  announce(hub.config, around, state)
  const stopping = new AbortController()
  const until = AbortSignal.any([signal, stopping.signal])
  let services: Promise<void>[] = []
  try {
    if (hub.config.mercadolibre.simulated) await connectSimulatedAccounts(hub, context.progress)
    for (const start of await startsOf(hub.config, hub.marketplaces, hub)) context.progress(start)
    context.progress(`hub        ready on ${server.url}`)
    state.listening.wake()
    services = SERVICES.map((service) => runService(service, hub, until))
    await Promise.all(services)
  } finally {
    stopping.abort()
    await Promise.allSettled(services)
    await server.close()
  }
}

/** What other commands read of this instance: where each part is, and whether the Monday is in. */
function announce(config: Config, around: Around, { port, seeded }: State): void {
  const ports = Object.fromEntries([['hub', port], ...around.simulators.map((s): [string, number] => [s.name, s.port])])
  const urls = Object.fromEntries(Object.entries(ports).map(([name, at]) => [name, `http://127.0.0.1:${at}`]))
  writeInstance(config.home, { pid: process.pid, startedAt: STARTED_AT, demo: config.demo, urls, ports, seeded: seeded || !around.demo })
}

async function runDemo(
  config: Config,
  context: CliContext,
  { around, state, signal }: { around: Around; state: State; signal: AbortSignal },
): Promise<void> {
  if (!around.demo) return
  await state.listening.wait(START_PATIENCE_MS, systemClock, signal)
  try {
    await seedCommand({ config, json: false, progress: context.progress, signal })
    state.seeded = true
    announce(config, around, state)
    context.print(welcome(config))
    if (around.traffic) await liveTraffic({ config, perMinute: LIVE_EVENTS_PER_MINUTE, signal, progress: () => {} })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

async function guard(simulator: RunningSimulator, signal: AbortSignal): Promise<void> {
  const code = await Promise.race([simulator.ended, untilAborted(signal)])
  if (code !== undefined) throw new CliError('simulator-ended', `${simulator.name} ended by itself (exit ${code})`)
}

function untilAborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    else signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
}
