import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { aChannel, anErpFragment } from '../../../test/support/flow-fixtures.ts'
import { diagnose } from '../../core/diagnosis.ts'
import type { Fragment } from '../../core/order.ts'
import type { ErpBatch, ErpQuarantined } from '../../ports/erp.ts'
import type { Collected, OrderStore } from '../../ports/order-store.ts'
import { syncChannels } from './channels.ts'
import { postgresOrderStore } from './order-store.ts'
import { postgresOrderTrace } from './order-trace.ts'
import { personalVault } from './personal.ts'
import { connect, type Pool } from './pool.ts'
import { sealer } from './sealed-column.ts'

const ML = 'mercadolibre:1001'
const CREATED = '2026-11-23T11:00:00.000Z'
const LATER = '2026-11-24T09:30:00.000Z'
const BUYER = { buyerName: 'María Pérez' }
const linesOf = (sku: string, quantity: string): NonNullable<Fragment['lines']> => [{ lineId: 'l1', sku, quantity, unitPriceMinor: 12_990 }]

const known = anErpFragment('42', { createdAt: CREATED })
/** What the ERP shows under 42 after it was restored: an order that somebody made anew there. */
const other = anErpFragment('42', { createdAt: LATER, version: '2026-11-24T09:30:05.000Z', lines: linesOf('SKU-004', '7') })
const invalid: ErpQuarantined = { erpId: '42', erpName: 'S00042', field: 'order_line[1]', problem: 'no SKU', version: other.version ?? '' }

