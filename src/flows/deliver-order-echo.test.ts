import { afterAll, beforeAll, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../test/support/database.ts'
import { aChannel, aClock, anErpFragment, steadyRandom } from '../../test/support/flow-fixtures.ts'
import { IntegrationError } from '../core/integration-error.ts'
import { memoryMarketplace } from '../drivers/memory/marketplace.ts'
import { syncChannels } from '../drivers/postgres/channels.ts'
import { postgresOrderStore } from '../drivers/postgres/order-store.ts'
import { postgresOutbox, type PostgresOutbox } from '../drivers/postgres/outbox.ts'
import { personalVault } from '../drivers/postgres/personal.ts'
import { connect, type Pool } from '../drivers/postgres/pool.ts'
import { sealer } from '../drivers/postgres/sealed-column.ts'
import type { OrderStore } from '../ports/order-store.ts'
import type { Personal, Target } from '../ports/target.ts'
import { deliverOrder } from './deliver-order.ts'

const ML = 'mercadolibre:1001'
const channels = [aChannel('odoo'), aChannel(ML)]
const BUYER: Required<Personal> = {
  buyerName: 'Canaria Núñez',
  buyerNickname: 'CANARIA-NICK',
  email: 'canaria@mail.example',
  phone: '+44 20 7946 0123',
  address: 'Calle Canaria 4711, Ñuñoa',
  taxId: '77.123.456-K',
}

let database: TestDatabase
let worker: Pool
let owner: Pool
let store: OrderStore
let outbox: PostgresOutbox
beforeAll(async () => {
  database = await cloneDatabase()
  worker = connect({ url: database.url, role: 'rosh_worker', max: 4, applicationName: 'test' })
  owner = connect({ url: database.migratorUrl, role: null, max: 1, applicationName: 'test' })
  await syncChannels(worker, channels)
  const vault = personalVault(worker, sealer({ kekId: 'test', key: new Uint8Array(32).fill(7) }))
  store = postgresOrderStore(worker, { plan: { channels, rules: [] }, vault, maxTries: 3 })
  outbox = postgresOutbox(worker, channels, { open: vault.open, unreadable: () => {} })
})
afterAll(async () => {
  await Promise.all([worker.end(), owner.end()])
  await database.drop()
})

async function collect(orderKey: string): Promise<void> {
  const ticket = await store.beginCollect('erp-orders', 60_000)
  if (!ticket) throw new Error('the cursor is taken')
  const orders = [{ fragment: anErpFragment(orderKey), personal: BUYER }]
  await store.storeCollected('erp-orders', ticket, { orders, quarantined: [], missing: [] }, { watermark: '2026-11-23T12:00:00.000Z' })
  await store.endCollect('erp-orders', ticket, null)
}

/** A target that repeats every field it was sent, and whose driver lets a name into its own sentence. */
function refuse(): Promise<never> {
  const theirText = JSON.stringify({ detail: [{ loc: ['body', 'buyer'], msg: 'bad buyer', input: BUYER }] })
  const summary = `the buyer ${BUYER.buyerName} is refused`
  return Promise.reject(new IntegrationError('rejected', { httpStatus: 422, causeCode: 'rejected-by-target', summary, theirText }))
}

async function deliver(orderKey: string, change: Partial<Target>): Promise<string> {
  await collect(orderKey)
  const target = { ...memoryMarketplace(ML), send: refuse, ...change }
  const ports = { outbox, target, channel: aChannel(ML), store, clock: aClock(), random: steadyRandom, backoffScale: 1 }
  for (const claim of await outbox.claim(ML, 10)) await deliverOrder(claim, ports, new AbortController().signal)
  const { rows } = await owner.query<{ kept: string }>(
    `SELECT a::text || d::text AS kept FROM attempt a JOIN delivery d ON d.id = a.delivery_id JOIN binding b ON b.id = d.binding_id WHERE b.reference = $1`,
    [`odoo-${orderKey}`],
  )
  return rows.map(({ kept }) => kept).join('\n')
}

test.each<[string, string, Partial<Target>]>([
  ['send', '41', {}],
  ['look-up', '42', { looksFirst: true, lookUp: (_wanted, log) => log.read('look up', refuse) }],
])('what a refused %s repeats of the buyer is kept nowhere', async (purpose, orderKey, change) => {
  const kept = await deliver(orderKey, change)
  expect(kept).toContain(`,${purpose},`)
  expect(kept).toContain('bad buyer')
  expect(kept.match(/the buyer \[personal\] is refused/g)).toHaveLength(2)
  expect(Object.values(BUYER).filter((value) => kept.includes(value))).toEqual([])
})
