import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { aChannel } from '../../../test/support/flow-fixtures.ts'
import { type Rows, rowsOf } from '../../../test/support/rows.ts'
import type { Claim } from '../../ports/outbox.ts'
import { forgottenForMs } from './database-copy.ts'
import { postgresOutbox, type PostgresOutbox } from './outbox.ts'
import { connect, type Pool } from './pool.ts'

let database: TestDatabase
let owner: Pool
let worker: Pool
let rows: Rows
let outbox: PostgresOutbox
beforeAll(async () => {
  database = await cloneDatabase()
  owner = connect({ url: database.migratorUrl, role: null, max: 2, applicationName: 'copy-test' })
  worker = connect({ url: database.url, role: 'rosh_worker', max: 2, applicationName: 'copy-test' })
  rows = rowsOf(owner)
  for (const channel of ['odoo', CHANNEL]) await rows.channel(channel)
  outbox = postgresOutbox(worker, [aChannel(CHANNEL)], { open: () => Promise.resolve(null), unreadable: () => {} })
})
afterAll(async () => {
  await outbox.drain()
  await Promise.all([worker.end(), owner.end()])
  await database.drop()
})
beforeEach(async () => {
  await rows.clear()
  await owner.query('TRUNCATE database_copy')
  await owner.query(`UPDATE hub_clock SET shift = '0'`)
})

const CHANNEL = 'paris:main'
const claim = (): Promise<Claim[]> => outbox.claim(CHANNEL, 10)
/** As after a failover, a restore, or a rolled back disk of which the operator told. */
const otherCopy = () => owner.query(`UPDATE database_copy SET identity = 'rolled back'`)
/** Beyond the margin, the timeout and the settle window of the channel. */
const settled = () => owner.query(`UPDATE hub_clock SET shift = shift + interval '9 s'`)
const lastLease = async (): Promise<number> => Number((await owner.query('SELECT last_value FROM lease_number')).rows[0].last_value)

async function neverSent(): Promise<void> {
  const orderId = await rows.order()
  const bindingId = await rows.binding({ orderId, channel: CHANNEL })
  await rows.delivery({ orderId, channel: CHANNEL, bindingId })
}

test('the first copy is taken as it is: nothing was lost, and nothing waits', async () => {
  await neverSent()
  expect((await claim()).map((one) => one.wanted.firstSentAt)).toEqual([null])
})

test('in another copy nothing is claimed before it is known, and no number is given out twice', async () => {
  await neverSent()
  await claim()
  const before = await lastLease()
  await otherCopy()
  await neverSent()
  expect(await claim()).toEqual([])
  await settled()
  const [one] = await claim()
  expect(Number(one?.lease)).toBeGreaterThan(before + 1_000_000_000)
})

test('what may still be under way from before shows before anything is looked up', async () => {
  await claim()
  await otherCopy()
  await claim()
  await neverSent()
  expect(await claim()).toEqual([])
  await owner.query(`UPDATE hub_clock SET shift = shift + interval '7 s'`)
  expect(await claim()).toEqual([])
  await settled()
  expect(await claim()).toHaveLength(1)
})

test('what this copy never sent may have been sent before it, for a day', async () => {
  await claim()
  await neverSent()
  const attempt = await rows.attempt({
    deliveryId: (await owner.query<{ id: string }>('SELECT id FROM delivery')).rows[0]?.id ?? '',
    channel: CHANNEL,
  })
  await otherCopy()
  await claim()
  await settled()
  const [one] = await claim()
  const { rows: known } = await owner.query<{ at: string }>(`SELECT started_at - interval '10 minutes' AS at FROM attempt WHERE id = $1`, [
    attempt,
  ])
  expect(one?.wanted.firstSentAt).toBe(known[0]?.at)
  await owner.query(`UPDATE hub_clock SET shift = '25 hours'`)
  await neverSent() // made a day later: nothing of it can have been sent before
  expect((await claim()).map(({ wanted }) => wanted.firstSentAt)).toContain(null)
})

test('an order that bears our reference and that a restored copy does not know is waited for until the ERP was read', async () => {
  const forgotten = (...references: string[]): Promise<number | null> => forgottenForMs(worker, CHANNEL, references)
  await claim()
  expect(await forgotten('ODOO-13')).toBeNull() // nothing was restored: it is somebody else's
  await otherCopy()
  await claim()
  expect(await forgotten('ODOO-13')).toBe(3_000)
  await owner.query(`UPDATE hub_clock SET shift = '1 minute'`)
  expect(await forgotten('ODOO-13')).toBeGreaterThan(14_000)
  const orderId = await rows.order({ identifiers: [{ kind: 'reference', value: 'ODOO-13' }] })
  await rows.binding({ orderId, channel: CHANNEL, reference: 'odoo-13-g2' })
  expect(await forgotten('ODOO-13', 'ODOO-13-G2')).toBeNull()
  expect(await forgotten('ODOO-13', 'ODOO-14')).not.toBeNull()
  await rows.cursor('erp-orders')
  expect(await forgotten('ODOO-14')).toBeNull()
})

test('what waited for longer than a day is still looked up, and a second loss does not shorten the first', async () => {
  await claim()
  await neverSent()
  await rows.attempt({ deliveryId: (await owner.query<{ id: string }>('SELECT id FROM delivery')).rows[0]?.id ?? '', channel: CHANNEL })
  const lostFrom = async () => (await owner.query<{ at: string }>('SELECT lost_from AS at FROM database_copy')).rows[0]?.at
  await otherCopy()
  await claim()
  const first = await lostFrom()
  await owner.query(`UPDATE hub_clock SET shift = '3 days'`)
  const [one] = await claim()
  expect([one?.wanted.firstSentAt, typeof first]).toEqual([first, 'string'])
  await otherCopy()
  await claim()
  expect(await lostFrom()).toBe(first)
})

test('a second database of the server is another copy, and a table that was loaded anew too', async () => {
  const identity = async () => (await owner.query<{ i: string }>('SELECT database_identity() AS i')).rows[0]?.i
  const first = await identity()
  expect(first).toMatch(/^\d+\/[0-9A-F]{8}\/\d+\/\d+$/)
  const other = await cloneDatabase()
  const elsewhere = connect({ url: other.migratorUrl, role: null, max: 1, applicationName: 'copy-test' })
  expect((await elsewhere.query<{ i: string }>('SELECT database_identity() AS i')).rows[0]?.i).not.toBe(first)
  await elsewhere.end()
  await other.drop()
})
