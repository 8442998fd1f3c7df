import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { aTicket } from '../../../test/support/fetch-ticket.ts'
import { aChannel } from '../../../test/support/flow-fixtures.ts'
import type { Fragment } from '../../core/order.ts'
import type { ClaimedEvent } from '../../ports/inbox.ts'
import type { FetchTicket, OrderStore } from '../../ports/order-store.ts'
import { syncChannels } from './channels.ts'
import { postgresInbox, type PostgresInbox } from './inbox.ts'
import { postgresOrderStore } from './order-store.ts'
import { personalVault } from './personal.ts'
import { connect, type Pool } from './pool.ts'
import { sealer } from './sealed-column.ts'

const ML = 'mercadolibre:1001'
const PARIS = 'paris:main'
const channels = [aChannel('odoo'), aChannel(ML), aChannel(PARIS)]

let database: TestDatabase
let ingest: Pool
let worker: Pool
let owner: Pool
let door: PostgresInbox
let claims: PostgresInbox
let store: OrderStore

beforeAll(async () => {
  database = await cloneDatabase()
  ingest = connect({ url: database.url, role: 'rosh_ingest', max: 2, applicationName: 'store-test-ingest' })
  worker = connect({ url: database.url, role: 'rosh_worker', max: 6, applicationName: 'store-test' })
  owner = connect({ url: database.migratorUrl, role: null, max: 2, applicationName: 'store-test-owner' })
  await syncChannels(worker, channels)
  door = postgresInbox(ingest, { maxTries: 12 })
  claims = postgresInbox(worker, { maxTries: 12 })
  store = aStore()
})

beforeEach(() =>
  owner.query(
    `TRUNCATE attempt, delivery, desired, binding, observation, identifier, silver_order, resource, inbound_request, order_event, data_key CASCADE`,
  ),
)

afterAll(async () => {
  await Promise.all([ingest.end(), worker.end(), owner.end()])
  await database.drop()
})

/** A store with groups of its own: two of them write in transactions of their own. */
function aStore(): OrderStore {
  const vault = personalVault(worker, sealer({ kekId: 'test', key: new Uint8Array(32).fill(7) }))
  return postgresOrderStore(worker, { plan: { channels, rules: [] }, vault, maxTries: 3 })
}

/** A sale at MercadoLibre, with or without a pack. */
function aSale(id: string, change: Partial<Fragment> & { pack?: string } = {}): Fragment {
  const { pack, ...rest } = change
  return {
    entity: 'order',
    externalId: id,
    orderKey: pack ?? id,
    version: '2026-11-23T12:00:00.000Z',
    identifiers: [{ kind: 'marketplace-order', value: id }, ...(pack ? [{ kind: 'pack' as const, value: pack }] : [])],
    payment: 'paid',
    lifecycle: 'open',
    fulfilment: 'none',
    currency: 'CLP',
    totalMinor: 12_990,
    lines: [{ lineId: id, sku: 'SKU-001', quantity: '1', unitPriceMinor: 12_990 }],
    confirmed: true,
    rawStatus: 'paid',
    ...rest,
  }
}

const fetchedOf = (fragment: Fragment) => ({ orderKey: fragment.orderKey, fragments: [fragment], personal: { buyerName: 'María Pérez' } })

/** An event of each resource, claimed, with the ticket of its fetch. */
async function claimed(...resources: string[]): Promise<{ claim: ClaimedEvent; ticket: FetchTicket }[]> {
  for (const resource of resources)
    await door.record(
      { channel: ML, path: '/webhooks/mercadolibre', headers: {}, body: Buffer.from(resource), sourceIp: null, traceparent: null },
      'accepted',
      [
        {
          channel: ML,
          topic: 'orders_v2',
          resource,
          sourceEventId: resource,
          dedupeKey: resource,
          comparable: '',
          orderKey: null,
          ignore: null,
        },
      ],
    )
  const taken = await claims.claim(ML, resources.length, 30_000)
  return Promise.all(
    resources.map(async (resource) => {
      const claim = taken.find((one) => one.resource === resource)
      const ticket = await draw(resource)
      if (!claim) throw new Error(`${resource} was not claimed`)
      return { claim, ticket }
    }),
  )
}

async function draw(resource: string): Promise<FetchTicket> {
  const ticket = await store.drawFetch(ML, resource, 30_000)
  if (!ticket) throw new Error(`${resource} is being fetched`)
  return ticket
}

const rowsOf = async (sql: string): Promise<unknown[]> => (await owner.query(sql)).rows
const silver = () => rowsOf(`SELECT order_key FROM silver_order ORDER BY id`)

