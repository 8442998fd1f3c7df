import { type CollectPorts, recollectErpOrders, reconcileErpIds } from '../flows/collect-erp-orders.ts'
import {
  compareDelivered,
  findErpCopies,
  type ReconcilePorts,
  readMissedEvents,
  rereadOpenOrders,
  sweepMarketplace,
} from '../flows/reconcile-marketplace.ts'
import { IntegrationError } from '../core/integration-error.ts'
import type { Clock } from '../ports/clock.ts'
import type { Erp } from '../ports/erp.ts'
import type { Inbox } from '../ports/inbox.ts'
import type { Marketplace } from '../ports/marketplace.ts'
import type { Target } from '../ports/target.ts'
import type { Hands } from '../hands.ts'
import { type Log, supervise, Wake } from '../supervise.ts'

export interface Reconciler {
  erp: Erp
  marketplaces: readonly Marketplace[]
  collect: CollectPorts
  inbox: Inbox
  portsOf(channel: string): ReconcilePorts
  /** What this process has in hand, shared by everything that runs in it. */
  hands: Hands
  clock: Clock
  log: Log
  everyMs: number
  progress(what: string): void
}

const RECONCILE_DAYS = 7

/** The safety net: sweeps, missed feeds, id sets and field comparison, one supervised loop a system. */
export async function runReconciler(reconciler: Reconciler, signal: AbortSignal): Promise<void> {
  await Promise.all([erpLoop(reconciler, signal), ...reconciler.marketplaces.map((m) => marketplaceLoop(reconciler, m, signal))])
}

async function marketplaceLoop(reconciler: Reconciler, marketplace: Marketplace, signal: AbortSignal): Promise<void> {
  const ports = reconciler.portsOf(marketplace.channel)
  const { clock, log, everyMs } = reconciler
  await supervise({ name: `reconcile ${marketplace.channel}`, clock, log, wake: new Wake(), everyMs, signal }, async () => {
    await each(reconciler, marketplace.channel, signal, [
      (until) => sweepMarketplace(marketplace, ports, until),
      (until) => readMissedEvents(marketplace, reconciler.inbox, until),
      (until) => compare(marketplace, ports, { log, until }),
      () => rereadOpenOrders(marketplace, ports),
    ])
    return 'idle'
  })
}

async function erpLoop(reconciler: Reconciler, signal: AbortSignal): Promise<void> {
  const { clock, log, everyMs, erp, collect } = reconciler
  await supervise({ name: 'reconcile odoo', clock, log, wake: new Wake(), everyMs, signal }, async () => {
    await each(reconciler, 'odoo', signal, [
      async (until) => reconcileErpIds(daysBefore(await erp.serverTime(until)), collect, until),
      async (until) => recollectErpOrders(await collect.store.erpIdsToReread(RECONCILE_DAYS), collect, until),
      (until) => compare(erp, reconciler.portsOf('odoo'), { log, until }),
      (until) => findErpCopies({ erp, reconcile: reconciler.portsOf('odoo').reconcile }, RECONCILE_DAYS, until),
    ])
    return 'idle'
  })
}

async function compare(target: Target, ports: ReconcilePorts, { log, until }: { log: Log; until: AbortSignal }): Promise<void> {
  const { failed } = await compareDelivered(target, ports, until)
  for (const one of failed) log.warn({ channel: ports.channel, ...one }, 'an order could not be compared with its target')
}

const daysBefore = (iso: string): string => new Date(Date.parse(iso) - RECONCILE_DAYS * 86_400_000).toISOString()

type Step = (until: AbortSignal) => Promise<unknown>

// One system that cannot be reached ends its own step only; a step that gave way to a suspect is done again in the next round.
async function each(reconciler: Reconciler, channel: string, signal: AbortSignal, steps: readonly Step[]): Promise<void> {
  const { hands, log } = reconciler
  for (const step of steps) {
    await hands.together(async (giveWay) => {
      const until = AbortSignal.any([signal, giveWay])
      try {
        await step(until)
        reconciler.progress(`reconciled ${channel}`)
      } catch (error) {
        if (until.aborted) return
        if (!(error instanceof IntegrationError)) throw error
        log.warn({ channel, code: error.code }, 'a step of the reconciliation found its system not answering')
      }
    })
  }
}
