import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { aTicket } from '../../../test/support/fetch-ticket.ts'
import { aChannel, anErpFragment } from '../../../test/support/flow-fixtures.ts'
import type { ErpOrder } from '../../ports/erp.ts'
import type { OrderStore } from '../../ports/order-store.ts'
import type { Personal } from '../../ports/target.ts'
import { syncChannels } from './channels.ts'
import { postgresOrderStore } from './order-store.ts'
import { type PersonalVault, personalVault } from './personal.ts'
import { connect, type Pool } from './pool.ts'
import { sealer } from './sealed-column.ts'

const PARIS = 'paris:main'
const channels = [aChannel('odoo'), aChannel(PARIS)]
const MARIA = { buyerName: 'María Pérez', email: 'maria@example.com' }
const RENAMED = { buyerName: 'María Soto', email: 'maria@example.com' }

describe('the person of an order', () => {
  let database: TestDatabase
  let worker: Pool
  let owner: Pool
  let vault: PersonalVault
  let store: OrderStore
  beforeAll(async () => {
    database = await cloneDatabase()
    worker = connect({ url: database.url, role: 'rosh_worker', max: 4, applicationName: 'apply-test' })
    owner = connect({ url: database.migratorUrl, role: null, max: 2, applicationName: 'apply-test-owner' })
    await syncChannels(worker, channels)
    vault = personalVault(worker, sealer({ kekId: 'test', key: new Uint8Array(32).fill(7) }))
    store = postgresOrderStore(worker, { plan: { channels, rules: [] }, vault, maxTries: 3 })
  })
  beforeEach(() =>
    owner.query(
      `TRUNCATE attempt, delivery, desired, binding, observation, identifier, silver_order, cursor, order_event, data_key CASCADE`,
    ),
  )
  afterAll(async () => {
    await Promise.all([worker.end(), owner.end()])
    await database.drop()
  })

  async function collect(...orders: ErpOrder[]): Promise<void> {
    const ticket = await store.beginCollect('erp-orders', 60_000)
    if (!ticket) throw new Error('the cursor is taken')
    await store.storeCollected('erp-orders', ticket, { orders, quarantined: [], missing: [] }, null)
    await store.endCollect('erp-orders', ticket, null)
  }
  const anOrder = (personal: Personal | null, id = '42'): ErpOrder => ({ fragment: anErpFragment(id), personal })
  async function held(id = '42'): Promise<{ person: Personal | null; version: string; written: string }> {
    const { rows } = await owner.query<{ id: string; key_id: string; personal: Buffer; version: string; written: string }>(
      `SELECT id, key_id, personal, version, xmin::text AS written FROM silver_order WHERE order_key = $1`,
      [id],
    )
    const [row] = rows
    if (!row) throw new Error('no such order')
    const { version, written } = row
    return { person: row.key_id ? await vault.open(row.key_id, row.id, row.personal) : null, version, written }
  }
  const keys = async (): Promise<number> => (await owner.query<{ n: number }>(`SELECT count(*)::int AS n FROM data_key`)).rows[0]?.n ?? 0

  test('is corrected at the origin without a new version of the order, and is written only then', async () => {
    await collect(anOrder(MARIA))
    const first = await held()
    await collect(anOrder(RENAMED))
    const second = await held()
    expect([first.person, second.person]).toEqual([MARIA, RENAMED])
    expect(second.version).toBe(first.version)
    await collect(anOrder(RENAMED))
    expect(await held()).toEqual(second)
    expect(await keys()).toBe(1)
  })

  test('who comes when the order stays as it was is held under a key that erasing deletes', async () => {
    await collect(anOrder(null))
    await collect(anOrder(MARIA))
    expect((await held()).person).toEqual(MARIA)
    await owner.query(`SELECT erase_person(id) FROM silver_order`)
    expect(await keys()).toBe(0)
  })

  test('is the origin’s word: what a marketplace shows of the buyer does not replace it', async () => {
    await collect(anOrder(MARIA))
    await owner.query(`UPDATE binding SET external_id = 'P-1' WHERE channel = $1`, [PARIS])
    const shipped = anErpFragment('P-1', { identifiers: [{ kind: 'marketplace-order', value: 'P-1' }], fulfilment: 'shipped' })
    await store.applyTold(await aTicket(owner, PARIS, '/orders/P-1'), {
      orderKey: 'P-1',
      fragments: [shipped],
      personal: { buyerName: 'MARIA P' },
    })
    const { rows } = await owner.query(`SELECT fulfilment FROM silver_order`)
    expect(rows).toEqual([{ fulfilment: 'shipped' }])
    expect((await held()).person).toEqual(MARIA)
  })

  test('who cannot be opened here is left as he is, and those beside him are taken in', async () => {
    await collect(anOrder(MARIA), anOrder(MARIA, '43'))
    await owner.query(`UPDATE data_key SET kek_id = 'another' WHERE id = (SELECT key_id FROM silver_order WHERE order_key = '42')`)
    await collect(anOrder(RENAMED), anOrder(RENAMED, '43'))
    expect((await held('43')).person).toEqual(RENAMED)
  })
})
