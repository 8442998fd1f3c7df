import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../test/support/database.ts'
import { aChannel, aClock, anErpFragment, steadyRandom } from '../../test/support/flow-fixtures.ts'
import { memoryMarketplace, type MemoryMarketplace } from '../drivers/memory/marketplace.ts'
import { syncChannels } from '../drivers/postgres/channels.ts'
import { readGate } from '../drivers/postgres/gate.ts'
import { postgresOrderStore } from '../drivers/postgres/order-store.ts'
import { postgresOutbox, type PostgresOutbox } from '../drivers/postgres/outbox.ts'
import { personalVault } from '../drivers/postgres/personal.ts'
import { connect, type Pool } from '../drivers/postgres/pool.ts'
import { sealer } from '../drivers/postgres/sealed-column.ts'
import type { OrderStore } from '../ports/order-store.ts'
import { deliverOrder } from './deliver-order.ts'

const PARIS = 'paris:main'
const channels = [aChannel('odoo'), aChannel(PARIS)]

describe('a key is refused', () => {
  let database: TestDatabase
  let worker: Pool
  let owner: Pool
  let store: OrderStore
  let outbox: PostgresOutbox
  let market: MemoryMarketplace

  beforeAll(async () => {
    database = await cloneDatabase()
    worker = connect({ url: database.url, role: 'rosh_worker', max: 6, applicationName: 'gate flow test' })
    owner = connect({ url: database.migratorUrl, role: null, max: 1, applicationName: 'gate flow test' })
    const vault = personalVault(worker, sealer({ kekId: 'test', key: new Uint8Array(32).fill(7) }))
    store = postgresOrderStore(worker, { plan: { channels, rules: [] }, vault, maxTries: 3 })
    outbox = postgresOutbox(worker, channels, (keyId, orderId, bytes) => vault.open(keyId, orderId, bytes))
  })

  beforeEach(async () => {
    await owner.query('TRUNCATE channel CASCADE')
    await owner.query(`UPDATE hub_clock SET shift = '0'`)
    await syncChannels(worker, channels)
    market = memoryMarketplace(PARIS)
  })

  afterAll(async () => {
    await Promise.all([worker.end(), owner.end()])
    await database.drop()
  })

  async function collect(count: number): Promise<void> {
    const ticket = await store.beginCollect('erp-orders', 60_000)
    if (!ticket) throw new Error('the cursor is taken')
    const orders = Array.from({ length: count }, (_, i) => ({ fragment: anErpFragment(String(i + 1)), personal: null }))
    await store.storeCollected('erp-orders', ticket, { orders, quarantined: [], missing: [] }, null)
    await store.endCollect('erp-orders', ticket, null)
  }

  async function deliverDue(): Promise<string[]> {
    const ports = { outbox, target: market, channel: aChannel(PARIS), store, clock: aClock(), random: steadyRandom, backoffScale: 1 }
    const claims = await outbox.claim(PARIS, 10)
    return Promise.all(claims.map((claim) => deliverOrder(claim, ports, new AbortController().signal)))
  }

  const later = (interval: string): Promise<unknown> => owner.query(`UPDATE hub_clock SET shift = shift + $1::interval`, [interval])

  test('and mended outside of the hub: a probe finds out by itself, and no try was counted', async () => {
    await collect(3)
    market.faults.push('unauthorized', 'unauthorized', 'unauthorized', 'unauthorized')
    expect(await deliverDue()).toEqual(['pending', 'pending', 'pending'])
    await later('30 seconds')
    expect(await deliverDue()).toEqual(['pending'])
    await later('1 minute')
    expect(await deliverDue()).toEqual(['delivered'])
    expect(await deliverDue()).toEqual(['delivered', 'delivered'])
    const { rows } = await owner.query('SELECT DISTINCT tries FROM delivery')
    expect(rows).toEqual([{ tries: 1 }])
  })

  test('and the probe finds its order there already: that the look-up was answered ends the pause', async () => {
    await collect(1)
    market.faults.push('answer-lost')
    expect(await deliverDue()).toEqual(['ambiguous'])
    await owner.query(`UPDATE channel SET paused_at = hub_now(), pause_cause = 'credentials-rejected' WHERE id = $1`, [PARIS])
    await later('2 minutes')
    expect(await deliverDue()).toEqual(['delivered'])
    expect((await readGate(owner, PARIS))?.state).toBe('closed')
  })
})
