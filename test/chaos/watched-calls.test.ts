import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { httpClient } from '../../src/drivers/http.ts'
import { connect, type Pool, transaction } from '../../src/drivers/postgres/pool.ts'
import { cloneDatabase, type TestDatabase } from '../support/database.ts'
import { knownTransactions, watchCalls, type WatchedCall } from './watched-calls.ts'

let database: TestDatabase
let pool: Pool
let server: Server
let ask: (path: string) => Promise<unknown>
const calls: WatchedCall[] = []
let end: () => void

beforeAll(async () => {
  database = await cloneDatabase()
  pool = knownTransactions(connect({ url: database.url, role: 'rosh_worker', max: 4, applicationName: 'calls' }))
  server = createServer((_request, response) => response.end('{}'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = httpClient({ origin, timeoutMs: 5_000, connections: 2 })
  ask = (path) => client.exchange({ method: 'GET', path, requestId: path.slice(1) })
  end = watchCalls((call) => calls.push(call))
}, 60_000)

afterAll(async () => {
  end?.()
  server?.closeAllConnections()
  server?.close()
  await pool?.end()
  await database?.drop()
})

const openAt = (request: string): number | undefined => calls.find((call) => call.request === request)?.openTransactions

test('a call inside a transaction is told apart from one beside it, after it, and after one that was rolled back', async () => {
  await transaction(pool, async (client) => {
    await client.query('SELECT 1')
    await ask('/inside')
    await Promise.all([ask('/inside-too'), client.query('SELECT 1')])
  })
  await ask('/after')
  await transaction(pool, () => Promise.reject(new Error('no'))).catch(() => {})
  await ask('/after-rollback')
  const { promise: isOpen, resolve: opened } = Promise.withResolvers<void>()
  const { promise: mayEnd, resolve: done } = Promise.withResolvers<void>()
  const other = transaction(pool, async (client) => {
    await client.query('SELECT 1')
    opened()
    await mayEnd
    await ask('/inside-after-a-wait')
  })
  await isOpen
  await ask('/beside')
  done()
  await other
  expect(
    Object.fromEntries(['inside', 'inside-too', 'after', 'after-rollback', 'beside', 'inside-after-a-wait'].map((id) => [id, openAt(id)])),
  ).toEqual({ inside: 1, 'inside-too': 1, after: 0, 'after-rollback': 0, beside: 0, 'inside-after-a-wait': 1 })
})