test('what fetches bring at once shares a commit, and each keeps its own fence and ticket', async () => {
  const [first, fenced, stale] = await claimed('/orders/1', '/orders/2', '/orders/3')
  if (!first || !fenced || !stale) throw new Error('three were claimed')
  await owner.query(`UPDATE inbound_event SET lease = nextval('lease_number') WHERE id = $1`, [fenced.claim.id])
  await owner.query(`UPDATE resource SET fetch_no = nextval('fetch_number') WHERE resource = '/orders/3'`)
  const kinds = await Promise.all(
    [first, fenced, stale].map(({ claim, ticket }, at) => store.applyEvent(claim, ticket, fetchedOf(aSale(String(at + 1))))),
  )
  expect(kinds.map((one) => one.kind)).toEqual(['applied', 'fenced', 'refetch'])
  expect(await rowsOf(`SELECT resource, state FROM inbound_event ORDER BY id`)).toEqual([
    { resource: '/orders/1', state: 'applied' },
    { resource: '/orders/2', state: 'pending' },
    { resource: '/orders/3', state: 'pending' },
  ])
  expect(await silver()).toEqual([{ order_key: '1' }])
  expect(await rowsOf(`SELECT count(*)::int AS n FROM delivery WHERE channel = 'odoo'`)).toEqual([{ n: 1 }])
})

test('an order that cannot be stored leaves those beside it alone', async () => {
  const [good, bad] = await claimed('/orders/1', '/orders/2')
  if (!good || !bad) throw new Error('two were claimed')
  const outcomes = await Promise.allSettled([
    store.applyEvent(good.claim, good.ticket, fetchedOf(aSale('1'))),
    store.applyEvent(bad.claim, bad.ticket, fetchedOf(aSale('2', { version: 'no instant' }))),
  ])
  expect(outcomes.map((one) => one.status)).toEqual(['fulfilled', 'rejected'])
  expect(await silver()).toEqual([{ order_key: '1' }])
  expect(await rowsOf(`SELECT state FROM inbound_event WHERE id = ${bad.claim.id}`)).toEqual([{ state: 'pending' }])
})

test('an order that gains a pack between two fetches of one commit stays one order', async () => {
  const [before, after] = await claimed('/orders/1', '/shipments/9')
  if (!before || !after) throw new Error('two were claimed')
  const pack = aSale('1', { pack: '77', version: '2026-11-23T12:00:05.000Z' })
  await Promise.all([
    store.applyEvent(before.claim, before.ticket, fetchedOf(aSale('1'))),
    store.applyEvent(after.claim, after.ticket, fetchedOf(pack)),
  ])
  expect(await silver()).toEqual([{ order_key: '1' }])
  expect(await rowsOf(`SELECT count(*)::int AS n FROM binding WHERE channel = 'odoo'`)).toEqual([{ n: 1 }])
})

test('an order that gains a pack while another transaction still stores it stays one order', async () => {
  const pairs = await claimed(...Array.from({ length: 12 }, (_, at) => [`/orders/${at}`, `/shipments/${at}`]).flat())
  const [one, other] = [aStore(), aStore()]
  await Promise.all(
    pairs.map(({ claim, ticket }, at) => {
      const id = String(Math.floor(at / 2))
      const sale = at % 2 === 0 ? aSale(id) : aSale(id, { pack: `7${id}` })
      return (at % 2 === 0 ? one : other).applyEvent(claim, ticket, fetchedOf(sale))
    }),
  )
  expect(await rowsOf(`SELECT count(*)::int AS n FROM silver_order`)).toEqual([{ n: 12 }])
})

test('the same content brought by two resources of one order is stored once, under one key', async () => {
  const [order, shipment] = await claimed('/orders/1', '/shipments/9')
  if (!order || !shipment) throw new Error('two were claimed')
  const sale = fetchedOf(aSale('1'))
  await Promise.all([store.applyEvent(order.claim, order.ticket, sale), store.applyEvent(shipment.claim, shipment.ticket, sale)])
  expect(await rowsOf(`SELECT count(*)::int AS n FROM observation`)).toEqual([{ n: 1 }])
  expect(await rowsOf(`SELECT count(*)::int AS n FROM data_key`)).toEqual([{ n: 1 }])
  expect(await rowsOf(`SELECT count(*)::int AS n FROM delivery WHERE channel = 'odoo'`)).toEqual([{ n: 1 }])
})

test('two accounts that number their orders alike each owe theirs to Odoo', async () => {
  for (const channel of [ML, PARIS]) {
    await store.applyTold(await aTicket(owner, channel, '/orders/2000'), fetchedOf(aSale('2000')))
  }
  const { rows } = await owner.query(
    `SELECT s.origin, b.reference, d.state FROM silver_order s JOIN binding b ON b.order_id = s.id JOIN delivery d ON d.binding_id = b.id
     WHERE b.channel = 'odoo' ORDER BY s.id`,
  )
  expect(rows).toEqual([
    { origin: ML, reference: '2000', state: 'pending' },
    { origin: PARIS, reference: '2000', state: 'pending' },
  ])
})
