import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { applyGate, applyGates, debitGate, openGate, readGate } from './gate.ts'
import { connect, type Pool, transaction } from './pool.ts'

let database: TestDatabase
let pool: Pool
let owner: Pool

beforeAll(async () => {
  database = await cloneDatabase()
  pool = connect({ url: database.url, role: 'rosh_worker', max: 4, applicationName: 'gate-test' })
  owner = connect({ url: database.migratorUrl, role: null, max: 1, applicationName: 'gate-test-owner' })
})

beforeEach(async () => {
  await owner.query('TRUNCATE channel CASCADE')
  await owner.query(`UPDATE hub_clock SET shift = '0'`)
  await owner.query(
    `INSERT INTO channel (id, marketplace, account_id) VALUES ('paris:main', 'paris', 'main'), ('odoo', 'odoo', 'main'), ('mercadolibre:1', 'mercadolibre', '1')`,
  )
})

afterAll(async () => {
  await Promise.all([pool.end(), owner.end()])
  await database.drop()
})

const failure = { kind: 'failure' } as const
const passage = (limit = 10, channel = 'paris:main') => transaction(pool, (client) => openGate(client, channel, limit))
const refused = { kind: 'pause', cause: 'credentials-rejected' } as const
const healthy = { kind: 'healthy' } as const

async function fail(times: number): Promise<void> {
  for (let i = 0; i < times; i += 1) await applyGate(pool, 'paris:main', failure)
}

async function later(seconds: number): Promise<void> {
  await owner.query(`UPDATE hub_clock SET shift = shift + $1 * interval '1 s'`, [seconds])
}

async function probeInSeconds(channel = 'paris:main'): Promise<number> {
  const { rows } = await owner.query<{ s: number }>(
    `SELECT round(extract(epoch FROM probe_at - hub_now()))::int AS s FROM channel WHERE id = $1`,
    [channel],
  )
  return rows[0]!.s
}

test('four failures keep the circuit closed and a success forgets them', async () => {
  await fail(4)
  expect(await readGate(pool, 'paris:main')).toMatchObject({ state: 'closed', failures: 4 })
  await applyGate(pool, 'paris:main', { kind: 'healthy' })
  await fail(4)
  expect(await readGate(pool, 'paris:main')).toMatchObject({ state: 'closed', failures: 4 })
})

test('the fifth failure in a row opens the circuit and nothing passes until the probe is due', async () => {
  await fail(5)
  expect(await readGate(pool, 'paris:main')).toMatchObject({ state: 'open', failures: 5 })
  expect(await passage()).toEqual({ most: 0, probe: false })
  await later(6)
  expect((await readGate(pool, 'paris:main'))?.state).toBe('probing')
  expect(await passage()).toEqual({ most: 1, probe: true })
})

test('failed probes come 5, 10, 20, 40 and then always 60 seconds apart', async () => {
  await fail(5)
  const waits = [await probeInSeconds()]
  for (let i = 0; i < 5; i += 1) {
    await later(61)
    await fail(1)
    waits.push(await probeInSeconds())
  }
  expect(waits).toEqual([5, 10, 20, 40, 60, 60])
})

test('failures that were under way when the circuit opened do not put the probe off', async () => {
  await fail(5)
  for (let i = 0; i < 30; i += 1) await applyGate(pool, 'paris:main', failure, false)
  expect(await probeInSeconds()).toBe(5)
  expect((await readGate(pool, 'paris:main'))?.failures).toBe(5)
})

test('one probe is under way at a time, and its success opens the gate', async () => {
  await fail(5)
  await later(6)
  await transaction(pool, async (client) => {
    const { most, probe } = await openGate(client, 'paris:main', 10)
    await debitGate(client, 'paris:main', { tokens: most, probe, leaseMs: 30_000 })
  })
  expect(await passage()).toEqual({ most: 0, probe: false })
  await applyGate(pool, 'paris:main', { kind: 'healthy' })
  expect(await passage()).toEqual({ most: 10, probe: false })
})

test('a limit only ever grows', async () => {
  await applyGate(pool, 'paris:main', { kind: 'limit', forMs: 60_000 })
  const long = (await readGate(pool, 'paris:main'))?.limitedUntil
  await applyGate(pool, 'paris:main', { kind: 'limit', forMs: 1_000 })
  expect(await readGate(pool, 'paris:main')).toMatchObject({ state: 'limited', limitedUntil: long })
  expect((await passage()).most).toBe(0)
  await later(61)
  expect(await passage()).toEqual({ most: 10, probe: false })
})

