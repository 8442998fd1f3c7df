import { type CollectPorts, recollectErpOrders, reconcileErpIds } from '../flows/collect-erp-orders.ts'
import { compareDelivered, type ReconcilePorts, readMissedEvents, sweepMarketplace } from '../flows/reconcile-marketplace.ts'
import { IntegrationError } from '../core/integration-error.ts'
import type { Clock } from '../ports/clock.ts'
import type { Erp } from '../ports/erp.ts'
import type { Inbox } from '../ports/inbox.ts'
import type { Marketplace } from '../ports/marketplace.ts'
import { type Log, supervise, Wake } from '../supervise.ts'

export interface Reconciler {
  erp: Erp
  marketplaces: readonly Marketplace[]
  collect: CollectPorts
  inbox: Inbox
  portsOf(channel: string): ReconcilePorts
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
    await each(reconciler, marketplace.channel, [
      () => sweepMarketplace(marketplace, ports, signal),
      () => readMissedEvents(marketplace, reconciler.inbox, signal),
      () => compareDelivered(marketplace, ports, signal),
    ])
    return 'idle'
  })
}

async function erpLoop(reconciler: Reconciler, signal: AbortSignal): Promise<void> {
  const { clock, log, everyMs, erp, collect } = reconciler
  await supervise({ name: 'reconcile odoo', clock, log, wake: new Wake(), everyMs, signal }, async () => {
    await each(reconciler, 'odoo', [
      async () =>
        reconcileErpIds(new Date(Date.parse(await erp.serverTime(signal)) - RECONCILE_DAYS * 86_400_000).toISOString(), collect, signal),
      async () => recollectErpOrders(await collect.store.openErpOrderIds(RECONCILE_DAYS), collect, signal),
      () => compareDelivered(erp, reconciler.portsOf('odoo'), signal),
    ])
    return 'idle'
  })
}

// One system that cannot be reached ends its own step only.
async function each(reconciler: Reconciler, channel: string, steps: (() => Promise<unknown>)[]): Promise<void> {
  for (const step of steps) {
    try {
      await step()
      reconciler.progress(`reconciled ${channel}`)
    } catch (error) {
      if (!(error instanceof IntegrationError)) throw error
      reconciler.log.warn({ channel, code: error.code }, 'a step of the reconciliation found its system not answering')
    }
  }
}
