import type { z } from 'zod'
import { IntegrationError, type IntegrationErrorDetail } from '../../core/integration-error.ts'
import type { Clock } from '../../ports/clock.ts'
import type { IsLate } from '../../ports/target.ts'
import { codeOfStatus, type HttpClient, type HttpReply, retryAfterMs } from '../http.ts'
import { parseLossless } from './lossless-json.ts'

/** Hands out the account's access token. Throws an IntegrationError when there is none to be had. */
export interface TokenSource {
  /** The token to use now; refreshed ahead of its end. */
  current(signal: AbortSignal): Promise<AccessToken>
  /** The token after the one of `refusedVersion` was refused; one refresh however many callers ask. */
  renewed(refusedVersion: number, signal: AbortSignal): Promise<AccessToken>
}

export interface AccessToken {
  accessToken: string
  version: number
}

export interface MeliRequest {
  method: 'GET' | 'POST' | 'PUT'
  /** Built of literals and whitelisted ids, never of another system's text. */
  path: string
  headers?: Record<string, string>
  body?: unknown
  requestId?: string
  signal?: AbortSignal
  /** As `HttpRequest` says: a token may take its time. */
  isLate?: IsLate | undefined
}

export interface MeliAnswer {
  status: number
  headers: Record<string, string>
  /** Parsed without losing digits; undefined for 204. */
  body: unknown
}

/** MercadoLibre's API as one account. Answers 2xx only; throws only IntegrationError. */
export interface MeliClient {
  call(request: MeliRequest): Promise<MeliAnswer>
}

export interface ClientParts {
  http: HttpClient
  tokens: TokenSource
  clock: Clock
  /** Hard limit of a call, its token included, milliseconds. */
  timeoutMs: number
  /** Wall clock for Retry-After in its date form. */
  nowMs?: () => number
}

export function mercadolibreClient(parts: ClientParts): MeliClient {
  // A token that came of a forced refresh and never worked is not refreshed again: the account is refused, not the token.
  let unprovenVersion: number | null = null

  async function call(request: MeliRequest): Promise<MeliAnswer> {
    const elapsedMs = parts.clock.stopwatch()
    const limit = AbortSignal.timeout(parts.timeoutMs)
    const signal = request.signal ? AbortSignal.any([request.signal, limit]) : limit
    const token = await parts.tokens.current(signal)
    const reply = await exchange(request, token, { elapsedMs, signal })
    if (reply.status !== 401) return settle(reply, token)
    if (token.version === unprovenVersion) throw refusedToken(reply)
    const renewed = await parts.tokens.renewed(token.version, signal)
    unprovenVersion = renewed.version
    // One attempt is one request: what is sent again needs an intent and a request id of its own.
    if (request.requestId) throw refusedToken(reply, { credentialRenewed: true })
    const repeated = await exchange(request, renewed, { elapsedMs, signal })
    if (repeated.status === 401) throw refusedToken(repeated)
    return settle(repeated, renewed)
  }

  function settle(reply: HttpReply, token: AccessToken): MeliAnswer {
    if (token.version === unprovenVersion) unprovenVersion = null
    const failure = failureOf(reply, (parts.nowMs ?? Date.now)())
    if (failure) throw failure
    return { status: reply.status, headers: reply.headers, body: reply.status === 204 ? undefined : bodyOf(reply) }
  }

  async function exchange(
    request: MeliRequest,
    token: AccessToken,
    at: { elapsedMs: () => number; signal: AbortSignal },
  ): Promise<HttpReply> {
    const waitedMs = at.elapsedMs()
    return parts.http.exchange({
      method: request.method,
      path: request.path,
      headers: { ...request.headers, authorization: `Bearer ${token.accessToken}` },
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      ...(request.requestId === undefined ? {} : { requestId: request.requestId }),
      timeoutMs: Math.max(1, Math.ceil(parts.timeoutMs - waitedMs)),
      signal: at.signal,
      isLate: request.isLate,
    })
  }

  return { call }
}

/** Reads an answer by its schema; what does not fit is `malformed-response`. */
export function readAnswer<T>(schema: z.ZodType<T>, answer: MeliAnswer): T {
  const parsed = schema.safeParse(answer.body)
  if (parsed.success) return parsed.data
  const field = parsed.error.issues[0]?.path.join('.') ?? ''
  throw new IntegrationError('malformed-response', {
    httpStatus: answer.status,
    summary: `the answer does not fit its schema at "${field}"`,
    cause: parsed.error,
  })
}

/** What a reply that is no 2xx means. By status alone, before any parsing: the edge answers 429 in plain text. */
export function failureOf(reply: HttpReply, nowMs: number): IntegrationError | undefined {
  const byStatus = codeOfStatus(reply.status, reply.headers)
  if (byStatus === undefined) return undefined
  const said = saidIn(reply.text)
  // 403 speaks of the token only when its scopes are too few; else of this one resource, and the account goes on.
  const isOfResource = reply.status === 403 && !/invalid.?scopes/i.test(said.error)
  // A 409 asks to read again and retry, unless it names a state that no retry changes.
  const isFinal = reply.status === 409 && /not_modifiable|not_cancell?able|reference_conflict/i.test(said.error)
  const code = isOfResource || isFinal ? 'rejected' : byStatus
  const waitMs = retryAfterMs(reply.headers['retry-after'], nowMs)
  const isUnknownSku = /seller_sku\S*not_found|seller_sku .{0,200}not found/is.test(said.all)
  const detail: IntegrationErrorDetail = {
    httpStatus: reply.status,
    summary: `MercadoLibre answered ${reply.status}`,
    ...(said.text === '' ? {} : { theirText: said.text }),
    ...(code === 'rate-limited' && waitMs !== undefined ? { retryAfterMs: waitMs } : {}),
    ...(code === 'rejected' ? { causeCode: isUnknownSku ? 'sku-unknown' : 'rejected-by-target' } : {}),
  }
  return new IntegrationError(code, detail)
}

function refusedToken(reply: HttpReply, { credentialRenewed = false } = {}): IntegrationError {
  return new IntegrationError('unauthorized', {
    httpStatus: 401,
    summary: `MercadoLibre refused the access token${credentialRenewed ? '; it is renewed by now' : ', and a renewed one too'}`,
    ...(credentialRenewed ? { credentialRenewed } : {}),
    ...(saidIn(reply.text).text === '' ? {} : { theirText: saidIn(reply.text).text }),
  })
}

function bodyOf(reply: HttpReply): unknown {
  if (reply.text === '') {
    throw new IntegrationError('no-answer', { httpStatus: reply.status, summary: 'the answer is empty' })
  }
  try {
    return parseLossless(reply.text)
  } catch (cause) {
    throw new IntegrationError('malformed-response', { httpStatus: reply.status, summary: 'the answer is not JSON', cause })
  }
}

const MOST_TEXT = 500

/** Error bodies come in many shapes: `message` or `error_description`, `code` as a number or a word, or no JSON at all. */
function saidIn(text: string): { error: string; text: string; all: string } {
  const body = objectIn(text)
  if (body === undefined) return { error: '', text: text.slice(0, MOST_TEXT), all: text.slice(0, 20_000) }
  const error = wordOf(body.error)
  const words = [error, wordOf(body.message), wordOf(body.error_description), wordOf(body.code)].filter((word) => word !== '')
  return { error, text: words.join(': ').slice(0, MOST_TEXT), all: text.slice(0, 20_000) }
}

const wordOf = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? String(value) : '')

function objectIn(text: string): Record<string, unknown> | undefined {
  try {
    const value = parseLossless(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}
