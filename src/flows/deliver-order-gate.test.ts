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
import type { AttemptEnd, Claim } from '../ports/outbox.ts'
import type { OrderStore } from '../ports/order-store.ts'
import type { GateEffect } from '../core/delivery.ts'
import { IntegrationError } from '../core/integration-error.ts'
import { deliverOrder, endOf } from './deliver-order.ts'

const PARIS = 'paris:main'
const channels = [aChannel('odoo'), aChannel(PARIS)]

describe('what a delivery does to its channel', () => {
  let database: TestDatabase
  let worker: Pool
  let owner: Pool
  let store: OrderStore
  let outbox: PostgresOutbox
  let market: MemoryMarketplace
  let unreadable: string[]
  const locked = new Set<string>()

  beforeAll(async () => {
    database = await cloneDatabase()
    worker = connect({ url: database.url, role: 'rosh_worker', max: 6, applicationName: 'gate flow test' })
    owner = connect({ url: database.migratorUrl, role: null, max: 1, applicationName: 'gate flow test' })
    const vault = personalVault(worker, sealer({ kekId: 'test', key: new Uint8Array(32).fill(7) }))
    store = postgresOrderStore(worker, { plan: { channels, rules: [] }, vault, maxTries: 3 })
    outbox = postgresOutbox(worker, channels, {
      open: async (keyId, orderId, bytes) => {
        if (locked.has(orderId)) throw new Error('its key-encryption key is not configured')
        return vault.open(keyId, orderId, bytes)
      },
      unreadable: (delivery) => unreadable.push(delivery),
    })
  })

  beforeEach(async () => {
    await owner.query('TRUNCATE channel CASCADE')
    await owner.query(`UPDATE hub_clock SET shift = '0'`)
    await syncChannels(worker, channels)
    market = memoryMarketplace(PARIS)
    unreadable = []
    locked.clear()
  })

  afterAll(async () => {
    await Promise.all([worker.end(), owner.end()])
    await database.drop()
  })

  async function collect(count: number): Promise<void> {
    const ticket = await store.beginCollect('erp-orders', 60_000)
    if (!ticket) throw new Error('the cursor is taken')
    const orders = Array.from({ length: count }, (_, i) => ({
      fragment: anErpFragment(String(i + 1)),
      personal: { buyerName: 'María Pérez' },
    }))
    await store.storeCollected('erp-orders', ticket, { orders, quarantined: [], missing: [] }, null)
    await store.endCollect('erp-orders', ticket, null)
  }

  async function deliverDue(): Promise<string[]> {
    const ports = { outbox, target: market, channel: aChannel(PARIS), store, clock: aClock(), random: steadyRandom, backoffScale: 1 }
    const claims = await outbox.claim(PARIS, 10)
    return Promise.all(claims.map((claim) => deliverOrder(claim, ports, new AbortController().signal)))
  }

  const later = (interval: string): Promise<unknown> => owner.query(`UPDATE hub_clock SET shift = shift + $1::interval`, [interval])

  test('a key is refused and mended outside of the hub: a probe finds out by itself, and no try was counted', async () => {
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

  test('the probe of a pause finds its order there already: that the look-up was answered ends the pause', async () => {
    await collect(1)
    market.faults.push('answer-lost')
    expect(await deliverDue()).toEqual(['ambiguous'])
    await owner.query(`UPDATE channel SET paused_at = hub_now(), pause_cause = 'credentials-rejected' WHERE id = $1`, [PARIS])
    await later('2 minutes')
    expect(await deliverDue()).toEqual(['delivered'])
    expect((await readGate(owner, PARIS))?.state).toBe('closed')
  })

  /** Ends the claim as a worker would that was frozen while another one took its row over. */
  async function finishLate(claim: Claim, gate: GateEffect, attempt: AttemptEnd | null = null): Promise<string> {
    await later('11 seconds')
    await outbox.claim(PARIS, 1)
    const settlement = { state: 'pending', delayMs: 0, counted: false, cause: 'backing-off', gate } as const
    return outbox.finish(claim, { settlement, attempt, externalId: null, shown: null, summary: null, onlySend: true })
  }

  async function claimed(): Promise<Claim> {
    await collect(1)
    const [claim] = await outbox.claim(PARIS, 1)
    if (!claim) throw new Error('nothing was due')
    return claim
  }

  test('a finish that comes too late pauses nothing: its refused token may have been replaced since', async () => {
    expect(await finishLate(await claimed(), { kind: 'pause', cause: 'credentials-rejected' })).toBe('fenced')
    expect((await readGate(owner, PARIS))?.state).toBe('closed')
  })

  test('a refusal that comes too late settles nothing: its outcome stays unknown, with what was said beside it', async () => {
    const claim = await claimed()
    const intent = await outbox.intend(claim, 'create')
    if (intent.kind !== 'intended') throw new Error('the gate is open')
    const attempt = endOf(intent.requestId, { ok: false, code: 'rejected', detail: { httpStatus: 400 } })
    expect(await finishLate(claim, { kind: 'healthy' }, attempt)).toBe('fenced')
    const { rows } = await owner.query(
      'SELECT outcome, error_code, http_status, state FROM attempt a JOIN delivery d ON d.id = a.delivery_id',
    )
    expect(rows).toEqual([{ outcome: 'unknown', error_code: 'rejected', http_status: 400, state: 'ambiguous' }])
  })

  test('a driver that finds it too late for the first byte has sent nothing: no try is counted, and the channel is not to blame', async () => {
    const claim = await claimed()
    const clock = aClock()
    const send = async (...[, , , , , isLate]: Parameters<MemoryMarketplace['send']>): Promise<never> => {
      expect(isLate?.()).toBe(false)
      clock.advance(1_500)
      expect(isLate?.()).toBe(true)
      throw new IntegrationError('unreachable')
    }
    const target = { ...market, send }
    const ports = { outbox, target, channel: aChannel(PARIS), store, clock, random: steadyRandom, backoffScale: 1 }
    expect(await deliverOrder(claim, ports, new AbortController().signal)).toBe('pending')
    const { rows } = await owner.query(`SELECT outcome, tries, cause, due_at <= hub_now() AS due, circuit_failures
      FROM attempt a JOIN delivery d ON d.id = a.delivery_id JOIN channel c ON c.id = d.channel`)
    expect(rows).toEqual([{ outcome: 'not-sent', tries: 0, cause: 'queued', due: true, circuit_failures: 0 }])
  })

  test('a connection that took longer than the margin and failed is the failure of the channel, not a send dropped as late', async () => {
    const claim = await claimed()
    const clock = aClock()
    const send = async (...[, , , , , isLate]: Parameters<MemoryMarketplace['send']>): Promise<never> => {
      expect(isLate?.()).toBe(false)
      clock.advance(1_500)
      throw new IntegrationError('unreachable')
    }
    const target = { ...market, send }
    const ports = { outbox, target, channel: aChannel(PARIS), store, clock, random: steadyRandom, backoffScale: 1 }
    expect(await deliverOrder(claim, ports, new AbortController().signal)).toBe('pending')
    const { rows } = await owner.query(
      `SELECT cause, due_at <= hub_now() AS due, circuit_failures FROM delivery d JOIN channel c ON c.id = d.channel`,
    )
    expect(rows).toEqual([{ cause: 'backing-off', due: false, circuit_failures: 1 }])
  })

  test('a healthy answer that comes too late closes no circuit', async () => {
    const claim = await claimed()
    await owner.query(`UPDATE channel SET circuit_failures = 5, circuit_opened_at = hub_now(), probe_at = hub_now() WHERE id = $1`, [PARIS])
    expect(await finishLate(claim, { kind: 'healthy' })).toBe('fenced')
    expect((await readGate(owner, PARIS))?.openedAt).not.toBeNull()
  })

  test('an order whose personal data cannot be opened here goes back uncounted, and the others of its batch go out', async () => {
    await collect(3)
    const { rows } = await owner.query<{ id: string; order_id: string }>('SELECT id, order_id FROM delivery ORDER BY id')
    locked.add(rows[1]!.order_id)
    expect(await deliverDue()).toEqual(['delivered', 'delivered'])
    for (let round = 0; round < 6; round++) {
      await later('1 minute')
      expect(await deliverDue()).toEqual([])
    }
    expect(new Set(unreadable)).toEqual(new Set([rows[1]!.id]))
    const unread = await owner.query('SELECT state, cause, tries, unfinished, suspect, lease FROM delivery WHERE id = $1', [rows[1]!.id])
    expect(unread.rows).toEqual([{ state: 'pending', cause: 'backing-off', tries: 0, unfinished: 0, suspect: false, lease: null }])
    locked.clear()
    await later('1 minute')
    expect(await deliverDue()).toEqual(['delivered'])
  })

  test('nor does a suspect become poison for it', async () => {
    await collect(1)
    await owner.query('UPDATE delivery SET unfinished = 3, suspect = true')
    locked.add((await owner.query<{ order_id: string }>('SELECT order_id FROM delivery')).rows[0]!.order_id)
    for (let round = 0; round < 4; round++) {
      await later('2 minutes')
      expect([await outbox.suspects(), await outbox.claimSuspect(PARIS)]).toEqual([[PARIS], null])
    }
  })
})
