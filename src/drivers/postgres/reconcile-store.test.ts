import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { aTicket } from '../../../test/support/fetch-ticket.ts'
import { aChannel } from '../../../test/support/flow-fixtures.ts'
import { rowsOf } from '../../../test/support/rows.ts'
import { syncChannels } from './channels.ts'
import { postgresOrderStore } from './order-store.ts'
import { personalVault } from './personal.ts'
import { connect, type Pool } from './pool.ts'
import { postgresReconcileStore } from './reconcile-store.ts'
import { sealer } from './sealed-column.ts'

describe('what a sweep has not seen', () => {
  const channels = [aChannel('odoo'), aChannel('paris:main')]
  const found = [{ resource: '/orders/p-1', orderKey: 'p-1', version: null, createdAt: null }]
  let database: TestDatabase
  let pool: Pool

  beforeAll(async () => {
    database = await cloneDatabase()
    pool = connect({ url: database.url, role: 'rosh_worker', max: 2, applicationName: 'test' })
    await syncChannels(pool, channels)
  })
  afterAll(async () => {
    await pool.end()
    await database.drop()
  })

  test('what was delivered is looked at soon for the first time, and then rests longer', async () => {
    await pool.query(`INSERT INTO silver_order (origin, order_key, payment, fulfilment, lifecycle, display_status, canonical)
                      VALUES ('odoo', '7', 'none', 'none', 'open', 'CONFIRMED', '{}')`)
    await pool.query(
      `INSERT INTO binding (channel, kind, order_id, reference, external_id) SELECT 'paris:main', 'order', id, 'odoo-7', 'p-7' FROM silver_order`,
    )
    await pool.query(`INSERT INTO desired (content, content_hash) VALUES ('{"kind":"order"}', '')`)
    await pool.query(`INSERT INTO delivery (binding_id, channel, kind, order_id, version, generation, desired_id, state, max_tries, ended_at)
                      SELECT b.id, b.channel, 'order', b.order_id, 1, 1, d.id, 'delivered', 3, hub_now() - interval '1 minute' FROM binding b, desired d`)
    const store = postgresReconcileStore(pool, 3)
    const due = async (firstMs: number): Promise<string[]> =>
      (await store.comparable('paris:main', { firstMs, againMs: 3_600_000 }, 10)).map((one) => one.wanted.reference)
    expect(await due(3_600_000)).toEqual([])
    expect(await due(20_000)).toEqual(['odoo-7'])
    const [found] = await store.comparable('paris:main', { firstMs: 0, againMs: 3_600_000 }, 1)
    if (!found) throw new Error('it was due')
    await store.recordComparison(found, { kind: 'absent' }, [])
    expect(await due(20_000)).toEqual([])
  })

  test('an order without a version whose fetch failed is found by the next sweep; one that was taken in is not', async () => {
    const vault = personalVault(pool, sealer({ kekId: 'test', key: new Uint8Array(32).fill(7) }))
    const orders = postgresOrderStore(pool, { plan: { channels, rules: [] }, vault, maxTries: 3 })
    const sweep = postgresReconcileStore(pool, 3)
    const failed = await orders.drawFetch('paris:main', '/orders/p-1', 60_000)
    if (!failed) throw new Error('nobody else fetches it')
    await orders.releaseFetch(failed)
    const never = { resource: '/orders/p-1', orderKey: 'p-1', version: null, fetchedAt: null }
    expect(await sweep.unseen('paris:main', found, { olderThanMs: 3_600_000, since: '1970-01-01T00:00:00Z' })).toEqual([never])
    const fragment = { entity: 'order' as const, externalId: 'p-1', orderKey: 'p-1', version: null, identifiers: [], lines: [] }
    await orders.applyTold(await aTicket(pool, 'paris:main', '/orders/p-1'), { orderKey: 'p-1', fragments: [fragment], personal: null })
    expect(await sweep.unseen('paris:main', found, { olderThanMs: 3_600_000, since: '1970-01-01T00:00:00Z' })).toEqual([])
  })

  test('open orders are those whose story is not over, the one asked for longest ago first; never one that an event speaks of, or a sweep gave up on', async () => {
    const made = async (key: string, lifecycle: string, fulfilment: string, age = '1 hour'): Promise<void> => {
      await pool.query(
        `INSERT INTO silver_order (origin, order_key, payment, fulfilment, lifecycle, display_status, canonical, updated_at)
         VALUES ('paris:main', $1, 'paid', $2, $3, 'CONFIRMED', '{}', hub_now() - $4::interval)`,
        [key, fulfilment, lifecycle, age],
      )
      await pool.query(
        `INSERT INTO resource (channel, resource, fetch_no, fetched_at) VALUES ('paris:main', '/orders/' || $1, nextval('fetch_number'), hub_now() - interval '2 hours')`,
        [key],
      )
    }
    await made('o-1', 'open', 'to_prepare')
    await made('o-2', 'cancel_requested', 'shipped')
    await made('o-3', 'open', 'delivered', '29 days')
    await made('over-1', 'cancelled', 'to_prepare')
    await made('over-2', 'open', 'returned')
    await made('over-3', 'open', 'delivered', '31 days')
    await made('spoken-of', 'open', 'to_prepare')
    const owner = connect({ url: database.migratorUrl, role: null, max: 1, applicationName: 'test owner' })
    const rows = rowsOf(owner)
    await rows.inbound({ channel: 'paris:main', orderKey: 'spoken-of' })
    await pool.query(`UPDATE resource SET fetched_at = hub_now() WHERE resource = '/orders/p-1'`)
    const store = postgresReconcileStore(pool, 3)
    const open = async (limit = 10, isDeliveredToo = true): Promise<string[]> =>
      (await store.openOrders('paris:main', { olderThanMs: 3_600_000, isDeliveredToo }, limit)).map(({ resource }) => resource)
    // The order that the hub sent there was never fetched.
    expect(await open()).toEqual(['/orders/p-7', '/orders/o-1', '/orders/o-2', '/orders/o-3'])
    expect(await open(10, false)).toEqual(['/orders/p-7', '/orders/o-1', '/orders/o-2'])
    await pool.query(`UPDATE resource SET fetch_no = nextval('fetch_number') WHERE resource = '/orders/o-1'`)
    expect(await open(3)).toEqual(['/orders/p-7', '/orders/o-2', '/orders/o-3'])
    await rows.inbound({ channel: 'paris:main', orderKey: 'o-2', topic: 'sweep', state: 'dead', cause: 'inbound-dead' })
    await rows.inbound({ channel: 'paris:main', orderKey: 'o-3', state: 'dead', cause: 'inbound-dead' })
    await owner.end()
    expect(await open()).toEqual(['/orders/p-7', '/orders/o-3', '/orders/o-1'])
    await pool.query(`UPDATE binding SET missing_since = hub_now()`)
    expect(await open()).toEqual(['/orders/o-3', '/orders/o-1'])
  })
})
