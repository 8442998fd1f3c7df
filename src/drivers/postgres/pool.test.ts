import { afterAll, beforeAll, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { connect, type Pool, type PoolClient, transaction } from './pool.ts'
import { isTransient, sqlstateOf } from './sqlstate.ts'

let database: TestDatabase
let pool: Pool
let owner: Pool

beforeAll(async () => {
  database = await cloneDatabase()
  pool = connect({ url: database.url, role: 'rosh_worker', max: 3, applicationName: 'pool-test' })
  owner = connect({ url: database.migratorUrl, role: null, max: 2, applicationName: 'pool-test-owner' })
  await owner.query('CREATE TABLE scratch (id integer PRIMARY KEY); GRANT ALL ON scratch TO rosh_worker')
})

afterAll(async () => {
  await Promise.all([pool.end(), owner.end()])
  await database.drop()
})

test('every connection runs as its role, in UTC, with the limits of the hub', async () => {
  const { rows } = await pool.query(
    `SELECT current_user::text AS role, current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock,
            current_setting('idle_in_transaction_session_timeout') AS idle, current_setting('timezone') AS zone, current_setting('application_name') AS app`,
  )
  expect(rows).toEqual([{ role: 'rosh_worker', statement: '15s', lock: '5s', idle: '10s', zone: 'UTC', app: 'pool-test' }])
})

test('values come as the hub reads them', async () => {
  const { rows } = await pool.query(
    `SELECT 9007199254740993::bigint AS big, timestamptz '2026-11-23 20:00:00.123456-03' AS at, '{"a":[1]}'::jsonb AS body, 'infinity'::timestamptz AS never`,
  )
  expect(rows).toEqual([{ big: '9007199254740993', at: '2026-11-23T23:00:00.123Z', body: { a: [1] }, never: 'infinity' }])
})

test('a transaction that throws leaves nothing and the pool goes on', async () => {
  const work = transaction(pool, async (client) => {
    await client.query('INSERT INTO scratch VALUES (1)')
    throw new Error('changed my mind')
  })
  await expect(work).rejects.toThrow('changed my mind')
  expect((await pool.query('SELECT * FROM scratch')).rows).toEqual([])
})

test('a transaction whose failed statement was swallowed does not look committed', async () => {
  const work = transaction(pool, async (client) => {
    await client.query('INSERT INTO scratch VALUES (2)')
    await client.query('SELECT 1/0').catch(() => {})
  })
  await expect(work).rejects.toThrow('swallowed')
  expect((await pool.query('SELECT * FROM scratch')).rows).toEqual([])
})

test('a connection that is ended inside a transaction is a transient error, ends nothing else, and is replaced', async () => {
  const work = transaction(pool, async (client) => {
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    const ended = new Promise((resolve) => client.once('end', resolve))
    await terminate(rows[0]!.pid)
    await ended
    await client.query('SELECT 1')
  })
  const error = await work.catch((e: unknown) => e)
  expect(isTransient(error)).toBe(true)
  expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
})

test('a statement that is ended by an administrator is transient and says 57P01', async () => {
  const client = await pool.connect()
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  const sleeping = client.query('SELECT pg_sleep(10)').catch((e: unknown) => e)
  await terminate(rows[0]!.pid)
  const error = await sleeping
  client.release(true)
  expect(sqlstateOf(error)).toBe('57P01')
  expect(isTransient(error)).toBe(true)
})

test('two transactions that lock in opposite order end with one victim that may be done again', async () => {
  await owner.query('INSERT INTO scratch VALUES (10), (11)')
  const [a, b] = [await pool.connect(), await pool.connect()]
  await a.query('BEGIN')
  await b.query('BEGIN')
  await a.query('UPDATE scratch SET id = id WHERE id = 10')
  await b.query('UPDATE scratch SET id = id WHERE id = 11')
  const lock = async (client: PoolClient, id: number): Promise<void> => {
    try {
      await client.query('UPDATE scratch SET id = id WHERE id = $1', [id])
    } finally {
      await client.query('ROLLBACK')
    }
  }
  const settled = await Promise.allSettled([lock(a, 11), lock(b, 10)])
  a.release()
  b.release()
  const victims = settled.filter((s) => s.status === 'rejected')
  expect(victims).toHaveLength(1)
  expect(victims.every((v) => isTransient(v.reason) && sqlstateOf(v.reason) === '40P01')).toBe(true)
})

test('a server that is not there is transient', async () => {
  const nowhere = connect({ url: 'postgres://nobody@127.0.0.1:1/none', role: null, max: 1, applicationName: 'nowhere' })
  expect(isTransient(await nowhere.query('SELECT 1').catch((e: unknown) => e))).toBe(true)
  await nowhere.end()
})

// A login may end its own sessions.
async function terminate(pid: number): Promise<void> {
  const own = connect({ url: database.url, role: null, max: 1, applicationName: 'pool-test-ender' })
  await own.query('SELECT pg_terminate_backend($1)', [pid])
  await own.end()
}
