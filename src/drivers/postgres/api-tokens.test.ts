import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { OperationClosed } from '../../core/operation-closed.ts'
import type { Scope } from '../../ports/audit.ts'
import { type ApiTokens, apiTokens } from './api-tokens.ts'
import { postgresAudit } from './audit.ts'
import { connect, type Pool } from './pool.ts'

let database: TestDatabase
let pool: Pool
let owner: Pool
let tokens: ApiTokens

beforeAll(async () => {
  database = await cloneDatabase()
  pool = connect({ url: database.url, role: 'rosh_operator', max: 2, applicationName: 'tokens-test' })
  owner = connect({ url: database.migratorUrl, role: null, max: 1, applicationName: 'tokens-test-owner' })
  tokens = apiTokens(pool)
})

afterAll(async () => {
  await Promise.all([pool.end(), owner.end()])
  await database.drop()
})

const issue = (expiresAt: string | null = null) =>
  tokens.issue({ principal: 'p-1', scopes: ['orders.read', 'dlq.replay'], expiresAt }, randomUUID())

test('a token carries 256 random bits behind its prefix and only its digest is stored', async () => {
  const { token } = await issue()
  expect(token).toMatch(/^rosh_[A-Za-z0-9_-]{43}$/)
  const { rows } = await owner.query<{ dump: string }>('SELECT t::text AS dump FROM api_token t')
  expect(rows.some((row) => row.dump.includes(token.slice(9)))).toBe(false)
  expect(rows[0]?.dump).toContain(token.slice(0, 9))
})

test('a token answers its principal and scopes, and when it was last used', async () => {
  const { id, token } = await issue()
  expect(await tokens.verify(token)).toEqual({ id, principal: 'p-1', scopes: new Set(['orders.read', 'dlq.replay']) })
  const used = async () => (await owner.query<{ at: string }>('SELECT last_used_at AS at FROM api_token WHERE id = $1', [id])).rows[0]?.at
  const first = await used()
  expect(first).not.toBeNull()
  await tokens.verify(token)
  expect(await used()).toEqual(first)
})

test('a revoked token fails on the next call and is revoked once', async () => {
  const { id, token } = await issue()
  expect(await tokens.revoke(id, randomUUID())).toBe(true)
  expect(await tokens.verify(token)).toBeNull()
  expect(await tokens.revoke(id, randomUUID())).toBe(false)
})

test('an expired token fails, by the time of the database', async () => {
  const { token } = await issue(new Date(Date.now() + 3_600_000).toISOString())
  expect(await tokens.verify(token)).not.toBeNull()
  await owner.query(`UPDATE hub_clock SET shift = '2 hours'`)
  expect(await tokens.verify(token)).toBeNull()
  await owner.query(`UPDATE hub_clock SET shift = '0'`)
})

test.each([
  '',
  'rosh_',
  'Bearer x',
  `rosh_${'A'.repeat(43)}`,
  `rosh_${'A'.repeat(44)}`,
  "rosh_' OR 1=1 --",
  'rosh_\u0000',
  '💥'.repeat(1_000),
])('%j is no token', async (text) => {
  expect(await tokens.verify(text)).toBeNull()
})

test('a scope that the hub does not know grants nothing', async () => {
  const { id, token } = await issue()
  await owner.query(`UPDATE api_token SET scopes = '{orders.read,root}' WHERE id = $1`, [id])
  expect((await tokens.verify(token))?.scopes).toEqual(new Set(['orders.read']))
})

test('what an operation made is noted with it, and one that was closed meanwhile makes nothing', async () => {
  const audit = postgresAudit(pool)
  const intent = {
    principal: { id: 'ana', scopes: new Set<Scope>(), via: 'cli' },
    tool: 'rosh tokens issue',
    scopeUsed: null,
    params: {},
  } as const
  const [open, closed] = [await audit.intend(intent), await audit.intend(intent)]
  await audit.complete(closed, { result: 'error', latencyMs: 1 })
  const token = { principal: 'p-2', scopes: ['orders.read' as const], expiresAt: null }
  const { id } = await tokens.issue(token, open)
  await expect(tokens.issue(token, closed)).rejects.toThrow(OperationClosed)
  const noted = await owner.query('SELECT operation_id, effect FROM operation_effect WHERE operation_id = ANY($1)', [[open, closed]])
  expect(noted.rows).toEqual([{ operation_id: open, effect: { issued: id } }])
  expect((await tokens.list()).filter(({ principal }) => principal === 'p-2')).toHaveLength(1)
})
