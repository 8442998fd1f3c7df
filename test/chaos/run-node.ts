// One node of the hub as a process of its own, with failpoints around its ports and pool. Only tests start it.
import { z } from 'zod'
import { runEventSubscriber } from '../../src/apps/event-subscriber.ts'
import { runOutboxWorker } from '../../src/apps/outbox-worker.ts'
import { assemble, type Hub } from '../../src/assembly.ts'
import { listenForWebhooks } from '../../src/cli/listen.ts'
import { loadConfig } from '../../src/config.ts'
import { failpoints, type Failpoint, type Watch, watchedPool, withFailpoints } from './failpoints.ts'
import { runBatchTxnWorker } from './mutants/ref-batch-txn.ts'

const Plan = z.object({
  role: z.enum(['worker', 'subscriber', 'receiver', 'ref-batch-txn']),
  env: z.record(z.string(), z.string()),
  databaseUrl: z.string(),
  port: z.number().default(0),
  kill: z.object({ point: z.string(), nth: z.number(), system: z.string().nullable(), record: z.string() }).nullable(),
})
export type NodePlan = z.infer<typeof Plan>

/** Short, so that what a killed node held is free again soon. */
const LEASE_MS = 2_000

const plan = Plan.parse(JSON.parse(process.env.CHAOS_NODE ?? '{}'))
const watch: Watch = { about: null }
const points = failpoints(plan.kill === null ? null : { ...plan.kill, point: plan.kill.point as Failpoint })
const log = {
  info: () => {},
  warn: () => {},
  error: (fields: Record<string, unknown>, message: string) => process.stderr.write(`${message} ${String(fields.err)}\n`),
}
const hub = withFailpoints(
  await assemble(loadConfig(plan.env, { demo: false }), plan.databaseUrl, log, { pool: (pool) => watchedPool(pool, watch, points) }),
  watch,
  points,
)
const stopping = new AbortController()
process.once('SIGTERM', () => stopping.abort())

switch (plan.role) {
  case 'worker':
    await started(runWorker(hub, stopping.signal))
    break
  case 'subscriber':
    await started(runSubscriber(hub, stopping.signal))
    break
  case 'ref-batch-txn':
    await started(runBatchTxnWorker(hub, points, stopping.signal))
    break
  case 'receiver': {
    const server = await listenForWebhooks(hub, plan.port)
    ready(server.port)
    await new Promise((resolve) => stopping.signal.addEventListener('abort', resolve))
    await server.close()
  }
}
await hub.close()

async function started(running: Promise<void>): Promise<void> {
  ready(0)
  await running
}

function ready(port: number): void {
  process.stdout.write(`${JSON.stringify({ ready: port })}\n`)
}

function collectPorts({ erp, store }: Hub) {
  return { erp, store, since: '1970-01-01T00:00:00.000Z', overlapMs: 60_000, chunk: 25, leaseMs: LEASE_MS }
}

function runWorker(on: Hub, signal: AbortSignal): Promise<void> {
  const { outbox, channels, targetOf, concurrencyOf, bus, hands, clock, random, config } = on
  return runOutboxWorker(
    {
      outbox,
      // Stock has no part in these runs; its hundred updates at the start only delay them.
      channels: channels.map((channel) => ({ ...channel, capabilities: { ...channel.capabilities, updateStock: false } })),
      targetOf,
      concurrencyOf,
      collect: collectPorts(on),
      bus,
      hands,
      clock,
      random,
      log,
      backoffScale: config.file.backoffScale,
      collectEveryMs: 200,
      sweepMs: 200,
      progress: () => {},
    },
    signal,
  )
}

function runSubscriber(on: Hub, signal: AbortSignal): Promise<void> {
  const { marketplaces, claims, attempts, store, random, bus, hands, clock, config } = on
  return runEventSubscriber(
    {
      marketplaces,
      ports: {
        inbox: claims,
        attempts,
        store,
        random,
        maxTries: config.variables.OUTBOX_MAX_ATTEMPTS,
        maxReads: config.variables.ADAPTER_MAX_ATTEMPTS,
        backoffScale: config.file.backoffScale,
        leaseMs: LEASE_MS,
      },
      erp: { inbox: claims, collect: collectPorts(on), leaseMs: LEASE_MS },
      concurrencyOf: () => 4,
      bus,
      hands,
      clock,
      log,
      sweepMs: 200,
      progress: () => {},
    },
    signal,
  )
}
