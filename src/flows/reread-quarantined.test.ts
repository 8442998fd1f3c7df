import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../test/support/database.ts'
import { aChannel, aClock, anErpFragment } from '../../test/support/flow-fixtures.ts'
import { IntegrationError } from '../core/integration-error.ts'
import { postgresAudit } from '../drivers/postgres/audit.ts'
import { syncChannels } from '../drivers/postgres/channels.ts'
import { postgresDeadLetters } from '../drivers/postgres/dead-letters.ts'
import { postgresOrderStore } from '../drivers/postgres/order-store.ts'
import { postgresOrderTrace } from '../drivers/postgres/order-trace.ts'
import { personalVault } from '../drivers/postgres/personal.ts'
import { connect, type Pool } from '../drivers/postgres/pool.ts'
import { sealer } from '../drivers/postgres/sealed-column.ts'
import type { Erp, ErpBatch } from '../ports/erp.ts'
import type { OrderStore } from '../ports/order-store.ts'
import { recollectErpOrders } from './collect-erp-orders.ts'
import { type RereadPorts, rereadQuarantined } from './reread-quarantined.ts'
import { type RetryAnswer, retryFailedSync } from './retry-failed-sync.ts'

const ML = 'mercadolibre:1001'
const channels = [aChannel('odoo'), aChannel(ML)]
const never = new AbortController().signal
const fragment = anErpFragment('42')
// The version is the order's own: what a person changes on its product moves none.
const INVALID: ErpBatch = {
  orders: [],
  quarantined: [
    { erpId: '42', erpName: 'S00042', field: 'order_line[1]', problem: 'the product has no SKU', version: fragment.version ?? '' },
  ],
  missing: [],
}
const FIXED: ErpBatch = { orders: [{ fragment, personal: null }], quarantined: [], missing: [] }

describe('an ERP order in quarantine', () => {
  let database: TestDatabase
  let worker: Pool
  let operator: Pool
  let owner: Pool
  let store: OrderStore
  let shown: ErpBatch
  let ports: RereadPorts
  beforeAll(async () => {
    database = await cloneDatabase()
    worker = connect({ url: database.url, role: 'rosh_worker', max: 4, applicationName: 'reread-test' })
    operator = connect({ url: database.url, role: 'rosh_operator', max: 4, applicationName: 'reread-test-operator' })
    owner = connect({ url: database.migratorUrl, role: null, max: 2, applicationName: 'reread-test-owner' })
    await syncChannels(worker, channels)
    const vault = personalVault(worker, sealer({ kekId: 'test', key: new Uint8Array(32).fill(7) }))
    store = postgresOrderStore(worker, { plan: { channels, rules: [] }, vault, maxTries: 3 })
    const erp = { readOrders: () => Promise.resolve(shown) } as unknown as Erp
    ports = { erp, store, clock: aClock(), chunk: 50, leaseMs: 60_000 }
  })
  beforeEach(async () => {
    await owner.query(
      `TRUNCATE attempt, delivery, desired, binding, observation, identifier, silver_order, cursor, order_event, erp_quarantine CASCADE`,
    )
    shown = INVALID
    await recollectErpOrders(['42'], ports, never)
  })
  afterAll(async () => {
    await Promise.all([worker.end(), operator.end(), owner.end()])
    await database.drop()
  })

  const retry = (orderId: string, over: Partial<RereadPorts> = {}): Promise<RetryAnswer> =>
    retryFailedSync(
      {
        principal: { id: 'p', scopes: new Set(['outbox.retry']), via: 'cli' },
        orderId,
        reason: null,
        tool: 'retry_failed_sync',
      },
      {
        trace: postgresOrderTrace(operator),
        deadLetters: postgresDeadLetters(operator),
        orders: store,
        reread: (of) => rereadQuarantined(of, { ...ports, ...over }, never),
        inbox: { record: () => Promise.resolve([]) },
        audit: postgresAudit(operator),
        clock: ports.clock,
      },
    )
  const waiting = async (): Promise<unknown[]> => (await owner.query(`SELECT erp_id FROM erp_quarantine WHERE resolved_at IS NULL`)).rows
  const planned = async (): Promise<unknown[]> => (await owner.query(`SELECT channel FROM delivery ORDER BY id`)).rows

  test('leaves it once its product is mended, though no version moved', async () => {
    expect(await store.erpIdsToReread(7)).toEqual(['42'])
    shown = FIXED
    await recollectErpOrders(await store.erpIdsToReread(7), ports, never)
    expect(await waiting()).toEqual([])
    expect(await planned()).toEqual([{ channel: ML }])
  })

  test('leaves it when the ERP no longer shows it', async () => {
    shown = { orders: [], quarantined: [], missing: ['42'] }
    await recollectErpOrders(['42'], ports, never)
    expect(await waiting()).toEqual([])
  })

  test('is read again at once by a retry, which says what changed, on the record', async () => {
    shown = FIXED
    const answer = await retry('S00042')
    expect(answer).toMatchObject({ kind: 'retried', changed: 2, planned: 1, reread: { healed: ['42'], kept: [], failure: null } })
    expect(await planned()).toEqual([{ channel: ML }])
    const { rows } = await owner.query(
      `SELECT body::jsonb -> 'effect' AS effect FROM audit WHERE phase = 'outcome' AND operation_id = $1`,
      ['operationId' in answer ? answer.operationId : null],
    )
    expect(rows).toEqual([{ effect: { replayed: [], planned: 1, left_quarantine: ['42'] } }])
  })

  test('stays when nothing was mended, and the answer names the field', async () => {
    expect(await retry('S00042')).toMatchObject({
      kind: 'nothing-to-retry',
      changed: 0,
      reread: { healed: [], kept: [{ erpId: '42', field: 'order_line[1]', problem: 'the product has no SKU' }], failure: null },
    })
  })

  test('is read again by the name of the order that the hub holds, too', async () => {
    shown = FIXED
    await recollectErpOrders(['42'], ports, never)
    shown = INVALID
    await recollectErpOrders(['42'], ports, never)
    shown = FIXED
    expect(await retry('odoo-42')).toMatchObject({ kind: 'retried', changed: 1, reread: { healed: ['42'] } })
    expect(await waiting()).toEqual([])
  })

  test('and an ERP that does not answer, or a collector that has the cursor, is said', async () => {
    const down = { readOrders: () => Promise.reject(new IntegrationError('unreachable')) } as unknown as Erp
    expect(await retry('S00042', { erp: down })).toMatchObject({ kind: 'nothing-to-retry', reread: { failure: 'unreachable' } })
    await store.beginCollect('erp-orders', 60_000)
    const over = new AbortController()
    const clock = { ...ports.clock, wait: () => Promise.resolve(over.abort()) }
    const { rows } = await owner.query<{ id: string }>(`SELECT id FROM erp_quarantine`)
    const quarantineIds = rows.map((r) => r.id)
    expect(await rereadQuarantined({ quarantineIds }, { ...ports, clock }, over.signal)).toMatchObject({ failure: 'busy', healed: [] })
  })
})