describe('an order of the ERP under the id of another one', () => {
  let database: TestDatabase
  let worker: Pool
  let owner: Pool
  let store: OrderStore
  beforeAll(async () => {
    database = await cloneDatabase()
    worker = connect({ url: database.url, role: 'rosh_worker', max: 4, applicationName: 'reused-test' })
    owner = connect({ url: database.migratorUrl, role: null, max: 2, applicationName: 'reused-test-owner' })
    const channels = [aChannel('odoo'), aChannel(ML)]
    await syncChannels(worker, channels)
    const vault = personalVault(worker, sealer({ kekId: 'test', key: new Uint8Array(32).fill(7) }))
    store = postgresOrderStore(worker, { plan: { channels, rules: [] }, vault, maxTries: 3 })
  })
  beforeEach(async () => {
    await owner.query(
      `TRUNCATE attempt, delivery, desired, binding, observation, identifier, silver_order, cursor, order_event, erp_quarantine, data_key CASCADE`,
    )
  })
  afterAll(async () => {
    await Promise.all([worker.end(), owner.end()])
    await database.drop()
  })

  async function collect(fragments: readonly Fragment[], more: Partial<ErpBatch> = {}): Promise<Collected> {
    const ticket = await store.beginCollect('erp-orders', 60_000)
    if (!ticket) throw new Error('another collector has the cursor')
    const orders = fragments.map((fragment) => ({ fragment, personal: BUYER }))
    const collected = await store.storeCollected('erp-orders', ticket, { orders, quarantined: [], missing: [], ...more }, null)
    await store.endCollect('erp-orders', ticket, null)
    return collected
  }
  const rowsOf = async (sql: string): Promise<unknown[]> => (await owner.query(sql)).rows
  const waiting = () => rowsOf(`SELECT erp_id, field FROM erp_quarantine WHERE resolved_at IS NULL`)
  const planned = () =>
    rowsOf(`SELECT w.content #>> '{lines,0,sku}' AS sku, w.content #>> '{lines,0,quantity}' AS quantity
      FROM delivery d JOIN desired w ON w.id = d.desired_id WHERE d.channel = '${ML}' AND d.state <> 'superseded' ORDER BY d.id`)
  const everything = () =>
    Promise.all([
      planned(),
      rowsOf(`SELECT id, version, canonical, personal, key_id FROM silver_order`),
      rowsOf(`SELECT body FROM observation`),
      rowsOf(`SELECT value FROM identifier ORDER BY value`),
    ])

  test('is quarantined alone, and nothing of it reaches the known one or a marketplace', async () => {
    await collect([known])
    const before = await everything()
    const beside = anErpFragment('43', { createdAt: LATER })
    expect(await collect([{ ...other, identifiers: [...other.identifiers, { kind: 'client-order-ref', value: 'PO-9' }] }])).toEqual({
      changed: 0,
      unchanged: 0,
      planned: 0,
      quarantined: 1,
    })
    expect(await everything()).toEqual(before)
    expect(await collect([other, beside])).toEqual({ changed: 1, unchanged: 0, planned: 1, quarantined: 1 })
    expect(await rowsOf(`SELECT erp_id, erp_name, field, problem, source_version FROM erp_quarantine`)).toEqual([
      {
        erp_id: '42',
        erp_name: 'S00042',
        field: 'create_date',
        problem:
          'another order of the ERP bears this id: created 2026-11-24T09:30:00Z, the one the hub knows 2026-11-23T11:00:00Z; make it anew there, under an id of its own',
        source_version: other.version,
      },
    ])
  })

  test('is what a trace of the known one says, with what to do', async () => {
    await collect([known])
    await owner.query(`UPDATE delivery SET state = 'delivered', ended_at = hub_now()`)
    await collect([other])
    const { rows } = await owner.query<{ id: string }>(`SELECT id FROM silver_order`)
    const facts = await postgresOrderTrace(owner).facts(rows[0]?.id ?? '', 'odoo-42', null)
    if (!facts) throw new Error('the known one is not found')
    const { cause, sentence, nextStep } = diagnose(facts)
    expect({ cause, step: nextStep.kind }).toEqual({ cause: 'erp-order-invalid', step: 'fix-in-erp' })
    expect(sentence).toMatch(/field create_date, another order of the ERP bears this id: .*; make it anew there, under an id of its own\.$/)
  })

  test('is not cancelled at the marketplace when it is cancelled in the ERP', async () => {
    await collect([known])
    await collect([{ ...other, lifecycle: 'cancelled' }])
    expect(await rowsOf(`SELECT lifecycle FROM silver_order`)).toEqual([{ lifecycle: 'open' }])
    expect(await planned()).toHaveLength(1)
  })

  test('closes nothing that waits of the id, and stays until the ERP shows the known one or none', async () => {
    await collect([known])
    await collect([], { quarantined: [invalid] })
    await collect([other])
    await collect([other])
    expect(await waiting()).toEqual([{ erp_id: '42', field: 'create_date' }])
    expect(await store.unseenErpVersions([{ erpId: '42', version: other.version ?? '' }])).toEqual([])
    await collect([], { missing: ['42'] })
    expect(await waiting()).toEqual([])
    await collect([other])
    await collect([known])
    expect(await waiting()).toEqual([])
  })

  test('is told apart from a change of the known one, which still applies', async () => {
    await collect([known])
    await collect([{ ...known, version: '2026-11-23T13:00:00.000Z', lines: linesOf('SKU-001', '3') }])
    expect(await planned()).toMatchObject([{ sku: 'SKU-001', quantity: '3' }])
    expect(await waiting()).toEqual([])
  })

  test('is not looked for where either side does not say when it was created; the first that says so counts', async () => {
    const { createdAt: _, ...unsaid } = known
    await collect([unsaid])
    await collect([{ ...known, version: '2026-11-23T13:00:00.000Z', lines: linesOf('SKU-001', '3') }])
    await collect([{ ...unsaid, version: '2026-11-23T14:00:00.000Z', lines: linesOf('SKU-001', '4') }])
    expect(await planned()).toMatchObject([{ quantity: '4' }])
    await collect([other])
    expect(await waiting()).toEqual([{ erp_id: '42', field: 'create_date' }])
    expect(await planned()).toMatchObject([{ quantity: '4' }])
  })
})
