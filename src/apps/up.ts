import type { Hub } from '../assembly.ts'
import { collectStartOf, sweepStartOf } from '../collect-start.ts'
import { ODOO_CHANNEL } from '../core/channel.ts'
import { heartbeat } from '../drivers/postgres/heartbeat.ts'
import type { CollectPorts } from '../flows/collect-erp-orders.ts'
import { supervise, Wake } from '../supervise.ts'
import { runAuditCheckpoints } from './audit-checkpoints.ts'
import { runAuditOutcomes } from './audit-outcomes.ts'
import { runEventSubscriber } from './event-subscriber.ts'
import { runOutboxWorker } from './outbox-worker.ts'
import { runReconciler } from './reconciler.ts'
import type { Service } from './services.ts'

const SWEEP_MS = 1_000
const BEAT_MS = 2_000
const COLLECT_CHUNK = 25
const COLLECT_LEASE_MS = 120_000
const SWEEP_OVERLAP_MS = 2 * 3_600_000
const COMPARE_LIMIT = 200
const FIRST_COMPARE_MS = 20_000
const CHECKPOINT_MS = 60_000
const OUTCOMES_MS = 60_000

/** Runs one service of the hub until the signal aborts, with its heartbeat. */
export async function runService(service: Service, hub: Hub, signal: AbortSignal): Promise<void> {
  const counts: Record<string, number> = {}
  const progress = (what: string): void => {
    counts[what] = (counts[what] ?? 0) + 1
  }
  await Promise.all([beating(service, hub, counts, signal), STARTERS[service](hub, progress, signal)])
}

type Start = (hub: Hub, progress: (what: string) => void, signal: AbortSignal) => Promise<void>

const STARTERS: Record<Service, Start> = {
  subscriber: async (hub, progress, signal) =>
    runEventSubscriber(
      {
        marketplaces: enabled(hub),
        ports: {
          inbox: hub.claims,
          attempts: hub.attempts,
          store: hub.store,
          random: hub.random,
          maxTries: hub.config.variables.OUTBOX_MAX_ATTEMPTS,
          maxReads: hub.config.variables.ADAPTER_MAX_ATTEMPTS,
          backoffScale: hub.config.file.backoffScale,
          leaseMs: 60_000,
        },
        collect: await collectPorts(hub),
        concurrencyOf: hub.concurrencyOf,
        bus: hub.bus,
        hands: hub.hands,
        clock: hub.clock,
        log: hub.log,
        sweepMs: SWEEP_MS,
        progress,
      },
      signal,
    ),
  worker: async (hub, progress, signal) =>
    runOutboxWorker(
      {
        outbox: hub.outbox,
        channels: hub.channels,
        targetOf: hub.targetOf,
        concurrencyOf: hub.concurrencyOf,
        collect: await collectPorts(hub),
        bus: hub.bus,
        hands: hub.hands,
        clock: hub.clock,
        random: hub.random,
        log: hub.log,
        backoffScale: hub.config.file.backoffScale,
        collectEveryMs: hub.config.variables.OUTBOX_POLL_INTERVAL_SECONDS * 1000,
        sweepMs: SWEEP_MS,
        progress,
      },
      signal,
    ),
  reconciler: async (hub, progress, signal) => {
    const { auditChain: chain, checkpoints, openIntents, clock, log } = hub
    await Promise.all([
      reconcile(hub, progress, signal),
      runAuditCheckpoints({ chain, checkpoints, clock, log, everyMs: CHECKPOINT_MS, progress }, signal),
      runAuditOutcomes({ openIntents, clock, log, everyMs: OUTCOMES_MS, progress }, signal),
    ])
  },
}

async function reconcile(hub: Hub, progress: (what: string) => void, signal: AbortSignal): Promise<void> {
  const marketplaces = enabled(hub)
  const starts = await Promise.all(marketplaces.map(({ channel }) => sweepStartOf(hub.config, channel, hub.reconcile)))
  const sinceOf = new Map(marketplaces.map(({ channel }, at) => [channel, starts[at]?.since]))
  return runReconciler(
    {
      erp: hub.erp,
      marketplaces,
      collect: await collectPorts(hub),
      inbox: hub.inbox,
      portsOf: (channel) => ({
        channel,
        inbox: hub.inbox,
        reconcile: hub.reconcile,
        since: sinceOf.get(channel) ?? new Date(0).toISOString(),
        overlapMs: SWEEP_OVERLAP_MS,
        compareAfterMs: hub.config.file.compareAfterSeconds * 1000,
        firstCompareAfterMs: firstCompareAfterMs(hub, channel),
        compareLimit: COMPARE_LIMIT,
        repairs: channel !== ODOO_CHANNEL,
      }),
      hands: hub.hands,
      clock: hub.clock,
      log: hub.log,
      everyMs: hub.config.variables.RECONCILER_INTERVAL_SECONDS * 1000,
      progress,
    },
    signal,
  )
}

// Not before a look-up can be trusted to show what was accepted, and never later than any other comparison.
function firstCompareAfterMs({ config, channels }: Hub, channel: string): number {
  const settleMs = channels.find((one) => one.id === channel)?.timing.settleMs ?? 0
  return Math.min(config.file.compareAfterSeconds * 1000, Math.max(FIRST_COMPARE_MS, 2 * settleMs))
}

function enabled(hub: Hub): Hub['marketplaces'] {
  return hub.marketplaces.filter((m) => hub.channels.some((c) => c.id === m.channel && c.enabled))
}

async function collectPorts(hub: Hub): Promise<CollectPorts> {
  return {
    since: (await collectStartOf(hub.config, hub.store)).since,
    erp: hub.erp,
    store: hub.store,
    overlapMs: hub.config.file.collectOverlapSeconds * 1000,
    shippedByErp: hub.channels.filter((c) => c.marketplace !== 'odoo' && c.enabled && c.shipsFrom === 'odoo').map((c) => c.id),
    chunk: COLLECT_CHUNK,
    leaseMs: COLLECT_LEASE_MS,
  }
}

async function beating(service: Service, hub: Hub, counts: Record<string, number>, signal: AbortSignal): Promise<void> {
  const { clock, log } = hub
  const heart = heartbeat(hub.pools.worker, service)
  await supervise({ name: `heartbeat ${service}`, clock, log, wake: new Wake(), everyMs: BEAT_MS, signal }, async () => {
    await heart.beat(counts)
    return 'idle'
  })
}
