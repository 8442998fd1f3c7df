import { createHash } from 'node:crypto'
import type { Account, AccessToken } from './account.ts'
import type { Sim } from './sim.ts'
import { saveAccount, saveState } from './sim.ts'
import { invalidAccessToken, invalidCaller, refusal, VendorError } from './vendor-error.ts'
import { nextId } from './world.ts'

interface TokenResponse {
  access_token: string
  token_type: string
  expires_in: number
  scope: string
  user_id: number
  /** Only with scope `offline_access`. */
  refresh_token?: string
}

interface CodeRequest {
  userId: number
  redirectUri: string
  challenge: string | null
  method: 'S256' | 'plain' | null
}

const CODE_LIFETIME_MS = 600_000
/** Older access tokens of an account stop working; keeps the account's ledger line short. */
const MAX_ACCESS_TOKENS = 50
const REFRESH_LIFETIME_MS = 183 * 86_400_000

/** The answer of `POST /oauth/token`; every refusal is a VendorError in the documented shape, and is counted. */
export function grantToken(sim: Sim, contentType: string, body: string): TokenResponse {
  const form = new URLSearchParams(body)
  const counted = { ...sim.world.tokenRequests, total: sim.world.tokenRequests.total + 1 }
  const grantType = form.get('grant_type')
  if (grantType === 'authorization_code' || grantType === 'refresh_token') counted[grantType] += 1
  try {
    if (!contentType.startsWith('application/x-www-form-urlencoded')) {
      throw oauthError(sim, 400, 'invalid_request', 'the parameters must be sent form-urlencoded in the body')
    }
    checkClient(sim, form)
    if (grantType === null) throw oauthError(sim, 400, 'invalid_request', 'grant_type is a required parameter')
    if (grantType === 'authorization_code') return exchangeCode(sim, form)
    if (grantType === 'refresh_token') return refresh(sim, form)
    throw oauthError(sim, 400, 'unsupported_grant_type', `grant_type ${grantType} is not supported`)
  } catch (error) {
    counted.refused += 1
    throw error
  } finally {
    sim.world.tokenRequests = counted
    saveState(sim, 'token-requests', counted)
  }
}

/** A code for one exchange, as the redirect of the authorization page carries it. */
export function issueCode(sim: Sim, request: CodeRequest): string {
  const code = `TG-${secret(sim).slice(0, 24)}-${request.userId}`
  saveCode(sim, { ...request, sha256: hash(code), expiresAtMs: sim.nowMs() + CODE_LIFETIME_MS, used: false })
  return code
}

/** A new token pair; the refresh token before it stops working at this moment. */
export function issueTokens(sim: Sim, account: Account): TokenResponse {
  const { clientId } = sim.app
  const accessToken = `APP_USR-${clientId}-${new Date(sim.nowMs()).toISOString().slice(5, 13).replace(/[-T]/g, '')}-${secret(sim)}-${account.user_id}`
  const refreshToken = `TG-${secret(sim).slice(0, 24)}-${account.user_id}`
  const isOffline = account.scopes.includes('offline_access')
  const access = (account.grant?.access ?? []).filter((token) => token.expiresAtMs > sim.nowMs()).slice(-MAX_ACCESS_TOKENS)
  const expiresInSeconds = sim.settings.expiresInSeconds
  saveAccount(sim, {
    ...account,
    grant: {
      access: [...access, { sha256: hash(accessToken), expiresAtMs: sim.nowMs() + expiresInSeconds * 1_000, scopes: account.scopes }],
      refresh: isOffline ? { sha256: hash(refreshToken), expiresAtMs: sim.nowMs() + REFRESH_LIFETIME_MS } : null,
    },
  })
  return {
    access_token: accessToken,
    token_type: 'Bearer',
    expires_in: expiresInSeconds,
    scope: account.scopes.join(' '),
    user_id: account.user_id,
    ...(isOffline ? { refresh_token: refreshToken } : {}),
  }
}

