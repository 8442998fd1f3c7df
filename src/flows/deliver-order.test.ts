import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../test/support/database.ts'
import { aChannel, aClock, anErpFragment, steadyRandom } from '../../test/support/flow-fixtures.ts'
import { memoryMarketplace, type MemoryMarketplace } from '../drivers/memory/marketplace.ts'
import { syncChannels } from '../drivers/postgres/channels.ts'
import { postgresOrderStore } from '../drivers/postgres/order-store.ts'
import { postgresOutbox, type PostgresOutbox } from '../drivers/postgres/outbox.ts'
import { personalVault } from '../drivers/postgres/personal.ts'
import { connect, type Pool } from '../drivers/postgres/pool.ts'
import { sealer } from '../drivers/postgres/sealed-column.ts'
import type { Fragment } from '../core/order.ts'
import type { OrderStore } from '../ports/order-store.ts'
import { type DeliverPorts, deliverOrder } from './deliver-order.ts'

const ML = 'mercadolibre:1001'
const channels = [aChannel('odoo'), aChannel(ML)]
const never = new AbortController().signal

describe('an ERP order reaches a marketplace', () => {
  let database: TestDatabase
  let worker: Pool
  let owner: Pool
  let store: OrderStore
  let outbox: PostgresOutbox
  let market: MemoryMarketplace
  let ports: DeliverPorts
  const clock = aClock()

  beforeAll(async () => {
    database = await cloneDatabase()
    worker = connect({ url: database.url, role: 'rosh_worker', max: 6, applicationName: 'test' })
    owner = connect({ url: database.migratorUrl, role: null, max: 2, applicationName: 'test' })
    await syncChannels(worker, channels)
    const vault = personalVault(worker, sealer({ kekId: 'test', key: new Uint8Array(32).fill(7) }))
    store = postgresOrderStore(worker, { plan: { channels, rules: [] }, vault, maxTries: 3 })
    outbox = postgresOutbox(worker, channels, { open: (keyId, orderId, bytes) => vault.open(keyId, orderId, bytes), unreadable: () => {} })
  })

  beforeEach(async () => {
    await owner.query(`TRUNCATE attempt, delivery, desired, binding, observation, identifier, silver_order, cursor, order_event CASCADE`)
    await owner.query(
      `UPDATE channel SET circuit_failures = 0, circuit_opened_at = NULL, probe_at = NULL, paused_at = NULL, limited_until = NULL`,
    )
    await owner.query(`UPDATE hub_clock SET shift = '0'`)
    market = memoryMarketplace(ML)
    ports = { outbox, target: market, channel: aChannel(ML), store, clock, random: steadyRandom, backoffScale: 1 }
  })

  afterAll(async () => {
    await Promise.all([worker.end(), owner.end()])
    await database.drop()
  })

  async function collect(...fragments: Fragment[]): Promise<void> {
    const ticket = await store.beginCollect('erp-orders', 60_000)
    if (!ticket) throw new Error('the cursor is taken')
    const orders = fragments.map((fragment) => ({ fragment, personal: { buyerName: 'María Pérez' } }))
    await store.storeCollected('erp-orders', ticket, { orders, quarantined: [], missing: [] }, { watermark: '2026-11-23T12:00:00.000Z' })
    await store.endCollect('erp-orders', ticket, null)
  }

  async function deliverDue(): Promise<string[]> {
    const claims = await outbox.claim(ML, 10)
    return Promise.all(claims.map((claim) => deliverOrder(claim, ports, never)))
  }

  const later = (interval: string): Promise<unknown> => owner.query(`UPDATE hub_clock SET shift = shift + $1::interval`, [interval])
  const deliveries = async (): Promise<{ state: string; cause: string | null; tries: number }[]> =>
    (await owner.query(`SELECT state, cause, tries FROM delivery WHERE channel = $1 ORDER BY id`, [ML])).rows
  const attempts = async (): Promise<{ purpose: string; outcome: string }[]> =>
    (await owner.query(`SELECT purpose, outcome FROM attempt ORDER BY id`)).rows

  test('a confirmed order is created once, with its id and personal data sealed', async () => {
    await collect(anErpFragment('42'))
    expect(await deliverDue()).toEqual(['delivered'])
    expect([...market.orders.values()]).toMatchObject([{ reference: 'odoo-42', totalMinor: 25_980 }])
    expect(await deliveries()).toMatchObject([{ state: 'delivered', tries: 1 }])
    expect(await attempts()).toEqual([{ purpose: 'send', outcome: 'ok' }])
    const { rows } = await owner.query(`SELECT value FROM identifier WHERE kind = 'marketplace-order'`)
    expect(rows).toEqual([{ value: [...market.orders.keys()][0] }])
    const { rows: dump } = await owner.query(`SELECT silver_order::text || observation::text AS text FROM silver_order, observation`)
    expect(dump[0].text).not.toContain('María')
  })

  /** A marketplace that posts no webhook about what the hub makes there: its answer is all that tells. */
  const telling = (status: Fragment['fulfilment'], beforeAnswer: (id: string) => Promise<unknown>): Partial<DeliverPorts> => ({
    target: {
      ...market,
      async send(...given) {
        const sent = await market.send(...given)
        const externalId = sent.externalId ?? ''
        await beforeAnswer(externalId)
        const fragment: Fragment = { entity: 'order', externalId, orderKey: externalId, version: null, identifiers: [], fulfilment: status }
        return {
          ...sent,
          told: { resource: `/orders/${externalId}`, fetched: { orderKey: externalId, fragments: [fragment], personal: null } },
        }
      },
    },
  })
  const silver = async (): Promise<{ fulfilment: string }[]> => (await owner.query(`SELECT fulfilment FROM silver_order`)).rows

  test('what the answer to a create shows is folded at once', async () => {
    ports = { ...ports, ...telling('to_prepare', async () => {}) }
    await collect(anErpFragment('42', { fulfilment: 'ready_to_ship' }))
    await deliverDue()
    expect(await silver()).toEqual([{ fulfilment: 'to_prepare' }])
  })

  test('an answer is not folded when a newer fetch was begun meanwhile', async () => {
    ports = { ...ports, ...telling('to_prepare', (id) => store.drawFetch(ML, `/orders/${id}`, 60_000)) }
    await collect(anErpFragment('42', { fulfilment: 'ready_to_ship' }))
    expect(await deliverDue()).toEqual(['delivered'])
    expect(await silver()).toEqual([{ fulfilment: 'ready_to_ship' }])
  })

  test('content that did not change plans nothing', async () => {
    await collect(anErpFragment('42'))
    await deliverDue()
    await collect(anErpFragment('42', { version: '2026-11-23T12:05:00.000Z' }))
    expect(await deliveries()).toHaveLength(1)
  })

  test('a lost answer is settled by look-up, never by sending again', async () => {
    await collect(anErpFragment('42'))
    market.faults.push('answer-lost')
    expect(await deliverDue()).toEqual(['ambiguous'])
    expect(await deliverDue()).toEqual([])
    await later('1 minute')
    expect(await deliverDue()).toEqual(['delivered'])
    expect(market.orders.size).toBe(1)
    expect(await attempts()).toEqual([
      { purpose: 'send', outcome: 'unknown' },
      { purpose: 'look-up', outcome: 'ok' },
    ])
  })

  test('a worker that dies after its intent leaves a row that the next one settles', async () => {
    await collect(anErpFragment('42'))
    const [claim] = await outbox.claim(ML, 1)
    if (!claim) throw new Error('nothing was due')
    await outbox.intend(claim, 'create')
    await later('1 minute')
    expect(await deliverDue()).toEqual(['delivered'])
    expect(market.requests.filter((r) => r.what === 'create')).toHaveLength(1)
    expect(await attempts()).toEqual([
      { purpose: 'send', outcome: 'unknown' },
      { purpose: 'look-up', outcome: 'ok' },
      { purpose: 'send', outcome: 'ok' },
    ])
  })

  test('the attempt of a dead worker ends although a newer version took the place of its own', async () => {
    await collect(anErpFragment('42'))
    const [claim] = await outbox.claim(ML, 1)
    if (!claim) throw new Error('nothing was due')
    await outbox.intendLookUp(claim, 'search-orders')
    await collect(anErpFragment('42', { version: '2026-11-23T12:10:00.000Z', totalMinor: 12_990 }))
    expect(await deliveries()).toMatchObject([{ state: 'superseded' }, { state: 'pending' }])
    await later('1 minute')
    await postgresOutbox(worker, channels, { open: async () => null, unreadable: () => {} }).claim(ML, 1)
    expect(await attempts()).toEqual([{ purpose: 'look-up', outcome: 'unknown' }])
  })

  test('a look-up of several slow requests keeps its lease: nobody takes the row from a worker that lives', async () => {
    await collect(anErpFragment('42'))
    const [claim] = await outbox.claim(ML, 1)
    if (!claim) throw new Error('nothing was due')
    for (let read = 0; read < 3; read++) {
      await later('8 seconds')
      expect(await outbox.intendLookUp(claim, 'search-orders')).not.toBeNull()
      expect(await outbox.claim(ML, 1)).toEqual([])
    }
    await later('8 seconds')
    expect(await outbox.intend(claim, 'create')).toMatchObject({ kind: 'intended' })
  })

  test('a stale lease holder never completes', async () => {
    await collect(anErpFragment('42'))
    const [first] = await outbox.claim(ML, 1)
    if (!first) throw new Error('nothing was due')
    await later('1 minute')
    expect(await deliverDue()).toEqual(['delivered'])
    expect(await deliverOrder(first, ports, never)).toBe('fenced')
    expect(market.orders.size).toBe(1)
  })

  test('a stale lease holder stays fenced in one group with the claim that took its row', async () => {
    await collect(anErpFragment('42'))
    const [stale] = await outbox.claim(ML, 1)
    await later('1 minute')
    const [current] = await outbox.claim(ML, 1)
    if (!stale || !current) throw new Error('nothing was due')
    const ids = await Promise.all([outbox.intendLookUp(stale, 'search-orders'), outbox.intendLookUp(current, 'search-orders')])
    expect(ids).toEqual([null, expect.stringMatching(/^\d+$/)])
    const intents = await Promise.all([outbox.intend(stale, 'create'), outbox.intend(current, 'create')])
    expect(intents).toMatchObject([{ kind: 'fenced' }, { kind: 'intended' }])
    const settlement = { state: 'delivered', reason: 'already-there', gate: { kind: 'none' } } as const
    const finish = { settlement, attempt: null, externalId: null, shown: null, summary: null, onlySend: true }
    expect(await Promise.all([outbox.finish(stale, finish), outbox.finish(current, finish)])).toEqual(['fenced', 'finished'])
  })

  test('a newer version supersedes one that waits and follows one in flight', async () => {
    await collect(anErpFragment('42'))
    market.faults.push('answer-lost')
    await deliverDue()
    await collect(
      anErpFragment('42', {
        version: '2026-11-23T12:10:00.000Z',
        totalMinor: 12_990,
        lines: [{ lineId: 'l1', sku: 'SKU-001', quantity: '1', unitPriceMinor: 12_990 }],
      }),
    )
    await later('1 minute')
    expect(await deliverDue()).toEqual(['delivered']) // the first is there
    expect(await deliverDue()).toEqual(['delivered']) // and the second updates it
    expect([...market.orders.values()]).toMatchObject([{ totalMinor: 12_990 }])
    expect(market.requests.map((r) => r.what)).toEqual(['create', 'look-up', 'look-up', 'update'])
  })

  test('an unsettled version that is not there gives way to the newer one, and the history says so', async () => {
    await collect(anErpFragment('42'))
    const [claim] = await outbox.claim(ML, 1)
    if (!claim) throw new Error('nothing was due')
    await outbox.intend(claim, 'create') // and its worker dies
    await collect(anErpFragment('42', { version: '2026-11-23T12:10:00.000Z', totalMinor: 12_990 }))
    await later('1 minute')
    await deliverDue()
    expect(await deliverDue()).toEqual(['delivered'])
    const { rows } = await owner.query(
      `SELECT event_type FROM order_event WHERE aggregate_type = 'delivery' AND event_type <> 'delivery.planned' ORDER BY id`,
    )
    expect(rows).toEqual([{ event_type: 'delivery.superseded' }, { event_type: 'delivery.delivered' }])
  })

  test('a cancellation before the first send sends nothing', async () => {
    await collect(anErpFragment('42'))
    await collect(anErpFragment('42', { version: '2026-11-23T12:10:00.000Z', lifecycle: 'cancelled', confirmed: false }))
    expect(await deliverDue()).toEqual(['delivered'])
    expect(market.requests).toEqual([])
    expect(await deliveries()).toMatchObject([{ state: 'superseded' }, { state: 'delivered' }])
  })

  test('refused content is a dead letter after one attempt, and a later success resolves it', async () => {
    await collect(anErpFragment('42'))
    market.faults.push('rejected')
    expect(await deliverDue()).toEqual(['dead'])
    expect(await deliveries()).toMatchObject([{ state: 'dead', cause: 'rejected-by-target', tries: 1 }])
    await collect(
      anErpFragment('42', {
        version: '2026-11-23T12:10:00.000Z',
        totalMinor: 12_990,
        lines: [{ lineId: 'l1', sku: 'SKU-001', quantity: '1', unitPriceMinor: 12_990 }],
      }),
    )
    expect(await deliverDue()).toEqual(['delivered'])
    const { rows } = await owner.query(`SELECT count(*)::int AS depth FROM delivery WHERE state = 'dead' AND resolved_by IS NULL`)
    expect(rows).toEqual([{ depth: 0 }])
  })

  test('an outage counts nothing and opens the circuit; one probe closes it', async () => {
    await collect(...Array.from({ length: 8 }, (_, i) => anErpFragment(String(i + 1))))
    market.faults.push(...Array.from({ length: 8 }, () => 'unreachable' as const))
    await deliverDue()
    await later('20 seconds')
    const probe = await outbox.claim(ML, 10)
    expect(probe).toHaveLength(1)
    expect(await Promise.all(probe.map((c) => deliverOrder(c, ports, never)))).toEqual(['delivered'])
    expect(await deliverDue()).toHaveLength(7)
    expect((await deliveries()).every((d) => d.state === 'delivered' && d.tries === 1)).toBe(true)
  })

  test('an unknown outcome ends dead only after a look-up says absent and no sends are left', async () => {
    await collect(anErpFragment('42'))
    market.faults.push('no-answer', 'no-answer', 'no-answer')
    for (let i = 0; i < 3; i++) {
      expect(await deliverDue()).toEqual(['ambiguous'])
      await later('2 hours')
    }
    market.readFaults.push('unavailable')
    expect(await deliverDue()).toEqual(['ambiguous']) // a look-up without an answer ends nothing
    await later('2 hours')
    expect(await deliverDue()).toEqual(['dead'])
    expect(await deliveries()).toMatchObject([{ state: 'dead', cause: 'attempts-exhausted', tries: 3 }])
  })
})
