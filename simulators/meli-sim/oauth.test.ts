import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { requestToken, runSim, SELLER } from './running-sim.ts'
import type { RunningSim } from './running-sim.ts'

const REDIRECT = 'https://hub.test/oauth/mercadolibre/callback'

async function codeOf(sim: RunningSim, more: Record<string, string> = {}): Promise<string> {
  const query = new URLSearchParams({ response_type: 'code', client_id: '1234567890123456', redirect_uri: REDIRECT, state: 's-1', ...more })
  const reply = await fetch(`${sim.url}/authorization?${query}`, { redirect: 'manual' })
  expect(reply.status).toBe(302)
  const target = new URL(reply.headers.get('location') ?? '')
  expect(target.origin + target.pathname).toBe(REDIRECT)
  expect(target.searchParams.get('state')).toBe('s-1')
  return target.searchParams.get('code') ?? ''
}

test('the authorization page approves at once and its code buys one token pair', async () => {
  const sim = await runSim({ redirectUri: REDIRECT, settings: { expiresInSeconds: 10_800 } })
  await sim.admin('POST', '/accounts', { user_id: SELLER, nickname: 'TIENDA' })
  const code = await codeOf(sim)
  const first = await requestToken(sim, { grant_type: 'authorization_code', code, redirect_uri: REDIRECT })
  expect(first.body).toMatchObject({ token_type: 'Bearer', expires_in: 10_800, scope: 'offline_access read write', user_id: SELLER })
  const me = await sim.call(String(first.body.access_token), 'GET', '/users/me')
  expect(me.body).toMatchObject({ id: SELLER, nickname: 'TIENDA', site_id: 'MLC' })
  const again = await requestToken(sim, { grant_type: 'authorization_code', code, redirect_uri: REDIRECT })
  expect([again.status, again.body.error]).toEqual([400, 'invalid_grant'])
})

test('a refresh token works once, and only the newest one works', async () => {
  const sim = await runSim()
  await sim.admin('POST', '/accounts', { user_id: SELLER })
  const pair = (await sim.admin('POST', `/accounts/${SELLER}/grant`)).body
  const refresh = (token: unknown) => requestToken(sim, { grant_type: 'refresh_token', refresh_token: String(token) })
  const second = await refresh(pair.refresh_token)
  expect(second.status).toBe(200)
  expect(second.body.refresh_token).not.toBe(pair.refresh_token)
  const spent = await refresh(pair.refresh_token)
  expect(spent.body).toMatchObject({ error: 'invalid_grant', status: 400, cause: [] })
  expect(spent.body.message).toContain('may be expired or it was already used')
  expect((await refresh(second.body.refresh_token)).status).toBe(200)
  const { tokenRequests } = (await sim.admin('GET', '/state')).body
  expect(tokenRequests).toEqual({ total: 3, authorization_code: 0, refresh_token: 3, refused: 1 })
})

test('of 20 concurrent refreshes with one token exactly one succeeds', async () => {
  const sim = await runSim()
  await sim.admin('POST', '/accounts', { user_id: SELLER })
  const token = String((await sim.admin('POST', `/accounts/${SELLER}/grant`)).body.refresh_token)
  const replies = await Promise.all(
    Array.from({ length: 20 }, () => requestToken(sim, { grant_type: 'refresh_token', refresh_token: token })),
  )
  expect(replies.filter((reply) => reply.status === 200)).toHaveLength(1)
})

test('PKCE is stored and verified, S256 and plain', async () => {
  const sim = await runSim({ settings: { pkceRequired: true } })
  await sim.admin('POST', '/accounts', { user_id: SELLER })
  const bare = new URLSearchParams({ response_type: 'code', client_id: '1234567890123456', redirect_uri: REDIRECT })
  expect((await fetch(`${sim.url}/authorization?${bare}`, { redirect: 'manual' })).status).toBe(400)
  const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
  const challenge = createHash('sha256').update(verifier).digest('base64url')
  const exchange = (code: string, more: Record<string, string>) =>
    requestToken(sim, { grant_type: 'authorization_code', code, redirect_uri: REDIRECT, ...more })
  const code = await codeOf(sim, { code_challenge: challenge, code_challenge_method: 'S256' })
  expect((await exchange(code, {})).body.error).toBe('invalid_request')
  expect((await exchange(code, { code_verifier: 'wrong' })).body.error).toBe('invalid_grant')
  expect((await exchange(code, { code_verifier: verifier })).status).toBe(200)
  const plain = await codeOf(sim, { code_challenge: 'as-it-is', code_challenge_method: 'plain' })
  expect((await exchange(plain, { code_verifier: 'as-it-is' })).status).toBe(200)
})

