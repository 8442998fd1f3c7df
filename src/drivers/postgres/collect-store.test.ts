import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { aChannel, anErpFragment } from '../../../test/support/flow-fixtures.ts'
import type { CollectTicket, OrderStore } from '../../ports/order-store.ts'
import { syncChannels } from './channels.ts'
import { postgresOrderStore } from './order-store.ts'
import { personalVault } from './personal.ts'
import { connect, type Pool } from './pool.ts'
import { sealer } from './sealed-column.ts'

const CURSOR = 'erp-orders'
const LEASE_MS = 10_000
const channels = [aChannel('odoo'), aChannel('paris:main')]

describe('the cursor of the ERP', () => {
  let database: TestDatabase
  let worker: Pool
  let owner: Pool
  let store: OrderStore
  beforeAll(async () => {
    database = await cloneDatabase()
    worker = connect({ url: database.url, role: 'rosh_worker', max: 4, applicationName: 'collect-test' })
    owner = connect({ url: database.migratorUrl, role: null, max: 2, applicationName: 'collect-test-owner' })
    await syncChannels(worker, channels)
    const vault = personalVault(worker, sealer({ kekId: 'test', key: new Uint8Array(32).fill(7) }))
    store = postgresOrderStore(worker, { plan: { channels, rules: [] }, vault, maxTries: 3 })
  })
  beforeEach(() => owner.query(`DELETE FROM cursor WHERE name = $1`, [CURSOR]))
  afterAll(async () => {
    await Promise.all([worker.end(), owner.end()])
    await database.drop()
  })

  async function begin(): Promise<CollectTicket> {
    const ticket = await store.beginCollect(CURSOR, LEASE_MS)
    if (!ticket) throw new Error('the cursor is taken')
    return ticket
  }
  const storeOrder = (ticket: CollectTicket, id: string) =>
    store.storeCollected(CURSOR, ticket, { orders: [{ fragment: anErpFragment(id), personal: null }], quarantined: [], missing: [] }, null)
  const pass = (ms: number) => owner.query(`UPDATE hub_clock SET shift = shift + $1 * interval '1 ms'`, [ms])

  test('is held for a whole lease after each batch, and no longer', async () => {
    const ticket = await begin()
    await pass(LEASE_MS * 0.9)
    await storeOrder(ticket, '41')

    await pass(LEASE_MS * 0.9)
    expect(await store.beginCollect(CURSOR, LEASE_MS)).toBeNull()
    await pass(LEASE_MS * 0.2)
    expect(await store.beginCollect(CURSOR, LEASE_MS)).not.toBeNull()
  })

  test('refuses the batch of who lost it', async () => {
    const ticket = await begin()
    await pass(LEASE_MS * 1.1)
    await begin()

    await expect(storeOrder(ticket, '42')).rejects.toThrow('the cursor erp-orders was taken over')
    expect((await owner.query(`SELECT FROM silver_order WHERE order_key = '42'`)).rowCount).toBe(0)
  })
})
