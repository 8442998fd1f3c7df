import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { aTicket } from '../../../test/support/fetch-ticket.ts'
import { aChannel, anErpFragment } from '../../../test/support/flow-fixtures.ts'
import type { Fragment } from '../../core/order.ts'
import type { ClaimedEvent } from '../../ports/inbox.ts'
import type { OrderStore } from '../../ports/order-store.ts'
import { syncChannels } from './channels.ts'
import { postgresDeadLetters } from './dead-letters.ts'
import { postgresInbox, type PostgresInbox } from './inbox.ts'
import { postgresOrderStore } from './order-store.ts'
import { postgresPersonalData } from './personal-data.ts'
import { personalVault } from './personal.ts'
import { connect, type Pool, type Role } from './pool.ts'
import { sealer } from './sealed-column.ts'
import { eventsOfOrder } from './trace-silver-rows.ts'

const ML = 'mercadolibre:1001'
const OTHER = 'mercadolibre:1002'
const PARIS = 'paris:main'
const channels = [aChannel('odoo'), aChannel(ML), aChannel(OTHER), aChannel(PARIS)]
const vault = () => personalVault(worker, sealer({ kekId: 'test', key: new Uint8Array(32).fill(7) }))

let database: TestDatabase
let worker: Pool
let operator: Pool
let reader: Pool
let owner: Pool
let inbox: PostgresInbox
let store: OrderStore

beforeAll(async () => {
  database = await cloneDatabase()
  const as = (role: Role | null, url = database.url): Pool => connect({ url, role, max: 3, applicationName: 'tie test' })
  worker = as('rosh_worker')
  operator = as('rosh_operator')
  reader = as('rosh_reader')
  owner = as(null, database.migratorUrl)
  inbox = postgresInbox(worker, { maxTries: 12 })
  store = postgresOrderStore(worker, { plan: { channels, rules: [] }, vault: vault(), maxTries: 3 })
})

beforeEach(async () => {
  await owner.query('TRUNCATE channel, inbound_request, data_key CASCADE')
  await syncChannels(worker, channels)
})

afterAll(async () => {
  await Promise.all([worker, operator, reader, owner].map((pool) => pool.end()))
  await database.drop()
})

let serial = 0

/** A webhook of the resource, as the inbox stores it. Answers its event's number. */
async function arrive(channel: string, resource: string, orderKey: string | null = null): Promise<string> {
  serial += 1
  const key = String(serial)
  const event = { channel, topic: 'any', resource, sourceEventId: key, dedupeKey: key, comparable: key, orderKey, ignore: null }
  const request = { channel, path: '/webhooks', headers: {}, body: Buffer.from(key), sourceIp: null, traceparent: null }
  const [receipt] = await inbox.record(request, 'accepted', [event])
  const { rows } = await owner.query<{ id: string }>('SELECT id FROM inbound_event WHERE event_id = $1', [receipt?.eventId])
  return rows[0]!.id
}

async function claimOne(channel: string): Promise<ClaimedEvent> {
  const [claim] = await inbox.claim(channel, 1, 30_000)
  if (!claim) throw new Error('nothing to claim')
  return claim
}

const giveUp = async (channel: string): Promise<boolean> =>
  inbox.end(await claimOne(channel), { state: 'dead', cause: 'inbound-dead', gate: { kind: 'none' } })

function aSale(id: string): Fragment {
  const sale = anErpFragment(id, { identifiers: [{ kind: 'marketplace-order', value: id }], rawStatus: 'paid' })
  return { ...sale, totalMinor: 12_990 }
}

/** What a fetch of the resource shows is taken in, for its event or as the answer to our own send. Answers the order. */
async function takeIn(channel: string, resource: string, orderKey: string, claim: ClaimedEvent | null = null): Promise<string> {
  const ticket = claim ? await store.drawFetch(channel, resource, 30_000) : await aTicket(owner, channel, resource)
  if (!ticket) throw new Error('being fetched')
  const fetched = { orderKey, fragments: [aSale(orderKey)], personal: { buyerName: 'María Pérez' } }
  const applied = claim ? await store.applyEvent(claim, ticket, fetched) : await store.applyTold(ticket, fetched)
  if (!('orderId' in applied)) throw new Error(applied.kind)
  return applied.orderId
}