test.each(['odoo', 'paris:main'])(
  'a refused key pauses %s; one probe at a time asks again, and its healthy answer ends the pause',
  async (channel) => {
    await applyGate(pool, channel, refused, false)
    expect(await passage(10, channel)).toEqual({ most: 0, probe: false })
    await later(6)
    await transaction(pool, async (client) => {
      expect(await openGate(client, channel, 10)).toEqual({ most: 1, probe: true })
      await debitGate(client, channel, { tokens: 1, probe: true, leaseMs: 30_000 })
    })
    expect(await passage(10, channel)).toEqual({ most: 0, probe: false })
    await applyGate(pool, channel, healthy, true)
    expect(await readGate(pool, channel)).toMatchObject({ state: 'closed', pausedAt: null, pauseCause: null, probeAt: null })
    expect(await passage(10, channel)).toEqual({ most: 10, probe: false })
  },
)

test('probes of a pause come further and further apart, up to 60 seconds, whether they are refused or not answered', async () => {
  await applyGate(pool, 'odoo', refused, false)
  const waits = [await probeInSeconds('odoo')]
  for (const answer of [refused, refused, refused, failure, refused, failure]) {
    await later(waits.at(-1) ?? 0)
    await applyGate(pool, 'odoo', answer, true)
    waits.push(await probeInSeconds('odoo'))
  }
  expect(waits).toEqual([5, 5, 10, 20, 40, 60, 60])
})

test('a pause keeps its first cause and time, and answers to what was under way when it began change nothing', async () => {
  await applyGate(pool, 'paris:main', refused, false)
  const first = await readGate(pool, 'paris:main')
  await later(5)
  await applyGate(pool, 'paris:main', { kind: 'pause', cause: 'channel-paused' }, false)
  await applyGate(pool, 'paris:main', healthy, false)
  expect(await readGate(pool, 'paris:main')).toEqual(first)
  expect(first).toMatchObject({ state: 'paused', pauseCause: 'credentials-rejected' })
})

test('in a group with other healthy answers the one of the probe counts', async () => {
  await applyGate(pool, 'odoo', refused, false)
  const answers = [false, true, false].map((probe) => ({ channel: 'odoo', effect: healthy, probe }))
  await transaction(pool, (client) => applyGates(client, answers))
  expect((await readGate(pool, 'odoo'))?.state).toBe('closed')
})

test.each([
  ['an OAuth grant was refused', 'mercadolibre:1', refused],
  ['something else than a refused key paused the channel', 'odoo', { kind: 'pause', cause: 'channel-paused' }],
] as const)('nothing tests a pause where %s: a person ends it', async (_what, channel, pause) => {
  await applyGate(pool, channel, pause, false)
  await later(3_600)
  expect(await passage(10, channel)).toEqual({ most: 0, probe: false })
  await applyGate(pool, channel, healthy, true)
  expect((await readGate(pool, channel))?.state).toBe('paused')
})

test('a claim takes no more than the bucket holds, and time fills it again', async () => {
  await owner.query(`UPDATE channel SET bucket_rate = 2, bucket_size = 4, bucket_tokens = 4, bucket_at = hub_now() WHERE id = 'paris:main'`)
  expect((await passage()).most).toBe(4)
  await transaction(pool, (client) => debitGate(client, 'paris:main', { tokens: 4, probe: false, leaseMs: 1_000 }))
  expect((await passage()).most).toBe(0)
  await later(1)
  expect((await passage()).most).toBe(2)
  await later(100)
  expect((await passage()).most).toBe(4)
})

test('a disabled or unknown channel lets nothing pass', async () => {
  await owner.query(`UPDATE channel SET enabled = false WHERE id = 'paris:main'`)
  expect((await passage()).most).toBe(0)
  expect((await readGate(pool, 'paris:main'))?.state).toBe('disabled')
  expect(await readGate(pool, 'nobody')).toBeNull()
})

test('a healthy answer writes nothing while the gate is healthy', async () => {
  const at = async () => (await owner.query(`SELECT xmin::text FROM channel WHERE id = 'paris:main'`)).rows
  const before = await at()
  await applyGate(pool, 'paris:main', { kind: 'healthy' })
  await applyGate(pool, 'paris:main', { kind: 'none' })
  expect(await at()).toEqual(before)
})

test('groups that touch the same channels in opposite order do not deadlock', async () => {
  const effects = ['paris:main', 'odoo'].map((channel) => ({ channel, effect: failure }))
  const groups = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? effects : effects.toReversed()))
  await Promise.all(groups.map((group) => transaction(pool, (client) => applyGates(client, group))))
  expect((await readGate(pool, 'odoo'))?.failures).toBe(20)
})

test('inserts that refer to a channel do not wait for a claim that holds its gate', async () => {
  await transaction(pool, async (client) => {
    await openGate(client, 'paris:main', 1)
    const { rowCount } = await owner.query(`INSERT INTO resource (channel, resource, fetch_no) VALUES ('paris:main', '/orders/1', 1)`)
    expect(rowCount).toBe(1)
  })
})