/** The seller behind `Authorization: Bearer`, with the scopes of that token. */
export function callerOf(sim: Sim, authorization: string | undefined): { account: Account; token: AccessToken } {
  const token = /^Bearer (\S+)$/i.exec(authorization ?? '')?.[1]
  if (token === undefined) throw invalidCaller()
  const userId = Number(token.slice(token.lastIndexOf('-') + 1))
  const account = sim.world.accounts.get(userId)
  const known = account?.grant?.access.find((one) => one.sha256 === hash(token))
  if (!account || !known || known.expiresAtMs <= sim.nowMs()) throw invalidAccessToken()
  return { account, token: known }
}

/** Does `verifier` answer the challenge of the authorization? (RFC 7636) */
function answersChallenge(verifier: string, challenge: string, method: 'S256' | 'plain'): boolean {
  return method === 'plain' ? verifier === challenge : createHash('sha256').update(verifier).digest('base64url') === challenge
}

export function oauthError(sim: Sim, status: number, error: string, text: string): VendorError {
  return new VendorError(status, { [sim.settings.oauthErrorText]: text, error, status, cause: [] })
}

function exchangeCode(sim: Sim, form: URLSearchParams): TokenResponse {
  const code = form.get('code')
  const redirectUri = form.get('redirect_uri')
  if (!code) throw oauthError(sim, 400, 'invalid_request', 'code is a required parameter')
  if (!redirectUri) throw oauthError(sim, 400, 'invalid_request', 'redirect_uri is a required parameter')
  const known = sim.world.codes.get(hash(code))
  if (!known || known.used || known.expiresAtMs <= sim.nowMs() || known.redirectUri !== redirectUri) throw invalidGrant(sim)
  if (known.challenge !== null) {
    const verifier = form.get('code_verifier')
    if (!verifier) throw oauthError(sim, 400, 'invalid_request', 'code_verifier is a required parameter')
    if (!answersChallenge(verifier, known.challenge, known.method ?? 'plain')) throw invalidGrant(sim)
  }
  const account = usableAccount(sim, known.userId)
  saveCode(sim, { ...known, used: true })
  return issueTokens(sim, account)
}

function refresh(sim: Sim, form: URLSearchParams): TokenResponse {
  const token = form.get('refresh_token')
  if (!token) throw oauthError(sim, 400, 'invalid_request', 'refresh_token is a required parameter')
  const account = usableAccount(sim, Number(token.slice(token.lastIndexOf('-') + 1)))
  const held = account.grant?.refresh
  if (!held || held.sha256 !== hash(token) || held.expiresAtMs <= sim.nowMs()) throw invalidGrant(sim)
  return issueTokens(sim, account)
}

function checkClient(sim: Sim, form: URLSearchParams): void {
  if (form.get('client_id') === sim.app.clientId && form.get('client_secret') === sim.app.clientSecret) return
  throw oauthError(sim, 400, 'invalid_client', 'invalid client_id or client_secret.')
}

function usableAccount(sim: Sim, userId: number): Account {
  const account = sim.world.accounts.get(userId)
  if (!account || account.incomplete) throw invalidGrant(sim)
  if (account.collaborator) throw refusal(400, 'invalid_operator_user_id', 'Only the main user of the account may authorize an application')
  return account
}

function invalidGrant(sim: Sim): VendorError {
  const text = 'Error validating grant. Your authorization code or refresh token may be expired or it was already used'
  return oauthError(sim, 400, 'invalid_grant', sim.settings.oauthErrorText === 'message' ? `${text}.` : text)
}

function saveCode(sim: Sim, code: CodeRequest & { sha256: string; expiresAtMs: number; used: boolean }): void {
  sim.world.codes.set(code.sha256, code)
  saveState(sim, `code:${code.sha256}`, code)
}

/** Unique for ever and the same in every run that makes the same calls. */
function secret(sim: Sim): string {
  const count = nextId(sim.world, 'secret')
  saveState(sim, 'counter:secret', count)
  return hash(`${sim.app.clientSecret} ${count}`).slice(0, 32)
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
