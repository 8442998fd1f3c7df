import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiTokens, apiTokens } from '../../src/drivers/postgres/api-tokens.ts'
import { connect, type Pool } from '../../src/drivers/postgres/pool.ts'
import { cloneDatabase, type TestDatabase } from '../support/database.ts'

let database: TestDatabase
let owner: Pool
let pool: Pool
let tokens: ApiTokens
beforeAll(async () => {
  database = await cloneDatabase()
  owner = connect({ url: database.migratorUrl, role: null, max: 1, applicationName: 'r17 owner' })
  pool = connect({ url: database.url, role: 'rosh_operator', max: 2, applicationName: 'r17' })
  tokens = apiTokens(pool)
})
afterAll(async () => {
  await Promise.all([owner.end(), pool.end()])
  await database.drop()
})

const issue = (expiresAt: string | null = null) => tokens.issue({ principal: 'p-1', scopes: ['orders.read'], expiresAt }, randomUUID())

test('a token is a prefix and 256 random bits, and only its digest and beginning are stored', async () => {
  const { id, token } = await issue()
  expect(token).toMatch(/^rosh_[A-Za-z0-9_-]{43}$/)
  expect((await issue()).token).not.toBe(token)
  const { rows } = await owner.query<{ row: string }>('SELECT t::text AS row FROM api_token t WHERE id = $1', [id])
  expect(rows[0]?.row).not.toContain(token.slice(9))
  expect(await tokens.verify(token)).toMatchObject({ principal: 'p-1' })
})

test('a revoked token fails at the next call, without a restart', async () => {
  const { id, token } = await issue()
  expect(await tokens.verify(token)).not.toBeNull()
  expect(await tokens.revoke(id, randomUUID())).toBe(true)
  expect(await tokens.verify(token)).toBeNull()
})

test('an expired token fails at the next call', async () => {
  const { token } = await issue(new Date(Date.now() + 3_600_000).toISOString())
  expect(await tokens.verify(token)).not.toBeNull()
  await owner.query(`UPDATE hub_clock SET shift = '61 minutes'`)
  expect(await tokens.verify(token)).toBeNull()
  await owner.query(`UPDATE hub_clock SET shift = '0'`)
})

test('the last use is kept', async () => {
  const { id, token } = await issue()
  await tokens.verify(token)
  const { rows } = await owner.query('SELECT last_used_at IS NOT NULL AS used FROM api_token WHERE id = $1', [id])
  expect(rows).toEqual([{ used: true }])
})
