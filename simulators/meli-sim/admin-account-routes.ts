import { z } from 'zod'
import type { Account } from './account.ts'
import { userView } from './account.ts'
import type { Answer, Call, Route } from './call.ts'
import { readBody } from './call.ts'
import { isConnected } from './notifier.ts'
import { issueCode, issueTokens } from './oauth.ts'
import type { Sim } from './sim.ts'
import { saveAccount } from './sim.ts'
import { notFound } from './vendor-error.ts'
import { vendorTime } from './vendor-time.ts'

export const adminAccountRoutes: Route[] = [
  { method: 'POST', url: '/admin/accounts', access: 'admin', answer: putAccount },
  { method: 'GET', url: '/admin/accounts', access: 'admin', answer: (sim) => ({ status: 200, body: { accounts: accountList(sim) } }) },
  { method: 'POST', url: '/admin/accounts/:userId/grant', access: 'admin', answer: grant },
  { method: 'PUT', url: '/admin/login', access: 'admin', answer: login },
  { method: 'POST', url: '/admin/revoke', access: 'admin', answer: revoke },
]

const userId = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER)
const Scope = z.enum(['offline_access', 'read', 'write'])

const AccountBody = z.strictObject({
  user_id: userId,
  nickname: z.string().min(1).max(100).optional(),
  email: z.string().max(200).optional(),
  user_product_seller: z.boolean().optional(),
  full_and_flex: z.boolean().optional(),
  collaborator: z.boolean().optional(),
  incomplete: z.boolean().optional(),
  scopes: z.array(Scope).min(1).optional(),
})

const GrantBody = z.strictObject({
  as: z.enum(['tokens', 'code']).default('tokens'),
  redirect_uri: z.url().optional(),
  code_challenge: z.string().min(1).optional(),
  code_challenge_method: z.enum(['S256', 'plain']).optional(),
})

const LoginBody = z.strictObject({ user_id: userId.nullable() })
const RevokeBody = z.strictObject({ user_id: userId, what: z.enum(['all', 'access', 'refresh']).default('all') })

export function accountList(sim: Sim): Record<string, unknown>[] {
  return [...sim.world.accounts.values()].map((account) => ({
    user_id: account.user_id,
    nickname: account.nickname,
    connected: isConnected(account),
    access_tokens: account.grant?.access.filter((token) => token.expiresAtMs > sim.nowMs()).length ?? 0,
    has_refresh_token: Boolean(account.grant?.refresh),
    user_product_seller: account.user_product_seller,
    full_and_flex: account.full_and_flex,
    collaborator: account.collaborator,
    incomplete: account.incomplete,
    scopes: account.scopes,
  }))
}

/** Creates an account (201) or changes one (200); its grant stays. */
function putAccount(sim: Sim, call: Call): Answer {
  const body = readBody(call, AccountBody)
  const known = sim.world.accounts.get(body.user_id)
  const nickname = body.nickname ?? known?.nickname ?? `VENDEDOR${body.user_id}`
  const account: Account = {
    user_id: body.user_id,
    nickname,
    email: body.email ?? known?.email ?? `${nickname.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}@example.test`,
    site_id: 'MLC',
    registration_date: known?.registration_date ?? vendorTime(sim.nowMs()),
    user_product_seller: body.user_product_seller ?? known?.user_product_seller ?? false,
    full_and_flex: body.full_and_flex ?? known?.full_and_flex ?? false,
    collaborator: body.collaborator ?? known?.collaborator ?? false,
    incomplete: body.incomplete ?? known?.incomplete ?? false,
    scopes: body.scopes ?? known?.scopes ?? ['offline_access', 'read', 'write'],
    grant: known?.grant ?? null,
  }
  saveAccount(sim, account)
  return { status: known ? 200 : 201, body: userView(account) }
}

/** For set-ups: a token pair at once, or a code to exchange. */
function grant(sim: Sim, call: Call): Answer {
  const account = accountOf(sim, Number(call.params.userId))
  const body = readBody(call, GrantBody)
  if (body.as === 'tokens') return { status: 201, body: issueTokens(sim, account) }
  const redirectUri = body.redirect_uri ?? sim.app.redirectUri ?? 'https://example.test/oauth/mercadolibre/callback'
  const challenge = body.code_challenge ?? null
  const method = challenge === null ? null : (body.code_challenge_method ?? 'plain')
  return {
    status: 201,
    body: { code: issueCode(sim, { userId: account.user_id, redirectUri, challenge, method }), redirect_uri: redirectUri },
  }
}

function login(sim: Sim, call: Call): Answer {
  const body = readBody(call, LoginBody)
  if (body.user_id !== null) accountOf(sim, body.user_id)
  sim.login = body.user_id
  return { status: 200, body: { user_id: sim.login } }
}

/** The seller takes the permission back (`all`), or only one kind of token stops working. */
function revoke(sim: Sim, call: Call): Answer {
  const body = readBody(call, RevokeBody)
  const account = accountOf(sim, body.user_id)
  const held = account.grant
  const left = held && { access: body.what === 'access' ? [] : held.access, refresh: body.what === 'refresh' ? null : held.refresh }
  saveAccount(sim, { ...account, grant: body.what === 'all' ? null : left })
  return { status: 200, body: { user_id: account.user_id, revoked: body.what } }
}

export function accountOf(sim: Sim, id: number): Account {
  const account = sim.world.accounts.get(id)
  if (!account) throw notFound(`Account ${id}`)
  return account
}
