import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../test/support/database.ts'
import { aChannel, steadyRandom } from '../../test/support/flow-fixtures.ts'
import { IntegrationError, type IntegrationErrorCode } from '../core/integration-error.ts'
import { syncChannels } from '../drivers/postgres/channels.ts'
import { readGate } from '../drivers/postgres/gate.ts'
import { postgresInbox, type PostgresInbox } from '../drivers/postgres/inbox.ts'
import { postgresOrderStore } from '../drivers/postgres/order-store.ts'
import { personalVault } from '../drivers/postgres/personal.ts'
import { connect, type Pool } from '../drivers/postgres/pool.ts'
import { sealer } from '../drivers/postgres/sealed-column.ts'
import type { Erp } from '../ports/erp.ts'
import type { OrderStore } from '../ports/order-store.ts'
import { applyErpHints } from './apply-erp-hints.ts'

const channels = [aChannel('odoo')]

describe('hints of the ERP', () => {
  let database: TestDatabase
  let worker: Pool
  let owner: Pool
  let inbox: PostgresInbox
  let store: OrderStore
  let failure: IntegrationErrorCode | null
  let reads = 0

  beforeAll(async () => {
    database = await cloneDatabase()
    worker = connect({ url: database.url, role: 'rosh_worker', max: 4, applicationName: 'hint test' })
    owner = connect({ url: database.migratorUrl, role: null, max: 1, applicationName: 'hint test' })
    inbox = postgresInbox(worker, { maxTries: 3 })
    const vault = personalVault(worker, sealer({ kekId: 'test', key: new Uint8Array(32).fill(7) }))
    store = postgresOrderStore(worker, { plan: { channels, rules: [] }, vault, maxTries: 3 })
  })

  beforeEach(async () => {
    await owner.query('TRUNCATE channel, inbound_request, cursor CASCADE')
    await owner.query(`UPDATE hub_clock SET shift = '0'`)
    await syncChannels(worker, channels)
    failure = null
    reads = 0
  })

  afterAll(async () => {
    await Promise.all([worker.end(), owner.end()])
    await database.drop()
  })

  /** All that a hint asks of the ERP. */
  const erp = {
    readOrders: async () => {
      reads += 1
      if (failure) throw new IntegrationError(failure, { summary: 'told to fail' })
      return { orders: [], quarantined: [], missing: [] }
    },
  } as unknown as Erp

  async function hear(id: number, key = String(id)): Promise<void> {
    const request = { channel: 'odoo', path: '/webhooks/odoo/***', headers: {}, body: Buffer.from(key), sourceIp: null, traceparent: null }
    const resource = `/sale.order/${id}`
    const event = {
      channel: 'odoo',
      topic: 'sale.order',
      resource,
      sourceEventId: key,
      dedupeKey: key,
      comparable: key,
      orderKey: key,
      ignore: null,
    }
    await inbox.record(request, 'accepted', [event])
  }

  const apply = (): Promise<number> =>
    applyErpHints(
      {
        inbox,
        collect: { erp, store, overlapMs: 1_000, since: '2026-11-23T12:00:00.000Z', chunk: 50, leaseMs: 60_000 },
        random: steadyRandom,
        maxTries: 3,
        backoffScale: 1,
        leaseMs: 60_000,
      },
      new AbortController().signal,
    )
  const later = (seconds: number) => owner.query(`UPDATE hub_clock SET shift = shift + $1 * interval '1 s'`, [seconds])
  const events = async () => (await owner.query('SELECT state, cause, tries FROM inbound_event ORDER BY id')).rows
  const gate = () => readGate(owner, 'odoo')

  test('one read that fails counts once in the circuit however many hints it was for, and they wait out their backoff', async () => {
    failure = 'unreachable'
    for (const id of [1, 2, 3, 4, 5, 6]) await hear(id)
    expect(await apply()).toBe(0)
    expect(await gate()).toMatchObject({ state: 'closed', failures: 1 })
    await later(2)
    expect([await apply(), reads]).toEqual([0, 1])
    expect(await events()).toEqual(Array.from({ length: 6 }, () => ({ state: 'pending', cause: 'erp-unreachable', tries: 0 })))
  })

  test('with an open circuit a hint may be the probe, and its answer closes the circuit for deliveries too', async () => {
    await owner.query(`UPDATE channel SET circuit_failures = 5, circuit_opened_at = hub_now(), probe_at = hub_now()`)
    await hear(1)
    expect(await apply()).toBe(1)
    expect(await gate()).toMatchObject({ state: 'closed', failures: 0 })
  })

  test('a hint that finds the cursor taken gives the turn of the probe back', async () => {
    await owner.query(`UPDATE channel SET circuit_failures = 5, circuit_opened_at = hub_now(), probe_at = hub_now()`)
    await hear(1)
    await store.beginCollect('erp-orders', 60_000)
    expect([await apply(), reads]).toEqual([0, 0])
    expect((await gate())?.state).toBe('probing')
  })

  test('refused credentials pause the channel and count no try', async () => {
    failure = 'unauthorized'
    await hear(1)
    await apply()
    expect((await gate())?.state).toBe('paused')
    expect(await events()).toEqual([{ state: 'pending', cause: 'erp-unreachable', tries: 0 }])
  })

  test('a read without an answer counts, and a hint is given up on like any event, until a later one of its order is applied', async () => {
    failure = 'no-answer'
    await hear(1)
    for (let round = 0; round < 3; round++) {
      await apply()
      await later(600)
    }
    expect(await events()).toEqual([{ state: 'dead', cause: 'inbound-dead', tries: 3 }])
    failure = null
    await hear(1, 'again')
    await apply()
    expect((await owner.query(`SELECT FROM inbound_event WHERE state = 'dead' AND resolved_by IS NOT NULL`)).rowCount).toBe(1)
  })
})
