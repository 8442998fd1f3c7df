import { afterEach, expect, test } from 'vitest'
import { runOutboxWorker } from '../../src/apps/outbox-worker.ts'
import { type RunningHub, startHub } from '../support/running-hub.ts'
import { reportText } from './auditor/report.ts'
import type { AuditReport } from './auditor/audit.ts'
import { withoutSettle } from './mutants/no-settle.ts'
import { CHAOS_YAML, judged, makeNaive, runScenario } from './scenario.ts'

let running: RunningHub | undefined
afterEach(async () => {
  await running?.stop()
  running = undefined
})

/** Marketplaces take longer than our timeout, so every create is accepted late: its answer is lost, and the order comes after. */
async function acceptedLate(mutant: boolean): Promise<AuditReport> {
  running = await startHub({ services: ['subscriber', 'reconciler'], yaml: CHAOS_YAML.replaceAll('settleMs: 800', 'settleMs: 4000') })
  await makeNaive(running, LATE_MS)
  const { hub } = running
  const stopping = new AbortController()
  const worker = runOutboxWorker(
    {
      ...hub,
      outbox: mutant ? withoutSettle(hub.outbox, hub.pools.worker) : hub.outbox,
      channels: hub.channels.map((channel) => ({ ...channel, capabilities: { ...channel.capabilities, updateStock: false } })),
      collect: { erp: hub.erp, store: hub.store, since: '1970-01-01T00:00:00.000Z', overlapMs: 60_000, chunk: 25, leaseMs: 2_000 },
      backoffScale: 0.002,
      collectEveryMs: 200,
      sweepMs: 100,
      progress: () => {},
    },
    stopping.signal,
  )
  const order = (team: string) =>
    running?.odoo('POST', '/admin/orders', {
      state: 'sale',
      team,
      count: 4,
      partner: 'María Pérez',
      lines: [{ sku: 'SKU-001', quantity: 1, price: 5_000 }],
    })
  await order('MercadoLibre')
  await order('Paris')
  const report = await judged(running, { erpToMarketplace: 8, marketplaceToErp: 0, incidents: null })
  stopping.abort()
  await worker
  return report
}
const LATE_MS = 2_500

test('an order accepted late is never sent again, since the settle window comes first', { timeout: 120_000 }, async () => {
  const report = await acceptedLate(false)
  expect(report.breaches, reportText(report)).toEqual([])
})

test('no-settle: a look-up at once after an unknown outcome doubles orders, and the auditor says so', { timeout: 120_000 }, async () => {
  const report = await acceptedLate(true)
  expect(report.doubled, reportText(report)).toBeGreaterThan(0)
  expect(report.breaches.filter((one) => one.kind === 'doubled')[0]?.message).toMatch(/orders under the reference odoo-\d+/)
})

test('ref-batch-txn: requests inside one transaction double orders when the process dies, and the auditor says so', {
  timeout: 120_000,
}, async () => {
  const { kill, report } = await runScenario({ seed: 202, role: 'ref-batch-txn', point: 'after-response-before-finish', system: null })
  expect(kill).not.toBeNull()
  expect(report.doubled, reportText(report)).toBeGreaterThan(0)
})
