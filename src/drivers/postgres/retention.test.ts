import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { type Rows, rowsOf } from '../../../test/support/rows.ts'
import { letGo } from '../../flows/let-go.ts'
import { RETENTION_CLASSES, type Retention, type RetentionClass } from '../../ports/retention.ts'
import { connect, type Pool } from './pool.ts'
import { postgresRetention } from './retention.ts'

const CHANNEL = 'mercadolibre:1001'
const DAYS = 30

let database: TestDatabase
let owner: Pool
let operator: Pool
let rows: Rows
let retention: Retention
beforeAll(async () => {
  database = await cloneDatabase()
  owner = connect({ url: database.migratorUrl, role: null, max: 2, applicationName: 'retention-test' })
  operator = connect({ url: database.url, role: 'rosh_operator', max: 2, applicationName: 'retention-test' })
  rows = rowsOf(owner)
  retention = postgresRetention(operator)
  for (const channel of ['odoo', CHANNEL]) await rows.channel(channel)
})
afterAll(async () => {
  await operator.end()
  await owner.end()
  await database.drop()
})
beforeEach(async () => {
  await rows.clear()
  await owner.query('DELETE FROM data_key')
  await owner.query(`UPDATE hub_clock SET shift = '0'`)
})

const days = (count: number) => owner.query('UPDATE hub_clock SET shift = make_interval(days => $1)', [count])
const countOf = async (of: RetentionClass): Promise<number> => (await retention.due(of, DAYS))?.count ?? 0
const run = (of: RetentionClass): Promise<number> =>
  letGo(retention, { of, days: DAYS }, { progress: () => {}, signal: new AbortController().signal })
const valuesOf = async (sql: string): Promise<unknown[]> => (await owner.query<{ value: unknown }>(sql)).rows.map((row) => row.value)

async function orderWithBuyer(): Promise<string> {
  const id = await rows.order()
  await owner.query(
    `WITH k AS (INSERT INTO data_key (purpose, kek_id, wrapped) VALUES ('order', 'kek', 'w') RETURNING id)
     UPDATE silver_order SET personal = 'sealed', key_id = k.id FROM k WHERE silver_order.id = $1`,
    [id],
  )
  return id
}

/** One row of every class. */
async function oneOfEach(): Promise<{ order: string; event: string }> {
  const order = await orderWithBuyer()
  const event = await rows.inbound({ topic: 'sweep', state: 'ignored', reason: 'unchanged' })
  await rows.attempt({ inboundId: event, theirText: 'Av. Providencia 4711' })
  return { order, event }
}

test('a class is due a day after its time, not a day before', async () => {
  await oneOfEach()
  await days(DAYS - 1)
  for (const of of RETENTION_CLASSES) expect([of, await countOf(of)]).toEqual([of, 0])
  await days(DAYS + 1)
  for (const of of RETENTION_CLASSES) expect([of, await countOf(of)]).toEqual([of, 1])
})

test('the buyer of an order that is still worked on stays, whatever its age', async () => {
  const [waiting, told, quiet] = [await orderWithBuyer(), await orderWithBuyer(), await orderWithBuyer()]
  const bindingId = await rows.binding({ orderId: waiting, channel: CHANNEL })
  await rows.delivery({ orderId: waiting, channel: CHANNEL, bindingId, state: 'pending' })
  // As it arrives: an event is tied to its order when it ends.
  await owner.query(`UPDATE silver_order SET origin = $2, order_key = '4711' WHERE id = $1`, [told, CHANNEL])
  await rows.inbound({ orderKey: '4711', state: 'pending' })
  await days(DAYS + 1)
  expect(await run('personal')).toBe(1)
  expect(await valuesOf('SELECT id AS value FROM silver_order WHERE erased_at IS NOT NULL')).toEqual([quiet])
  expect(await valuesOf(`SELECT count(*)::int AS value FROM data_key WHERE purpose = 'order'`)).toEqual([2])
})

