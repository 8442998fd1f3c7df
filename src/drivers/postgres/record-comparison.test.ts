import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { aChannel, anErpFragment } from '../../../test/support/flow-fixtures.ts'
import type { Fragment } from '../../core/order.ts'
import type { Comparable, ReconcileStore } from '../../ports/reconcile-store.ts'
import { syncChannels } from './channels.ts'
import { postgresOrderStore } from './order-store.ts'
import { personalVault } from './personal.ts'
import { connect, type Pool } from './pool.ts'
import { postgresReconcileStore } from './reconcile-store.ts'
import { sealer } from './sealed-column.ts'

const PARIS = 'paris:main'
const channels = [aChannel('odoo'), aChannel(PARIS)]

describe('a comparison', () => {
  let database: TestDatabase
  let worker: Pool
  let owner: Pool
  let reconcile: ReconcileStore
  beforeAll(async () => {
    database = await cloneDatabase()
    worker = connect({ url: database.url, role: 'rosh_worker', max: 4, applicationName: 'comparison-test' })
    owner = connect({ url: database.migratorUrl, role: null, max: 2, applicationName: 'comparison-test-owner' })
    await syncChannels(worker, channels)
    reconcile = postgresReconcileStore(worker, 3)
  })
  beforeEach(() =>
    owner.query(`TRUNCATE attempt, delivery, desired, binding, observation, identifier, silver_order, cursor, order_event, drift CASCADE`),
  )
  afterAll(async () => {
    await Promise.all([worker.end(), owner.end()])
    await database.drop()
  })

  /** A version of the order at Paris, delivered as `P-1`. */
  async function delivered(change: Partial<Fragment> = {}): Promise<void> {
    const vault = personalVault(worker, sealer({ kekId: 'test', key: new Uint8Array(32).fill(7) }))
    const store = postgresOrderStore(worker, { plan: { channels, rules: [] }, vault, maxTries: 3 })
    const ticket = await store.beginCollect('erp-orders', 60_000)
    if (!ticket) throw new Error('the cursor is taken')
    const orders = [{ fragment: anErpFragment('42', change), personal: null }]
    await store.storeCollected('erp-orders', ticket, { orders, quarantined: [], missing: [] }, null)
    await store.endCollect('erp-orders', ticket, null)
    await owner.query(`UPDATE delivery SET state = 'delivered', ended_at = hub_now() - interval '1 minute' WHERE state = 'pending'`)
    await owner.query(`UPDATE binding SET external_id = 'P-1' WHERE channel = $1`, [PARIS])
  }
  async function due(): Promise<Comparable> {
    const [one] = await reconcile.comparable(PARIS, { firstMs: 0, againMs: 0 }, 1)
    if (!one) throw new Error('nothing is due')
    return one
  }
  const drifts = async (): Promise<unknown[]> => (await owner.query(`SELECT kind FROM drift WHERE resolved_at IS NULL`)).rows
  const events = async (): Promise<string[]> =>
    (
      await owner.query<{ said: string }>(
        `SELECT event_type || ' ' || (payload ->> 'version') AS said FROM order_event WHERE aggregate_type = 'delivery' ORDER BY id`,
      )
    ).rows.map(({ said }) => said)
  const drift = { kind: 'content' as const, cause: 'drift' as const, fields: [{ field: 'total', hub: '1', there: '2' }] }

  test('of the newest version is kept', async () => {
    await delivered()
    expect(await reconcile.recordComparison(await due(), { kind: 'absent' }, [drift])).toBe(1)
    expect(await drifts()).toEqual([{ kind: 'content' }])
  })

  test('that got no answer waits for its next turn, and changes no drift', async () => {
    await delivered()
    await reconcile.recordComparison(await due(), { kind: 'absent' }, [drift])
    await owner.query(`UPDATE binding SET compared_at = NULL`)
    await reconcile.postponeComparison(await due())
    expect(await reconcile.comparable(PARIS, { firstMs: 0, againMs: 3_600_000 }, 1)).toEqual([])
    expect(await drifts()).toEqual([{ kind: 'content' }])
  })

  test('that has content sent again tells the history of it, and wakes the worker', async () => {
    await delivered()
    const woken: string[] = []
    const listener = await owner.connect()
    listener.on('notification', ({ channel }) => woken.push(channel))
    await listener.query('LISTEN rosh_outbound')
    await owner.query('TRUNCATE order_event')
    expect(await reconcile.redeliver(await due())).toBe(true)
    await listener.query('SELECT 1')
    listener.release(true)
    expect(woken).toEqual(['rosh_outbound'])
    expect(await events()).toEqual(['delivery.planned 2'])
  })

  test('and a version that a newer one replaced while it waited is told as superseded', async () => {
    await delivered()
    await reconcile.redeliver(await due())
    await owner.query('TRUNCATE order_event')
    await delivered({ totalMinor: 30_000, version: '2026-11-23T12:00:05.000Z' })
    expect(await events()).toEqual(['delivery.superseded 2', 'delivery.planned 3'])
  })

  test('that a newer version overtook is not: the target was held against content that it should no longer show', async () => {
    await delivered()
    const overtaken = await due()
    await delivered({ totalMinor: 30_000, version: '2026-11-23T12:00:05.000Z' })
    expect(await reconcile.recordComparison(overtaken, { kind: 'absent' }, [drift])).toBe(0)
    expect(await drifts()).toEqual([])
    expect(await reconcile.redeliver(overtaken)).toBe(false)
    expect((await due()).wanted.version).toBe(2)
  })
})
