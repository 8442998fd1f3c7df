import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../test/support/database.ts'
import { collectStartOf, startsOf, sweepStartOf } from './collect-start.ts'
import { type Config, loadConfig } from './config.ts'
import { collectStart } from './drivers/postgres/collect-store.ts'
import { connect, type Pool } from './drivers/postgres/pool.ts'
import { postgresReconcileStore } from './drivers/postgres/reconcile-store.ts'

const DAY_MS = 86_400_000
const REAL = { ODOO_URL: 'https://odoo.example', ODOO_DB: 'shop', ODOO_USER: 'hub', ODOO_PASSWORD: 'a-key' }

let database: TestDatabase
let worker: Pool
beforeAll(async () => {
  database = await cloneDatabase()
  worker = connect({ url: database.url, role: 'rosh_worker', max: 2, applicationName: 'test collect start' })
})
const homes: string[] = []
afterAll(async () => {
  for (const home of homes) rmSync(home, { recursive: true })
  await worker.end()
  await database.drop()
})

const store = { collectStart: (spanMs: number) => collectStart(worker, spanMs) }

function configured(env: Record<string, string>, yaml = ''): Config {
  const home = mkdtempSync(join(tmpdir(), 'rosh-start-'))
  homes.push(home)
  writeFileSync(join(home, 'hub.yaml'), yaml)
  return loadConfig({ ROSH_HOME: home, ROSH_CONFIG: join(home, 'hub.yaml'), ...env }, { demo: false })
}

test('a hub that meets a real Odoo begins a day before its first start, and says so', async () => {
  const { since, says } = await collectStartOf(configured(REAL), store)
  expect(Math.abs(Date.now() - DAY_MS - Date.parse(since))).toBeLessThan(60_000)
  expect(says).toContain(since)
  expect(says).toContain('collectSince')
})

test('a later start keeps the day of the first: what the reconciler proves does not shrink', async () => {
  const { since } = await collectStartOf(configured(REAL), store)
  expect((await collectStartOf(configured(REAL), store)).since).toBe(since)
})

test('the word of the YAML file wins, and leaves no mark', async () => {
  const yaml = `collectSince: '2026-01-02T03:04:05-03:00'`
  expect((await collectStartOf(configured(REAL, yaml), store)).since).toBe('2026-01-02T06:04:05.000Z')
})

test('the simulated Odoo is read whole', async () => {
  expect((await collectStartOf(configured({}), store)).since).toBe('1970-01-01T00:00:00.000Z')
})

const ML = 'mercadolibre:1001'
const REAL_ML = { ML_CLIENT_ID: '1', ML_CLIENT_SECRET: 'secret', ML_REDIRECT_URI: 'https://hub.example/oauth/mercadolibre/callback' }

test('sweeps of a real marketplace begin a day before the first start of that channel, and stay with it', async () => {
  const reconcile = postgresReconcileStore(worker, 3)
  const { since } = await sweepStartOf(configured(REAL_ML), ML, reconcile)
  expect(Math.abs(Date.now() - DAY_MS - Date.parse(since))).toBeLessThan(60_000)
  expect((await sweepStartOf(configured(REAL_ML), ML, reconcile)).since).toBe(since)
  const said = await startsOf(configured(REAL_ML), [{ channel: ML }, { channel: 'paris:main' }], { store, reconcile })
  expect(said[1]).toContain(`channels.${ML}.since`)
  expect(said[2]).toBe('paris:main: every order of the simulated marketplace is swept')
})

test('the word of the YAML file wins for a marketplace as well', async () => {
  const yaml = `channels: { '${ML}': { since: '2026-01-02T03:04:05-03:00' } }`
  const { since } = await sweepStartOf(configured(REAL_ML, yaml), ML, postgresReconcileStore(worker, 3))
  expect(since).toBe('2026-01-02T06:04:05.000Z')
})
