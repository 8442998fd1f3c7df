import { createHash, randomBytes } from 'node:crypto'
import { z } from 'zod'
import { IntegrationError } from '../../core/integration-error.ts'
import { shortened } from '../../core/storable-text.ts'
import type { TokenPair } from '../../ports/credential-store.ts'
import type { HttpClient, HttpReply } from '../http.ts'
import { failureOf } from './client.ts'
import { NumericId, parseLossless } from './lossless-json.ts'

/** The application as registered at MercadoLibre. */
export interface OauthApp {
  clientId: string
  clientSecret: string
  /** Exact match, HTTPS, no variable part; context goes into `state`. */
  redirectUri: string
  /** Origin of the authorization page of the site's country: `https://auth.mercadolibre.cl`. */
  authBase: string
}

export interface Pkce {
  verifier: string
  challenge: string
}

export type Granted = Omit<TokenPair, 'version'> & { userId: string; scope: string }

/** A new verifier and its S256 challenge (RFC 7636). Optional per application; an application that requires it refuses without. */
export function newPkce(): Pkce {
  const verifier = randomBytes(48).toString('base64url')
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') }
}

/** Where the seller's main user gives the permission. A collaborator is refused there with `invalid_operator_user_id`. */
export function authorizeUrl(app: OauthApp, state: string, challenge: string): string {
  const url = new URL('/authorization', app.authBase)
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: app.clientId,
    redirect_uri: app.redirectUri,
    state,
    code_challenge: challenge,
    code_challenge_method: 'S256',
  }).toString()
  return url.toString()
}

/** Spends the code of the redirect; it works once. Throws `rejected` naming what was refused. */
export async function exchangeCode(
  parts: { app: OauthApp; http: HttpClient; nowMs?: () => number },
  grant: { code: string; verifier: string },
  signal?: AbortSignal,
): Promise<Granted> {
  const nowMs = parts.nowMs ?? Date.now
  const sentAtMs = nowMs()
  const reply = await requestToken(
    parts.http,
    {
      grant_type: 'authorization_code',
      client_id: parts.app.clientId,
      client_secret: parts.app.clientSecret,
      code: grant.code,
      redirect_uri: parts.app.redirectUri,
      code_verifier: grant.verifier,
    },
    signal,
  )
  const failure = failureOf(reply, nowMs())
  if (failure) throw failure
  return grantedIn(reply, sentAtMs)
}

/** `POST /oauth/token` with the parameters form-urlencoded in the body. Answers whatever status came back. */
export function requestToken(http: HttpClient, form: Record<string, string>, signal?: AbortSignal): Promise<HttpReply> {
  return http.exchange({
    method: 'POST',
    path: '/oauth/token',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
    ...(signal === undefined ? {} : { signal }),
  })
}

// Far beyond any documented lifetime; more would be no instant.
const LONGEST_LIFE_SECONDS = 10 * 365 * 86_400

const TokenAnswer = z.object({
  access_token: z.string().min(1),
  expires_in: z.number().positive().max(LONGEST_LIFE_SECONDS),
  refresh_token: z.string().min(1).nullish(),
  user_id: NumericId,
  scope: z.string().default(''),
})

/** The pair of a 2xx answer. Its end is counted from before the request left; the documented lifetimes contradict each other. */
export function grantedIn(reply: HttpReply, sentAtMs: number): Granted {
  const answer = TokenAnswer.safeParse(jsonOf(reply.text))
  if (!answer.success) {
    const field = answer.error.issues[0]?.path.join('.') ?? ''
    throw new IntegrationError('malformed-response', { httpStatus: reply.status, summary: `the token answer has no usable "${field}"` })
  }
  const { access_token, expires_in, refresh_token, user_id, scope } = answer.data
  return {
    accessToken: access_token,
    refreshToken: refresh_token ?? null,
    expiresAt: new Date(sentAtMs + expires_in * 1_000).toISOString(),
    userId: user_id,
    scope,
  }
}

/** The `error` word of a refusal, for example `invalid_grant`; empty when there is none. */
export function oauthErrorIn(reply: HttpReply): string {
  const body = z.object({ error: z.string() }).safeParse(jsonOf(reply.text))
  return body.success ? shortened(body.data.error, 100) : ''
}

function jsonOf(text: string): unknown {
  try {
    return parseLossless(text)
  } catch {
    return undefined
  }
}
