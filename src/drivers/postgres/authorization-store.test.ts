import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.ts'
import type { AuthorizationStore } from '../../ports/authorization.ts'
import { postgresAuthorizations } from './authorization-store.ts'
import { connect, type Pool } from './pool.ts'
import { sealer } from './sealed-column.ts'

const LIFETIME_MS = 600_000

let database: TestDatabase
let pool: Pool
let owner: Pool
let store: AuthorizationStore

beforeAll(async () => {
  database = await cloneDatabase()
  pool = connect({ url: database.url, role: 'rosh_worker', max: 8, applicationName: 'authorization-test' })
  owner = connect({ url: database.migratorUrl, role: null, max: 1, applicationName: 'authorization-test-owner' })
  store = postgresAuthorizations(pool, sealer({ kekId: 'kek-1', key: randomBytes(32) }), 'mercadolibre')
})

beforeEach(async () => {
  await owner.query('TRUNCATE oauth_authorization, data_key CASCADE')
  await owner.query(`UPDATE hub_clock SET shift = '0'`)
})

afterAll(async () => {
  await Promise.all([pool.end(), owner.end()])
  await database.drop()
})

const anAuthorization = (state: string) => ({ state, verifier: `verifier-of-${state}`, principal: 'cli:ana', accountId: null })

async function later(minutes: number): Promise<void> {
  await owner.query(`UPDATE hub_clock SET shift = shift + $1 * interval '1 minute'`, [minutes])
}

test('a state is taken once, by one of any number of callers, with the verifier that was made for it', async () => {
  await store.start(anAuthorization('s1'), LIFETIME_MS)
  await store.start({ ...anAuthorization('s2'), accountId: '1001' }, LIFETIME_MS)
  const taken = await Promise.all(Array.from({ length: 8 }, () => store.take('s1')))
  expect(taken.filter((t) => t.kind === 'taken')).toMatchObject([{ verifier: 'verifier-of-s1', principal: 'cli:ana', accountId: null }])
  expect(taken.filter((t) => t.kind === 'used')).toHaveLength(7)
  expect(await store.take('s2')).toMatchObject({ kind: 'taken', verifier: 'verifier-of-s2', accountId: '1001' })
})

test('a dump of the table shows neither state nor verifier', async () => {
  await store.start(anAuthorization('state-of-the-test'), LIFETIME_MS)
  const { rows } = await owner.query<{ dump: string }>(
    `SELECT a::text || encode(a.verifier, 'escape') || encode(a.state_sha256, 'escape') AS dump FROM oauth_authorization a`,
  )
  expect(rows[0]?.dump).not.toMatch(/state-of-the-test/)
})

test('a verifier that was moved to another row does not open', async () => {
  await store.start(anAuthorization('s1'), LIFETIME_MS)
  await store.start(anAuthorization('s2'), LIFETIME_MS)
  await owner.query(`UPDATE oauth_authorization SET verifier = (SELECT verifier FROM oauth_authorization ORDER BY created_at DESC LIMIT 1)`)
  await expect(store.take('s1')).rejects.toThrow(/authenticate/)
})

test('after its lifetime it is expired, and a state that nobody started is unknown', async () => {
  const { expiresAt } = await store.start(anAuthorization('s1'), LIFETIME_MS)
  expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now())
  expect(await store.progress('s1')).toEqual({ kind: 'waiting' })
  await later(11)
  expect(await store.take('s1')).toEqual({ kind: 'expired' })
  expect(await store.progress('s1')).toEqual({ kind: 'expired' })
  expect(await store.take('s9')).toEqual({ kind: 'unknown' })
  expect(await store.progress('s9')).toEqual({ kind: 'expired' })
})

test('without a state the only open one is taken, and none of several', async () => {
  expect(await store.take(null)).toEqual({ kind: 'unknown' })
  await store.start(anAuthorization('s1'), LIFETIME_MS)
  await later(11)
  await store.start(anAuthorization('s2'), LIFETIME_MS)
  await store.start(anAuthorization('s3'), LIFETIME_MS)
  expect(await store.take(null)).toEqual({ kind: 'several' })
  await store.take('s3')
  expect(await store.take(null)).toMatchObject({ kind: 'taken', verifier: 'verifier-of-s2' })
})

test('who waits is told how it ended; one whose process died is given up on a minute later', async () => {
  await store.start(anAuthorization('s1'), LIFETIME_MS)
  await store.start(anAuthorization('s2'), LIFETIME_MS)
  const taken = await store.take('s1')
  await store.take('s2')
  expect(await store.progress('s1')).toEqual({ kind: 'waiting' })
  const outcome = { kind: 'connected', channel: 'mercadolibre:1001', word: null }
  await store.finish(taken.kind === 'taken' ? taken.id : '', outcome)
  expect(await store.progress('s1')).toEqual({ kind: 'ended', outcome })
  await later(12)
  expect(await store.progress('s2')).toEqual({ kind: 'expired' })
})

test('the verifier of one that expired is forgotten, and tries do not pile up keys', async () => {
  await store.start(anAuthorization('s1'), LIFETIME_MS)
  await later(11)
  await store.start(anAuthorization('s2'), LIFETIME_MS)
  const { rows } = await owner.query(
    'SELECT count(*)::int AS started, count(verifier)::int AS verifiers, (SELECT count(*) FROM data_key)::int AS keys FROM oauth_authorization',
  )
  expect(rows).toEqual([{ started: 2, verifiers: 1, keys: 1 }])
  expect(await store.take('s1')).toEqual({ kind: 'expired' })
})
