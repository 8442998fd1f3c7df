import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunningHub, startHub, until } from '../support/running-hub.ts'
import { reportText } from './auditor/report.ts'
import { judged } from './judge.ts'
import { yamlOf } from './stage-yaml.ts'

let running: RunningHub
beforeAll(async () => {
  // The schedule as it is in production: only the clock is moved.
  running = await startHub({
    yaml: yamlOf([
      ['backoffScale: 0.02', 'backoffScale: 1'],
      ['IDEMPOTENT', 'false'],
    ]),
  })
})
afterAll(() => running.stop())

const inErp = async (team: string, count: number): Promise<void> => {
  const body = { state: 'sale', team, count, partner: 'María Pérez', lines: [{ sku: 'SKU-001', quantity: 1, price: 5_000 }] }
  await running.odoo('POST', '/admin/orders', body)
}
const states = async (channel: string): Promise<Record<string, number>> => {
  const sql = `SELECT state, count(*)::int AS n FROM delivery WHERE channel = $1 AND kind = 'order' GROUP BY state`
  const { rows } = await running.owner.query<{ state: string; n: number }>(sql, [channel])
  return Object.fromEntries(rows.map((row) => [row.state, row.n]))
}

const delivered = async (): Promise<number> => (await states('mercadolibre:1001')).delivered ?? 0

/** Moves the hub's clock while no service runs, so no request is in flight and no lease is in force. */
async function letPass(seconds: number): Promise<void> {
  await running.halt()
  await running.owner.query(`UPDATE hub_clock SET shift = shift + $1 * interval '1 s'`, [seconds])
  await running.restart()
}

const tried = async (): Promise<number> =>
  (await running.owner.query<{ n: number }>(`SELECT count(*)::int AS n FROM attempt WHERE channel = 'mercadolibre:1001'`)).rows[0]?.n ?? 0

test('an outage of a minute at one marketplace gives nothing up, and the other one goes on', { timeout: 120_000 }, async () => {
  await until(
    async () => (await running.owner.query(`SELECT 1 FROM delivery WHERE state IN ('pending', 'ambiguous')`)).rowCount === 0,
    30_000,
  )
  await running.meli('PUT', '/admin/faults', [{ match: {}, fault: 'status', status: 503 }])
  await inErp('MercadoLibre', 8)
  await until(async () => Object.values(await states('mercadolibre:1001')).reduce((sum, n) => sum + n, 0) === 8)
  for (let passed = 0; passed < 60; passed += 10) {
    const before = await tried()
    await inErp('Paris', 1)
    await letPass(10)
    await until(async () => (await states('paris:main')).delivered === passed / 10 + 1)
    // Probes go on: the channel is tested, not forgotten.
    if (passed >= 20) expect(await tried()).toBeGreaterThanOrEqual(before)
  }
  expect((await states('mercadolibre:1001')).dead).toBeUndefined()
  expect((await states('mercadolibre:1001')).delivered).toBeUndefined()
  await running.meli('DELETE', '/admin/faults')
  for (let round = 0; round < 12 && (await delivered()) < 8; round++) {
    const before = await delivered()
    await letPass(60)
    // The probe goes first; once it is answered the others follow at their own due times.
    await until(async () => (await delivered()) > before, 5_000).catch(() => {})
  }
  expect(await states('mercadolibre:1001')).toEqual({ delivered: 8 })
  const { rows } = await running.owner.query(`SELECT 1 FROM delivery WHERE state = 'dead'`)
  expect(rows).toEqual([])
  const report = await judged(running, { erpToMarketplace: 14, marketplaceToErp: 0, incidents: null }, 60_000)
  expect(report.breaches, reportText(report)).toEqual([])
})
