import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { postgresEventBus } from './event-bus.ts'
import { heartbeat } from './heartbeat.ts'
import { connect, type Pool } from './pool.ts'

let database: TestDatabase
let pool: Pool

beforeAll(async () => {
  database = await cloneDatabase()
  pool = connect({ url: database.url, role: 'rosh_worker', max: 2, applicationName: 'bus-test' })
})

afterAll(async () => {
  await pool.end()
  await database.drop()
})

const aBus = (url = database.url) => postgresEventBus({ pool, url, applicationName: 'bus-test-listener' })

test('a message wakes the subscribers of its topic and nobody else', async () => {
  const bus = aBus()
  const [inbound, outbound, closed] = [vi.fn<() => void>(), vi.fn<() => void>(), vi.fn<() => void>()]
  await bus.subscribe('inbound', inbound)
  await bus.subscribe('outbound', outbound)
  await (await bus.subscribe('inbound', closed)).close()
  await bus.publish('inbound')
  await vi.waitFor(() => expect(inbound).toHaveBeenCalledTimes(1))
  expect(outbound).not.toHaveBeenCalled()
  expect(closed).not.toHaveBeenCalled()
  await bus.close()
})

test('when the connection breaks it listens again, and everybody is woken once, because messages were lost', async () => {
  const bus = aBus()
  const wake = vi.fn<() => void>()
  await bus.subscribe('collect', wake)
  const ender = connect({ url: database.url, role: null, max: 1, applicationName: 'bus-test-ender' })
  await ender.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'bus-test-listener' AND datname = current_database()`,
  )
  await ender.end()
  await vi.waitFor(() => expect(wake).toHaveBeenCalledTimes(1), { timeout: 10_000 })
  await bus.publish('collect')
  await vi.waitFor(() => expect(wake).toHaveBeenCalledTimes(2), { timeout: 10_000 })
  await bus.close()
})

test('a database that is away does not keep a process from starting or ending', async () => {
  const bus = aBus('postgres://nobody@127.0.0.1:1/none')
  const subscription = await bus.subscribe('inbound', () => {})
  expect(subscription.close).toBeTypeOf('function')
  await expect(bus.close()).resolves.toBeUndefined()
})

test('a beat without progress moves the beat and not the progress', async () => {
  const { beat } = heartbeat(pool, 'outbox-worker', 'host:1')
  const row = async () =>
    (await pool.query<{ beat_at: string; progress_at: string; app: string; progress: unknown }>('SELECT * FROM worker_heartbeat')).rows[0]!
  await beat({ delivered: 1 })
  const first = await row()
  expect(first).toMatchObject({ app: 'outbox-worker', progress: { delivered: 1 } })
  await pool.query('SELECT pg_sleep(0.01)')
  await beat({ delivered: 1 })
  const idle = await row()
  expect(idle.progress_at).toBe(first.progress_at)
  expect(idle.beat_at > first.beat_at).toBe(true)
  await beat({ delivered: 2 })
  expect((await row()).progress_at > first.progress_at).toBe(true)
})

test.each(['rosh_ingest', 'rosh_operator'] as const)('an app that runs as %s can beat', async (role) => {
  const one = connect({ url: database.url, role, max: 1, applicationName: 'bus-test-beat' })
  await expect(heartbeat(one, 'app', `host:${role}`).beat({})).resolves.toBeUndefined()
  await one.end()
})
