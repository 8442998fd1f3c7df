import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Hub } from '../assembly.ts'
import { SERVICES } from '../apps/services.ts'
import { runService } from '../apps/up.ts'
import { startsOf } from '../collect-start.ts'
import { configOf } from './configuration.ts'
import type { CliContext, Register } from './context.ts'
import { startDatabase } from './database.ts'
import { listenForWebhooks } from './listen.ts'
import { logTo } from './log.ts'
import { onHub } from './on-hub.ts'
import { simulatorEntry, type SimulatorName } from './simulator-processes.ts'

const SIMULATORS: SimulatorName[] = ['odoo-sim', 'meli-sim', 'paris-mock']
const SAYS: Record<(typeof SERVICES)[number], string> = {
  subscriber: 'apply inbound events: fetch, fold, plan',
  worker: 'collect ERP changes and deliver to every target',
  reconciler: 'compare ERP, hub and marketplaces, read missed feeds',
}

/** One command per process, for installations that run each part by itself. */
export const registerServices: Register = (program, context) => {
  for (const service of SERVICES) {
    program
      .command(service)
      .description(`run the ${service} alone: ${SAYS[service]}`)
      .option('--demo', 'with the demo’s configuration')
      .action((options: { demo?: boolean }) => withHub(context, options, (hub, signal) => runService(service, hub, signal)))
  }
  program
    .command('receiver')
    .description('run the webhook receiver alone')
    .option('--demo', 'with the demo’s configuration')
    .action((options: { demo?: boolean }) =>
      withHub(context, options, async (hub, signal) => {
        const server = await listenForWebhooks(hub, hub.config.httpPort)
        context.progress(`receiver: listening on ${server.url}`)
        if (!signal.aborted) await once(signal, 'abort')
        await server.close()
      }),
    )
  for (const name of SIMULATORS) {
    program
      .command(name)
      .description(`run the simulator ${name} alone`)
      .action(async () => {
        const child = spawn(process.execPath, [simulatorEntry(name)], { stdio: 'inherit' })
        context.signal.addEventListener('abort', () => child.kill('SIGTERM'))
        const [code] = (await once(child, 'exit')) as [number | null]
        process.exitCode = code ?? 1
      })
  }
}

async function withHub(
  context: CliContext,
  options: { demo?: boolean },
  run: (hub: Hub, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const config = configOf(context, { demo: options.demo ?? false })
  const database = await startDatabase(config, context)
  await onHub(
    { config, databaseUrl: database.url, log: logTo(config.variables.LOG_LEVEL), signal: context.signal },
    async (hub, signal) => {
      for (const start of await startsOf(config, hub.marketplaces, hub)) context.progress(start)
      await run(hub, signal)
    },
  )
}
