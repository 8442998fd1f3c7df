import { afterAll, beforeAll, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.ts'
import type { Channel } from '../../core/channel.ts'
import { syncChannels } from './channels.ts'
import { applyGate, readGate } from './gate.ts'
import { connect, type Pool } from './pool.ts'

let database: TestDatabase
let pool: Pool

beforeAll(async () => {
  database = await cloneDatabase()
  pool = connect({ url: database.url, role: 'rosh_worker', max: 2, applicationName: 'channels-test' })
})

afterAll(async () => {
  await pool.end()
  await database.drop()
})

function aChannel(id: string, over: Partial<Channel> = {}): Channel {
  return {
    id,
    marketplace: id.startsWith('paris') ? 'paris' : 'odoo',
    enabled: true,
    capabilities: {
      createOrder: true,
      updateOrder: true,
      cancelOrder: true,
      updateStock: true,
      pushFulfilment: false,
      fractionalQuantity: false,
      idempotentCreate: true,
    },
    shipsFrom: 'marketplace',
    timing: { timeoutMs: 10_000, marginMs: 1_000, settleMs: 30_000, leaseMs: 30_000 },
    ...over,
  }
}

async function rows(): Promise<unknown[]> {
  return (await pool.query('SELECT id, marketplace, account_id, enabled, bucket_rate, bucket_size, bucket_tokens FROM channel ORDER BY id'))
    .rows
}

test('the rows follow the configuration, and what the gate learnt stays', async () => {
  await syncChannels(pool, [aChannel('paris:main'), aChannel('odoo')], new Map([['paris:main', { perSecond: 5, burst: 10 }]]))
  await applyGate(pool, 'paris:main', { kind: 'pause', cause: 'credentials-rejected' })
  expect(await rows()).toEqual([
    { id: 'odoo', marketplace: 'odoo', account_id: 'odoo', enabled: true, bucket_rate: 200, bucket_size: 400, bucket_tokens: 400 },
    { id: 'paris:main', marketplace: 'paris', account_id: 'main', enabled: true, bucket_rate: 5, bucket_size: 10, bucket_tokens: 10 },
  ])
  await syncChannels(pool, [aChannel('paris:main', { shipsFrom: 'odoo' })], new Map([['paris:main', { perSecond: 2, burst: 4 }]]))
  expect(await rows()).toMatchObject([
    { id: 'odoo', enabled: false },
    { id: 'paris:main', enabled: true, bucket_rate: 2, bucket_size: 4, bucket_tokens: 4 },
  ])
  expect(await readGate(pool, 'paris:main')).toMatchObject({ state: 'paused', pauseCause: 'credentials-rejected' })
})

test('a restart with the same configuration writes nothing', async () => {
  const versions = async () => (await pool.query('SELECT id, xmin::text FROM channel ORDER BY id')).rows
  await syncChannels(pool, [aChannel('paris:main'), aChannel('odoo')])
  const before = await versions()
  await syncChannels(pool, [aChannel('odoo'), aChannel('paris:main')])
  expect(await versions()).toEqual(before)
})

test('a lease that may end during a healthy send is refused', async () => {
  const timing = { timeoutMs: 10_000, marginMs: 1_000, settleMs: 30_000, leaseMs: 11_000 }
  await expect(syncChannels(pool, [aChannel('paris:main', { timing })])).rejects.toThrow('channel paris:main: leaseMs')
})
