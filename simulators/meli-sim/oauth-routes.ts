import { userView } from './account.ts'
import type { Answer, Call, Route } from './call.ts'
import { grantToken, issueCode, oauthError } from './oauth.ts'
import type { Sim } from './sim.ts'

export const oauthRoutes: Route[] = [
  { method: 'GET', url: '/authorization', access: 'public', answer: authorize },
  { method: 'POST', url: '/oauth/token', access: 'public', answer: token },
  { method: 'GET', url: '/users/me', access: 'seller', answer: (_sim, call) => ({ status: 200, body: userView(call.seller) }) },
]

/**
 * The authorization page. It approves at once for the seller who is logged in: `user_id` in the query (simulator only), else the
 * one of `PUT /admin/login`, else the first account. What the vendor would refuse on the page is a 400 here, never a redirect.
 * `deny` in the query (simulator only) is the seller who says no: the redirect carries `error` (RFC 6749 §4.1.2.1), `access_denied` unless another word is given.
 */
function authorize(sim: Sim, call: Call): Answer {
  const { query } = call
  if (query.get('response_type') !== 'code') throw oauthError(sim, 400, 'invalid_request', 'response_type must be code')
  if (query.get('client_id') !== sim.app.clientId)
    throw oauthError(sim, 400, 'invalid_client', 'client_id does not belong to an application')
  const redirectUri = query.get('redirect_uri') ?? ''
  if (!URL.canParse(redirectUri)) throw oauthError(sim, 400, 'invalid_request', 'redirect_uri must be an absolute URL')
  if (sim.app.redirectUri !== null && redirectUri !== sim.app.redirectUri) {
    throw oauthError(sim, 400, 'invalid_request', 'redirect_uri must be exactly the one of the application')
  }
  const { challenge, method } = challengeOf(sim, query)
  const denied = query.get('deny')
  if (denied !== null) return sendBack(redirectUri, query.get('state'), ['error', denied === '' ? 'access_denied' : denied])
  const code = issueCode(sim, { userId: loggedIn(sim, query.get('user_id')), redirectUri, challenge, method })
  return sendBack(redirectUri, query.get('state'), ['code', code])
}

function sendBack(redirectUri: string, state: string | null, [name, value]: [string, string]): Answer {
  const target = new URL(redirectUri)
  target.searchParams.set(name, value)
  if (state !== null) target.searchParams.set('state', state)
  return { status: 302, headers: { location: target.toString() } }
}

function token(sim: Sim, call: Call): Answer {
  const answer = grantToken(sim, call.headers['content-type'] ?? '', call.body.toString('utf8'))
  call.note('token-issued')
  return { status: 200, body: answer }
}

function challengeOf(sim: Sim, query: URLSearchParams): { challenge: string | null; method: 'S256' | 'plain' | null } {
  const challenge = query.get('code_challenge')
  if (challenge === null) {
    if (sim.settings.pkceRequired) throw oauthError(sim, 400, 'invalid_request', 'code_challenge is a required parameter')
    return { challenge: null, method: null }
  }
  const method = query.get('code_challenge_method') ?? 'plain'
  if (method !== 'S256' && method !== 'plain') throw oauthError(sim, 400, 'invalid_request', 'code_challenge_method must be S256 or plain')
  return { challenge, method }
}

function loggedIn(sim: Sim, asked: string | null): number {
  const userId = asked === null ? (sim.login ?? sim.world.accounts.keys().next().value) : Number(asked)
  const account = userId === undefined ? undefined : sim.world.accounts.get(userId)
  if (!account) throw oauthError(sim, 400, 'invalid_request', 'no such seller: create one with POST /admin/accounts')
  if (account.collaborator) {
    throw oauthError(sim, 400, 'invalid_operator_user_id', 'Only the main user of the account may authorize an application')
  }
  return account.user_id
}
