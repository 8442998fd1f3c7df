import { runEventSubscriber } from '../../src/apps/event-subscriber.ts'
import { runOutboxWorker } from '../../src/apps/outbox-worker.ts'
import { runReconciler } from '../../src/apps/reconciler.ts'
import type { Hub } from '../../src/assembly.ts'
import { listenForWebhooks } from '../../src/cli/listen.ts'
import type { CollectPorts } from '../../src/flows/collect-erp-orders.ts'
import type { Role } from './plan.ts'

/** Short, so that what a dead node held is free again soon. */
export const LEASE_MS = 2_000
/** Of the channels of the stage: what is frozen longer has lost its row. */
export const LONGEST_LEASE_MS = 4_000
const SWEEP_MS = 1_000
const RECONCILE_MS = 2_000

export interface RunningRole {
  /** Of a receiver; 0 of others. */
  port: number
  /** Ends it as SIGTERM would. */
  stop(): Promise<void>
}

/** Starts one role of the hub on these ports: the real app, with short leases and sweeps. */
export async function startRole(role: Role, hub: Hub, port = 0): Promise<RunningRole> {
  if (role === 'receiver') {
    const listening = await listenForWebhooks(hub, port)
    return { port: listening.port, stop: () => listening.close() }
  }
  const stopping = new AbortController()
  const running = RUN[role](hub, stopping.signal)
  return {
    port: 0,
    async stop() {
      stopping.abort()
      await running
    },
  }
}

const RUN: Record<Exclude<Role, 'receiver'>, (hub: Hub, signal: AbortSignal) => Promise<void>> = {
  worker: (hub, signal) =>
    runOutboxWorker(
      {
        ...hub,
        // Stock has no part in these runs; its hundred updates at the start only delay them.
        channels: hub.channels.map((channel) => ({ ...channel, capabilities: { ...channel.capabilities, updateStock: false } })),
        collect: collectPorts(hub),
        backoffScale: hub.config.file.backoffScale,
        collectEveryMs: SWEEP_MS,
        sweepMs: SWEEP_MS,
        progress: () => {},
      },
      signal,
    ),
  subscriber: (hub, signal) => {
    const { config } = hub
    const ports = {
      inbox: hub.claims,
      attempts: hub.attempts,
      store: hub.store,
      random: hub.random,
      maxTries: config.variables.OUTBOX_MAX_ATTEMPTS,
      maxReads: config.variables.ADAPTER_MAX_ATTEMPTS,
      backoffScale: config.file.backoffScale,
      leaseMs: LEASE_MS,
    }
    return runEventSubscriber(
      { ...hub, ports, collect: collectPorts(hub), concurrencyOf: () => 4, sweepMs: SWEEP_MS, progress: () => {} },
      signal,
    )
  },
  reconciler: (hub, signal) =>
    runReconciler(
      {
        ...hub,
        collect: collectPorts(hub),
        portsOf: (channel) => ({
          channel,
          inbox: hub.inbox,
          reconcile: hub.reconcile,
          since: '1970-01-01T00:00:00.000Z',
          overlapMs: 2 * 3_600_000,
          compareAfterMs: hub.config.file.compareAfterSeconds * 1000,
          firstCompareAfterMs: hub.config.file.compareAfterSeconds * 1000,
          compareLimit: 200,
          repairs: channel !== 'odoo',
        }),
        everyMs: RECONCILE_MS,
        progress: () => {},
      },
      signal,
    ),
}

function collectPorts({ erp, store, config }: Hub): CollectPorts {
  return {
    erp,
    store,
    since: '1970-01-01T00:00:00.000Z',
    overlapMs: config.file.collectOverlapSeconds * 1000,
    chunk: 25,
    leaseMs: LEASE_MS,
  }
}