test('each documented refusal has its error word', async () => {
  const sim = await runSim({ settings: { oauthErrorText: 'error_description' } })
  await sim.admin('POST', '/accounts', { user_id: SELLER, incomplete: true })
  const granted = (await sim.admin('POST', `/accounts/${SELLER}/grant`)).body
  const word = async (fields: Record<string, string>) => (await requestToken(sim, fields)).body.error
  expect(await word({ grant_type: 'refresh_token', refresh_token: 'TG-x', client_secret: 'wrong' })).toBe('invalid_client')
  expect(await word({ grant_type: 'password' })).toBe('unsupported_grant_type')
  expect(await word({})).toBe('invalid_request')
  expect(await word({ grant_type: 'refresh_token', refresh_token: 'TG-nobody-1' })).toBe('invalid_grant')
  const incomplete = await requestToken(sim, { grant_type: 'refresh_token', refresh_token: String(granted.refresh_token) })
  expect(Object.keys(incomplete.body)).toEqual(['error_description', 'error', 'status', 'cause'])
  const json = await fetch(`${sim.url}/oauth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"grant_type":"refresh_token"}',
  })
  expect(await json.json()).toMatchObject({ error: 'invalid_request' })
  await sim.admin('POST', '/accounts', { user_id: 7, collaborator: true })
  const asked = `${sim.url}/authorization?response_type=code&client_id=1234567890123456&redirect_uri=${encodeURIComponent(REDIRECT)}&user_id=7`
  expect(await (await fetch(asked)).json()).toMatchObject({ error: 'invalid_operator_user_id' })
})

test('a redirect_uri must be exactly the registered one, and the same at the exchange', async () => {
  const sim = await runSim({ redirectUri: REDIRECT })
  await sim.admin('POST', '/accounts', { user_id: SELLER })
  const other = `${sim.url}/authorization?response_type=code&client_id=1234567890123456&redirect_uri=${encodeURIComponent(`${REDIRECT}/x`)}`
  expect((await fetch(other, { redirect: 'manual' })).status).toBe(400)
  const reply = await requestToken(sim, { grant_type: 'authorization_code', code: await codeOf(sim), redirect_uri: `${REDIRECT}/x` })
  expect(reply.body.error).toBe('invalid_grant')
})

test('a revoked seller loses every token, an expired access token only itself', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  expect((await sim.call(token, 'GET', '/users/me')).status).toBe(200)
  await sim.admin('POST', '/revoke', { user_id: SELLER, what: 'access' })
  const expired = await sim.call(token, 'GET', '/users/me')
  expect([expired.status, expired.body]).toEqual([401, { code: 'unauthorized', message: 'invalid access token' }])
  const pair = (await sim.admin('POST', `/accounts/${SELLER}/grant`)).body
  await sim.admin('POST', '/revoke', { user_id: SELLER })
  const refused = await requestToken(sim, { grant_type: 'refresh_token', refresh_token: String(pair.refresh_token) })
  expect(refused.body.error).toBe('invalid_grant')
})

test('a call without a token, and one without the scope, are refused as documented', async () => {
  const sim = await runSim()
  const missing = await fetch(`${sim.url}/users/me`)
  expect(missing.status).toBe(401)
  expect(await missing.json()).toEqual({ code: 401, error: 'unauthorized_request_error', message: 'Invalid caller.id', cause: null })
  const token = await sim.connect(SELLER, { scopes: ['read'] })
  const refused = await sim.call(token, 'POST', '/orders', {})
  expect([refused.status, refused.body]).toEqual([403, { status: 403, error: 'Invalid scopes', code: 'FORBIDDEN' }])
})