test('bytes go and their digest stays; those of a waiting event stay', async () => {
  await rows.inbound({ state: 'applied' })
  await rows.inbound({ state: 'pending' })
  await rows.request({ verdict: 'malformed' })
  await days(DAYS + 1)
  expect(await run('raw')).toBe(2)
  expect(await valuesOf('SELECT (body IS NULL) AS value FROM inbound_request ORDER BY id')).toEqual([true, false, true])
  expect(await valuesOf('SELECT count(*)::int AS value FROM inbound_request WHERE body_sha256 IS NULL')).toEqual([0])
})

test('words of others go; what an attempt came to stays, and one under way is left alone', async () => {
  const event = await rows.inbound({ state: 'applied' })
  await rows.attempt({ inboundId: event, theirText: 'theirs', summary: 'ours' })
  await rows.attempt({ inboundId: event, theirText: 'theirs', outcome: null })
  await rows.attempt({ inboundId: await rows.inbound(), theirText: 'of what waits', summary: 'ours' })
  await days(DAYS + 1)
  expect(await run('other-text')).toBe(1)
  expect(await valuesOf(`SELECT coalesce(their_text, '-') || ' ' || coalesce(summary, '-') AS value FROM attempt ORDER BY id`)).toEqual([
    '- ours',
    'theirs -',
    'of what waits ours',
  ])
})

test('a look that found nothing new goes with its attempts and its request; every other event stays, and all is still accounted for', async () => {
  const { event } = await oneOfEach()
  const kept = [
    await rows.inbound({ topic: 'sweep', state: 'applied' }),
    await rows.inbound({ topic: 'sweep', state: 'dead' }),
    await rows.inbound({ topic: 'orders_v2', state: 'ignored', reason: 'unchanged' }),
  ]
  await owner.query(`UPDATE inbound_event SET resolved_by = $1 WHERE id = $2`, [kept[0], kept[1]])
  await days(DAYS + 1)
  expect(await run('unchanged')).toBe(1)
  expect(await valuesOf('SELECT id AS value FROM inbound_event ORDER BY id')).toEqual(kept)
  expect(await valuesOf(`SELECT id AS value FROM attempt WHERE inbound_event_id = ${event}`)).toEqual([])
  expect(await valuesOf('SELECT count(*)::int AS value FROM inbound_request')).toEqual([3])
  expect(await valuesOf(`SELECT flow AS value FROM conservation WHERE taken <> accounted AND flow <> 'erp'`)).toEqual([])
})

test('a look that found nothing new stays with what it resolved', async () => {
  const { event } = await oneOfEach()
  const dead = await rows.inbound({ state: 'dead' })
  await owner.query(`UPDATE inbound_event SET resolved_by = $1 WHERE id = $2`, [event, dead])
  await days(DAYS + 1)
  expect(await run('unchanged')).toBe(0)
})

test('more than a window goes window by window, and a second run finds nothing', async () => {
  await owner.query(
    `INSERT INTO inbound_request (received_at, path, verdict, headers, body, body_sha256, body_bytes)
     SELECT hub_now(), 'x', 'malformed', '{}', 'x', sha256('x'), 1 FROM generate_series(1, 1200)`,
  )
  await days(DAYS + 1)
  const said: number[] = []
  const options = { progress: (gone: number) => void said.push(gone), signal: new AbortController().signal }
  expect(await letGo(retention, { of: 'raw', days: DAYS }, options)).toBe(1200)
  expect(said.length).toBeGreaterThan(1)
  expect(await run('raw')).toBe(0)
})

test('the database lets nothing go that is younger than a day, and to no other role', async () => {
  await oneOfEach()
  await expect(retention.letGo('raw', 0, { low: '0', high: '1000000' })).rejects.toThrow('less than a day')
  const worker = connect({ url: database.url, role: 'rosh_worker', max: 1, applicationName: 'retention-test' })
  await expect(postgresRetention(worker).letGo('raw', DAYS, { low: '0', high: '1000000' })).rejects.toThrow('permission denied')
  await worker.end()
})
