import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../test/support/database.ts'
import { aChannel, steadyRandom } from '../../test/support/flow-fixtures.ts'
import type { DesiredOrder } from '../core/desired.ts'
import { IntegrationError, type IntegrationErrorCode } from '../core/integration-error.ts'
import type { Comparable } from '../ports/reconcile-store.ts'
import type { Wanted } from '../ports/target.ts'
import { memoryMarketplace, type MemoryMarketplace } from '../drivers/memory/marketplace.ts'
import { syncChannels } from '../drivers/postgres/channels.ts'
import { postgresFetchAttempts } from '../drivers/postgres/fetch-attempts.ts'
import { postgresInbox } from '../drivers/postgres/inbox.ts'
import { postgresOrderStore } from '../drivers/postgres/order-store.ts'
import { personalVault } from '../drivers/postgres/personal.ts'
import { connect, type Pool } from '../drivers/postgres/pool.ts'
import { postgresReconcileStore } from '../drivers/postgres/reconcile-store.ts'
import { sealer } from '../drivers/postgres/sealed-column.ts'
import { eventsOfOrder } from '../drivers/postgres/trace-silver-rows.ts'
import { applyInboundEvent, type ApplyPorts } from './apply-inbound-event.ts'
import { compareDelivered, type ReconcilePorts, rereadOpenOrders, sweepMarketplace } from './reconcile-marketplace.ts'

const ML = 'mercadolibre:1001'
const channels = [aChannel('odoo'), aChannel(ML)]
const EVER = '1970-01-01T00:00:00.000Z'
const never = new AbortController().signal
const line = { lineId: 'l1', sku: 'SKU-001', quantity: '1', unitPriceMinor: 9_990 }
const sale = { fulfilment: 'to_prepare' as const, currency: 'CLP', totalMinor: 9_990, lines: [line] }

describe('a sweep of a marketplace', () => {
  let database: TestDatabase
  let worker: Pool
  let owner: Pool
  let market: MemoryMarketplace
  let ports: ReconcilePorts
  let applying: ApplyPorts
  beforeAll(async () => {
    database = await cloneDatabase()
    worker = connect({ url: database.url, role: 'rosh_worker', max: 6, applicationName: 'sweep-test' })
    owner = connect({ url: database.migratorUrl, role: null, max: 2, applicationName: 'sweep-test-owner' })
    await syncChannels(worker, channels)
  })
  beforeEach(async () => {
    await owner.query(`TRUNCATE attempt, delivery, desired, binding, observation, identifier, resource, inbound_event, inbound_request,
                       silver_order, cursor, order_event CASCADE`)
    market = memoryMarketplace(ML)
    const inbox = postgresInbox(worker, { maxTries: 3 })
    const vault = personalVault(worker, sealer({ kekId: 'test', key: new Uint8Array(32).fill(7) }))
    const store = postgresOrderStore(worker, { plan: { channels, rules: [] }, vault, maxTries: 3 })
    // Every sweep reads all there is: what it makes an event of is the question here.
    const settings = {
      since: EVER,
      overlapMs: 10 * 365 * 86_400_000,
      compareAfterMs: 0,
      firstCompareAfterMs: 0,
      compareLimit: 20,
      repairs: true,
    }
    ports = { channel: ML, inbox, reconcile: postgresReconcileStore(worker, 3), ...settings }
    const tries = { random: steadyRandom, maxTries: 3, maxReads: 1, backoffScale: 0, leaseMs: 30_000 }
    applying = { inbox, attempts: postgresFetchAttempts(worker), store, marketplace: market, ...tries }
  })
  afterAll(async () => {
    await Promise.all([worker.end(), owner.end()])
    await database.drop()
  })

  const sweep = () => sweepMarketplace(market, ports, never)
  const events = async (): Promise<string[]> =>
    (await owner.query<{ said: string }>(`SELECT order_key || ' ' || state AS said FROM inbound_event ORDER BY id`)).rows.map(
      ({ said }) => said,
    )
  async function applyDue(): Promise<string[]> {
    const claims = await applying.inbox.claim(ML, 10, 30_000)
    return Promise.all(claims.map((claim) => applyInboundEvent(claim, applying, never)))
  }

  test('makes what no webhook told of an event, once, and a later change another', async () => {
    market.buy({ id: '1', ...sale })
    expect(await sweep()).toBe(1)
    expect(await sweep()).toBe(0)
    expect(await applyDue()).toEqual(['applied'])
    expect(await sweep()).toBe(0)
    market.change('1', { fulfilment: 'shipped' })
    expect(await sweep()).toBe(1)
    expect(await applyDue()).toEqual(['applied'])
    expect(await events()).toEqual(['1 applied', '1 applied'])
    expect((await owner.query(`SELECT order_key, fulfilment FROM silver_order`)).rows).toEqual([{ order_key: '1', fulfilment: 'shipped' }])
  })

  test('moves on past an order that cannot be fetched, which keeps its attempts and ends as one dead letter', async () => {
    market.buy({ id: '1', ...sale })
    market.buy({ id: '2', ...sale })
    const { fetchOrder } = market
    const broken = new IntegrationError('malformed-response', { summary: 'no order' })
    applying.marketplace = {
      ...market,
      fetchOrder: (resource, log, signal) =>
        resource === '/orders/1' ? log.read('fetch order', () => Promise.reject(broken)) : fetchOrder(resource, log, signal),
    }
    await sweep()
    for (let round = 0; round < 3; round++) await applyDue()
    expect(await events()).toEqual(['1 dead', '2 applied'])
    expect((await owner.query(`SELECT count(*)::int AS n FROM attempt WHERE error_code = 'malformed-response'`)).rows).toEqual([{ n: 3 }])
    expect(await ports.reconcile.readCursor(`sweep/${ML}`)).not.toBeNull()
    expect(await sweep()).toBe(0)
    expect(await events()).toEqual(['1 dead', '2 applied'])
    expect((await owner.query(`SELECT taken = accounted AS kept FROM conservation WHERE flow = 'inbound'`)).rows).toEqual([{ kept: true }])
  })

  test('leaves out what was created before its start, unless the hub knows it; a webhook still brings it', async () => {
    market.buy({ id: '1', ...sale })
    market.buy({ id: '2', ...sale })
    const old = new Set(['1', '2'])
    const asked: string[] = []
    const shop = {
      ...market,
      listChanged: async (...[since, page, signal]: Parameters<typeof market.listChanged>) => {
        asked.push(since)
        const { resources, next } = await market.listChanged(EVER, page, signal)
        return { resources: resources.map((one) => ({ ...one, createdAt: old.has(one.orderKey) ? '2020-01-01T00:00:00Z' : null })), next }
      },
    }
    ports.since = '2026-01-01T00:00:00.000Z'
    expect(await sweepMarketplace(shop, ports, never)).toBe(0)
    expect(asked).toEqual([ports.since])
    const told = {
      topic: 'orders_v2',
      resource: '/orders/1',
      sourceEventId: null,
      dedupeKey: 'w',
      comparable: 'w',
      orderKey: '1',
      ignore: null,
    }
    const request = { channel: ML, path: 'webhook', headers: {}, body: new Uint8Array(), sourceIp: null, traceparent: null }
    await ports.inbox.record(request, 'accepted', [{ channel: ML, ...told }])
    expect(await applyDue()).toEqual(['applied'])
    market.change('1', { fulfilment: 'shipped' })
    market.buy({ id: '3', ...sale })
    await sweepMarketplace(shop, ports, never)
    expect((await events()).toSorted()).toEqual(['1 applied', '1 pending', '3 pending'])
  })

  test('asks once a day for orders on their way where the marketplace lists changes, by an order of the pack', async () => {
    market.buy({ id: '1', ...sale })
    await sweep()
    await applyDue()
    expect(await rereadOpenOrders(market, ports)).toBe(0)
    await owner.query(`UPDATE silver_order SET order_key = 'pack-9'`)
    await owner.query(`UPDATE resource SET fetched_at = fetched_at - interval '25 hours'`)
    expect(await rereadOpenOrders(market, ports)).toBe(1)
    expect((await owner.query(`SELECT resource FROM inbound_event WHERE state = 'pending'`)).rows).toEqual([{ resource: '/orders/1' }])
    await owner.query(`DELETE FROM inbound_event WHERE state = 'pending'`)
    await owner.query(`UPDATE silver_order SET fulfilment = 'delivered'`)
    expect(await rereadOpenOrders(market, ports)).toBe(0)
  })

  test('asks again for open orders where the marketplace lists no changes, by one event each', async () => {
    market.buy({ id: '1', ...sale })
    await sweep()
    await applyDue()
    const listing = { ...market, listsChanges: false }
    expect([await rereadOpenOrders(market, ports), await rereadOpenOrders(listing, ports), await rereadOpenOrders(listing, ports)]).toEqual(
      [0, 1, 0],
    )
    await applyDue()
    expect(await events()).toEqual(['1 applied', '1 ignored'])
    const { rows } = await owner.query<{ id: string }>(`SELECT id FROM silver_order`)
    expect((await eventsOfOrder(worker, rows[0]?.id ?? '', null)).map(({ state }) => state)).toEqual(['applied'])
    expect(await rereadOpenOrders(listing, ports)).toBe(1)
  })
})

