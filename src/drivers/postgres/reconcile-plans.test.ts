import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { aChannel } from '../../../test/support/flow-fixtures.ts'
import { syncChannels } from './channels.ts'
import { erpIdsToReread } from './collect-store.ts'
import { recordErpCopies } from './copies.ts'
import { connect, type Pool, type PoolClient } from './pool.ts'
import { postgresReconcileStore } from './reconcile-store.ts'

const PARIS = 'paris:main'
const HISTORY = 20_000

describe('what the reconciler asks, over a history of which little is due', () => {
  let database: TestDatabase
  let worker: Pool
  let owner: Pool
  beforeAll(async () => {
    database = await cloneDatabase()
    worker = connect({ url: database.url, role: 'rosh_worker', max: 2, applicationName: 'plans-test' })
    owner = connect({ url: database.migratorUrl, role: null, max: 2, applicationName: 'plans-test-owner' })
    await syncChannels(worker, [aChannel('odoo'), aChannel(PARIS)])
    await owner.query(
      `INSERT INTO silver_order (origin, order_key, payment, fulfilment, lifecycle, display_status, canonical, updated_at)
       SELECT 'odoo', n::text, 'paid', 'delivered', 'open', 'DELIVERED', '{}', hub_now() - CASE WHEN n > 100 THEN interval '90 days' ELSE interval '1 hour' END
       FROM generate_series(1, ${HISTORY}) n`,
    )
    await owner.query(
      `INSERT INTO binding (channel, kind, order_id, reference, external_id, compared_at, next_version)
       SELECT '${PARIS}', 'order', id, 'odoo-' || order_key, 'P-' || order_key, CASE WHEN id > 100 THEN hub_now() END, 2 FROM silver_order`,
    )
    await owner.query(`INSERT INTO desired (content, content_hash) VALUES ('{"kind": "order"}', '')`)
    await owner.query(
      `INSERT INTO delivery (binding_id, channel, kind, order_id, version, generation, desired_id, state, max_tries, ended_at)
       SELECT b.id, b.channel, 'order', b.order_id, 1, 1, d.id, 'delivered', 3, hub_now() - interval '1 minute' FROM binding b, desired d`,
    )
    await owner.query(`VACUUM ANALYZE silver_order, binding, delivery, desired, erp_quarantine`)
  }, 60_000)
  afterAll(async () => {
    await Promise.all([worker.end(), owner.end()])
    await database.drop()
  })

  /** The plans of the statements that a call makes, in place of their rows. */
  async function plansOf(call: (client: Pool & PoolClient) => Promise<unknown>): Promise<string> {
    const lines: string[] = []
    const query = async (text: string, values: unknown[]): Promise<{ rows: unknown[] }> => {
      const { rows } = await owner.query<{ 'QUERY PLAN': string }>(`EXPLAIN (COSTS OFF) ${text}`, values)
      lines.push(...rows.map((row) => row['QUERY PLAN']))
      return { rows: [] }
    }
    await call({ query } as unknown as Pool & PoolClient)
    return lines.join('\n')
  }
  const readsAll = /Seq Scan on (binding|silver_order|delivery)/

  test('which deliveries to compare: those due alone, the one never looked at first', async () => {
    const plan = await plansOf((pool) => postgresReconcileStore(pool, 3).comparable(PARIS, { firstMs: 1_000, againMs: 3_600_000 }, 50))
    expect(plan).toContain('binding_compared')
    expect(plan).not.toMatch(readsAll)
    await owner.query(`UPDATE binding SET compared_at = hub_now() - interval '2 hours' WHERE reference = 'odoo-200'`)
    const due = await postgresReconcileStore(worker, 3).comparable(PARIS, { firstMs: 1_000, againMs: 3_600_000 }, 200)
    expect([due.length, due.at(-1)?.wanted.reference]).toEqual([101, 'odoo-200'])
  })

  test('which references were doubled at the ERP', async () => {
    const plan = await plansOf((client) => recordErpCopies(client, []))
    expect(plan).toContain('binding_duplicates')
    expect(plan).not.toMatch(readsAll)
  })

  test('which ERP orders to read again', async () => {
    const plan = await plansOf((pool) => erpIdsToReread(pool, 7))
    expect(plan).toContain('silver_order_open_in_erp')
    expect(plan).not.toMatch(readsAll)
  })
})
