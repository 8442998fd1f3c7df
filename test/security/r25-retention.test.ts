import { afterAll, beforeAll, expect, test } from 'vitest'
import { verifyChain } from '../../src/drivers/audit-chain.ts'
import { signingKey } from '../../src/checkpoints.ts'
import { runRosh } from '../support/rosh.ts'
import { type RunningHub, startHub, until } from '../support/running-hub.ts'

let running: RunningHub
beforeAll(async () => {
  running = await startHub()
  await running.meli('POST', '/admin/purchases', { seller: 1001, items: [{ sku: 'SKU-001', quantity: 1, unit_price: 5_000 }] })
  await until(async () => (await buyers()) === 1 && (await isQuiet()))
})
afterAll(() => running?.stop())

const numberOf = async (sql: string): Promise<number> => (await running.owner.query<{ n: number }>(sql)).rows[0]?.n ?? 0
const buyers = (): Promise<number> => numberOf('SELECT count(*)::int AS n FROM silver_order WHERE personal IS NOT NULL')
const isQuiet = async (): Promise<boolean> =>
  (await numberOf(`SELECT ((SELECT count(*) FROM delivery WHERE state = 'delivered') > 0
    AND NOT EXISTS (SELECT FROM delivery WHERE state IN ('pending', 'ambiguous')) AND NOT EXISTS (SELECT FROM inbound_event WHERE state = 'pending'))::int AS n`)) ===
  1

async function rosh(...args: string[]): Promise<{ done: boolean; classes: { class: string; days: number; due: number; gone: number }[] }> {
  const out: string[] = []
  await runRosh(running, ['retention', ...args, '--json'], (line) => out.push(line))
  return JSON.parse(out.join('\n'))
}

test('what is young stays, even with --yes', async () => {
  const { classes } = await rosh('--yes')
  expect(classes.map((line) => [line.class, line.days, line.gone])).toEqual([
    ['personal', 730, 0],
    ['raw', 90, 0],
    ['other-text', 90, 0],
    ['unchanged', 30, 0],
  ])
})

test('two years later the buyer is shown as due, and goes with --yes alone', async () => {
  // What a day-long leap would make due of the hub's own work is not what this is about; nor is what nobody would apply any more.
  await running.meli('PUT', '/admin/callback', { url: null })
  await until(isQuiet)
  await running.halt()
  await running.owner.query(`UPDATE hub_clock SET shift = '800 days'`)
  const shown = await rosh('--class', 'personal', 'raw')
  expect(shown).toMatchObject({ done: false, classes: [{ class: 'personal', due: 1 }, { class: 'raw' }] })
  expect(await buyers()).toBe(1)
  const gone = await rosh('--yes', '--reason', 'two years are over')
  expect(gone).toMatchObject({ done: true, classes: [{ class: 'personal', gone: 1 }, {}, {}, {}] })
  expect(await buyers()).toBe(0)
  expect(await numberOf('SELECT count(*)::int AS n FROM inbound_request WHERE body IS NOT NULL')).toBe(0)
  expect((await rosh('--yes')).classes.map((line) => line.gone)).toEqual([0, 0, 0, 0])
})

test('what went is in the audit log as counts, and the log still verifies', async () => {
  const { rows } = await running.owner.query(
    `SELECT params_json, result_status FROM mcp_audit_log WHERE tool_name = 'rosh retention' ORDER BY timestamp LIMIT 1`,
  )
  expect(rows).toEqual([{ params_json: { personal: 730, raw: 90, 'other-text': 90, unchanged: 30 }, result_status: 'ok' }])
  const { publicKey } = signingKey(running.hub.config.secrets.auditSigningKey)
  const verdict = await verifyChain(running.hub.auditChain.rows(), { checkpoints: [], publicKey })
  expect(verdict).toMatchObject({ problems: [] })
})
