import { expect, test } from 'vitest'
import { readStaticTokens, stdioAuthenticator, stdioIdentity } from './principal.ts'

const scopesOf = (text: string): string[][] => readStaticTokens(text).map((t) => [...t.scopes])

test('a token carries scopes, or a role that stands for them', () => {
  expect(scopesOf('a:orders.read,metrics.read')).toEqual([['orders.read', 'metrics.read']])
  expect(scopesOf(' a:viewer ; b:operator;c:admin,orders.pii; ')).toEqual([
    ['orders.read', 'metrics.read'],
    ['orders.read', 'metrics.read', 'outbox.retry', 'dlq.replay'],
    ['orders.read', 'metrics.read', 'outbox.retry', 'dlq.replay', 'dlq.admin', 'orders.pii'],
  ])
  expect(readStaticTokens('with:colon:viewer')[0]?.token).toBe('with:colon')
})

test.each([
  ['canary-1', 'entry 1: write token:scope'],
  ['ok:viewer;canary-2:', 'entry 2: no scope'],
  ['canary-3:orders:read', 'is no scope and no role'],
  ['canary-4:superuser', '"superuser" is no scope'],
  ['canary-5:constructor', '"constructor" is no scope'],
  [':viewer', 'entry 1: write token:scope'],
  ['canary-6:viewer;canary-6:admin', 'names one token twice'],
])('%s is a mistake that is named without its token', (text, problem) => {
  const identity = stdioIdentity({ mcpToken: null, staticTokens: text })
  expect(identity).toMatchObject({ kind: 'misconfigured', reason: expect.stringContaining(problem) })
  expect(JSON.stringify(identity)).not.toContain('canary')
})

test('the only token is the one; MCP_TOKEN chooses among several; none is no access', () => {
  expect(stdioIdentity({ mcpToken: null, staticTokens: 'one:viewer' })).toMatchObject({ kind: 'static', principal: { via: 'mcp-stdio' } })
  const chosen = stdioIdentity({ mcpToken: 'two', staticTokens: 'one:viewer;two:admin' })
  expect(chosen.kind === 'static' && chosen.principal.scopes.has('dlq.admin')).toBe(true)
  expect(stdioIdentity({ mcpToken: null, staticTokens: 'one:viewer;two:admin' })).toMatchObject({
    kind: 'misconfigured',
    reason: expect.stringContaining('MCP_TOKEN'),
  })
  expect(stdioIdentity({ mcpToken: null, staticTokens: null })).toEqual({ kind: 'none' })
  expect(stdioIdentity({ mcpToken: '', staticTokens: '' })).toEqual({ kind: 'none' })
})

test('a principal is opaque, stable, and holds no part of its token', () => {
  const [one, again, other] = ['tok-canary-1', 'tok-canary-1', 'tok-canary-2'].map((t) =>
    stdioIdentity({ mcpToken: null, staticTokens: `${t}:viewer` }),
  )
  if (one?.kind !== 'static' || again?.kind !== 'static' || other?.kind !== 'static') throw new Error('no principal')
  expect(one.principal.id).toBe(again.principal.id)
  expect(one.principal.id).not.toBe(other.principal.id)
  expect(one.principal.id).toMatch(/^static-[0-9a-f]{12}$/)
})

test('a token of the table is verified at every call, so that a revoked one fails at once', async () => {
  const identity = stdioIdentity({ mcpToken: 'rosh_x', staticTokens: 'one:viewer' })
  if (identity.kind === 'misconfigured') throw new Error('misconfigured')
  let live = true
  const authenticate = stdioAuthenticator(identity, {
    verify: () => Promise.resolve(live ? { principal: 'ana', scopes: new Set(['orders.read'] as const) } : null),
  })
  expect(await authenticate()).toMatchObject({ id: 'ana' })
  live = false
  expect(await authenticate()).toBeNull()
  expect(await stdioAuthenticator({ kind: 'none' }, { verify: () => Promise.resolve(null) })()).toBeNull()
})