async function replayed(orderId: string): Promise<string[]> {
  const replays = await postgresDeadLetters(operator).replayOrder(orderId, randomUUID())
  return replays === 'in-flight' ? [replays] : replays.map(({ kind, ref }) => `${kind} ${ref.table} ${ref.id}`)
}

test.each([
  ['its resource was fetched for that order before', '/shipments/7', null],
  ['it names the order by its key', '/payments/9', 'po-1'],
])('an event that is given up on belongs to its order, and a retry of the order replays it: %s', async (_how, resource, orderKey) => {
  await arrive(PARIS, '/shipments/7')
  const orderId = await takeIn(PARIS, '/shipments/7', 'po-1', await claimOne(PARIS))
  const dead = await arrive(PARIS, resource, orderKey)
  await giveUp(PARIS)
  expect((await owner.query('SELECT order_id FROM inbound_event WHERE id = $1', [dead])).rows).toEqual([{ order_id: orderId }])
  expect((await postgresDeadLetters(operator).statesOfOrder(orderId)).map(({ ref }) => ref.id)).toContain(dead)
  expect(await replayed(orderId)).toEqual([`replayed inbound_event ${dead}`])
})

test('an event that was given up on before its order was known is replayed with it', async () => {
  const dead = await arrive(PARIS, '/payments/9', 'po-1')
  await giveUp(PARIS)
  const orderId = await takeIn(PARIS, '/orders/po-1', 'po-1')
  expect(await replayed(orderId)).toEqual([`replayed inbound_event ${dead}`])
})

test('what the answer to a send shows ties what ended at that resource', async () => {
  const dead = await arrive(ML, '/shipments/7')
  await giveUp(ML)
  const orderId = await takeIn(ML, '/shipments/7', '2000')
  expect((await eventsOfOrder(reader, orderId, null)).map(({ id }) => id)).toEqual([dead])
})

test('coalesced events are of the order as well: a trace shows them, an export holds them and an erasure empties them', async () => {
  const ids = [await arrive(ML, '/shipments/7'), await arrive(ML, '/shipments/7'), await arrive(ML, '/shipments/7')]
  await owner.query(
    `INSERT INTO attempt (inbound_event_id, channel, purpose, operation, lease, ended_at, outcome, their_text)
     VALUES ($1, $2, 'fetch', 'shipment', 1, hub_now(), 'rejected', 'no answer for María')`,
    [ids[0], ML],
  )
  const orderId = await takeIn(ML, '/shipments/7', '2000', await claimOne(ML))
  expect((await eventsOfOrder(reader, orderId, null)).map(({ id }) => id)).toEqual(ids.toReversed())
  const personal = postgresPersonalData({ worker, operator, vault: vault() })
  const held = await personal.read(orderId)
  expect([held?.requests.length, held?.texts.length]).toEqual([3, 1])
  expect(await personal.erase(orderId, randomUUID())).toMatchObject({ requests: 3, attempts: 1 })
  expect((await owner.query('SELECT FROM inbound_request WHERE body IS NOT NULL')).rowCount).toBe(0)
})

test('a hint of the ERP belongs to the order that it names, the ones that it answered too', async () => {
  const ticket = await store.beginCollect('erp-orders', 60_000)
  if (!ticket) throw new Error('the cursor is taken')
  const orders = [{ fragment: anErpFragment('42'), personal: null }]
  await store.storeCollected('erp-orders', ticket, { orders, quarantined: [], missing: [] }, null)
  await arrive('odoo', '/sale.order/42', '42')
  await arrive('odoo', '/sale.order/42', '42')
  await inbox.end(await claimOne('odoo'), { state: 'applied', orderId: null, gate: { kind: 'healthy' } })
  const { rows } = await owner.query(
    'SELECT e.state, s.order_key FROM inbound_event e JOIN silver_order s ON s.id = e.order_id ORDER BY e.id',
  )
  expect(rows).toEqual([
    { state: 'ignored', order_key: '42' },
    { state: 'applied', order_key: '42' },
  ])
})

test('an event of another account that numbers its orders alike is not of this order', async () => {
  const orderId = await takeIn(ML, '/orders/2000', '2000')
  const theirs = await arrive(OTHER, '/orders/2000', '2000')
  expect(await eventsOfOrder(reader, orderId, null)).toEqual([])
  await giveUp(OTHER)
  expect(await replayed(orderId)).toEqual([])
  expect((await owner.query('SELECT order_id FROM inbound_event WHERE id = $1', [theirs])).rows).toEqual([{ order_id: null }])
})