describe('a comparison whose look-up fails', () => {
  const comparables = ['1', '2', '3'].map((id): Comparable => {
    const desired = { kind: 'order', lifecycle: 'open' } as DesiredOrder
    const wanted = {
      channel: ML,
      reference: `odoo-${id}`,
      generation: 1,
      version: 1,
      externalId: id,
      desired,
      firstSentAt: null,
      personal: null,
    }
    return { bindingId: id, orderId: id, copies: [], wanted }
  })

  async function compared(code: IntegrationErrorCode): Promise<{ outcome: unknown; looked: string[] }> {
    const looked: string[] = []
    const reconcile = {
      comparable: () => Promise.resolve(comparables),
      recordComparison: ({ bindingId }: Comparable) => Promise.resolve(looked.push(bindingId) && 0),
      postponeComparison: ({ bindingId }: Comparable) => Promise.resolve(void looked.push(`postponed ${bindingId}`)),
    }
    const lookUp = ({ externalId }: Wanted) =>
      externalId === '1' ? Promise.reject(new IntegrationError(code)) : Promise.resolve({ kind: 'absent' as const })
    const target = { ...memoryMarketplace(ML), lookUp }
    const ports = { channel: ML, reconcile, compareLimit: 20, repairs: false } as unknown as ReconcilePorts
    const outcome = await compareDelivered(target, ports, never).catch((error: unknown) => error)
    return { outcome, looked }
  }

  test('gives way to the others when it concerns that order alone, and says which it was', async () => {
    const { outcome, looked } = await compared('malformed-response')
    expect(looked).toEqual(['postponed 1', '2', '3'])
    expect(outcome).toMatchObject({ failed: [{ reference: 'odoo-1', code: 'malformed-response' }] })
  })

  test.each(['unreachable', 'unauthorized', 'rate-limited'] as const)(
    'ends the step where every other would meet the same: %s',
    async (code) => {
      const { outcome, looked } = await compared(code)
      expect(looked).toEqual([])
      expect(outcome).toMatchObject({ code })
    },
  )
})
