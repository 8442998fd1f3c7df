import { assemble, type Hub } from '../assembly.ts'
import { runService, SERVICES } from '../apps/up.ts'
import type { Config } from '../config.ts'
import { stopEmbedded } from '../drivers/postgres/embedded.ts'
import { removeInstance, writeInstance } from '../home.ts'
import { connectSimulatedAccounts } from './auth.ts'
import { type CliContext, CliError, configOf, type Register, startDatabase } from './context.ts'
import { listenForWebhooks } from './listen.ts'
import { logTo } from './log.ts'
import { seedCommand } from './seed.ts'
import { type RunningSimulator, simulatorsOf, startSimulator } from './simulator-processes.ts'
import { liveTraffic } from './traffic.ts'
import { welcome } from './welcome.ts'

const LIVE_EVENTS_PER_MINUTE = 6

/** All of the hub in one process; PostgreSQL and the simulators are child processes. */
export const registerUp: Register = (program, context) => {
  program
    .command('up')
    .description('start everything: PostgreSQL, what stands in for missing systems, and every part of the hub')
    .option('--demo', 'seed a Monday into the simulators and keep gentle traffic running')
    .option('--no-traffic', 'in the demo: seed, but make no live traffic')
    .action((options: { demo?: boolean; traffic: boolean }) => up(context, { demo: options.demo ?? false, traffic: options.traffic }))
}

async function up(context: CliContext, options: { demo: boolean; traffic: boolean }): Promise<void> {
  const config = configOf(context, options)
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
    const hub = await assemble(config, database.url, logTo(config.variables.LOG_LEVEL))
    try {
      await runHub(hub, context, { ...options, simulators })
    } finally {
      await hub.close()
    }
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
async function runHub(hub: Hub, context: CliContext, around: Around): Promise<void> {
  const stopping = new AbortController()
  const signal = AbortSignal.any([context.signal, stopping.signal])
  const server = await listenForWebhooks(hub, hub.config.httpPort)
  const announce = announcing(hub.config, server.port, around)
  announce({ seeded: false })
  if (hub.config.mercadolibre.simulated) await connectSimulatedAccounts(hub, context.progress)
  context.progress(`hub        ready on ${server.url}`)
  const parts = [
    ...SERVICES.map((service) => runService(service, hub, signal)),
    runDemo(hub, context, around, { announce, signal }),
    ...around.simulators.map((simulator) => guard(simulator, signal)),
  ]
  try {
    await Promise.race([Promise.all(parts), untilAborted(signal)])
  } finally {
    stopping.abort()
    await Promise.allSettled(parts)
    await server.close()
  }
}

/** What other commands read of this instance: where each part is, and whether the Monday is in. */
function announcing(config: Config, hubPort: number, around: Around): (state: { seeded: boolean }) => void {
  const startedAt = new Date().toISOString()
  const ports = Object.fromEntries([['hub', hubPort], ...around.simulators.map((s): [string, number] => [s.name, s.port])])
  const urls = Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, `http://127.0.0.1:${port}`]))
  return ({ seeded }) =>
    writeInstance(config.home, { pid: process.pid, startedAt, demo: config.demo, urls, ports, seeded: seeded || !around.demo })
}

async function runDemo(
  hub: Hub,
  context: CliContext,
  around: Around,
  run: { announce(state: { seeded: boolean }): void; signal: AbortSignal },
): Promise<void> {
  const { config } = hub
  if (!around.demo) return
  try {
    await seedCommand({ config, json: false, progress: context.progress, signal: run.signal })
    run.announce({ seeded: true })
    context.print(welcome(config))
    if (around.traffic) await liveTraffic({ config, perMinute: LIVE_EVENTS_PER_MINUTE, signal: run.signal, progress: () => {} })
  } catch (error) {
    if (!run.signal.aborted) throw error
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
