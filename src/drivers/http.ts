import { Readable } from 'node:stream'
import { Pool } from 'undici'
import type { z } from 'zod'
import { IntegrationError, type IntegrationErrorCode } from '../core/integration-error.ts'
import { storableJson } from '../core/storable-text.ts'
import type { IsLate } from '../ports/target.ts'
import { currentTraceparent } from '../telemetry.ts'
import { checkOutsideOrigin, outsideLookup, type OutsideRules } from './outside-address.ts'

export interface HttpOptions {
  /** Origin that the operator configured, for example `https://api.mercadolibre.com`. */
  origin: string
  /** Concurrent requests to this origin. */
  connections?: number
  /** Hard limit of a whole exchange, milliseconds. */
  timeoutMs: number
  /** Largest body read; more is `malformed-response`. */
  maxResponseBytes?: number
  /**
   * Set where the origin arrived as data: then it is https alone, resolved and checked anew for every exchange, never private, never redirected.
   * What the operator configured is trusted and leaves it out.
   */
  outside?: OutsideRules
}

export interface HttpRequest {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Path and query; built by the driver, never taken from data. */
  path: string
  headers?: Record<string, string>
  body?: string
  /** Sent as `X-Request-Id`: the attempt's id. None or empty: a read that serves no single delivery or event carries none. */
  requestId?: string
  timeoutMs?: number
  signal?: AbortSignal
  /** Asked once the connection is up and right before the first byte; true: nothing leaves, and the error is `unreachable`. */
  isLate?: IsLate | undefined
}

export interface HttpReply {
  status: number
  headers: Record<string, string>
  text: string
}

/** The one HTTP client: a keep-alive pool per origin, no retries, no redirects. Throws only IntegrationError. */
export interface HttpClient {
  readonly origin: string
  /** Answers whatever status came back, read whole. */
  exchange(request: HttpRequest): Promise<HttpReply>
  close(): Promise<void>
}

const MAX_RESPONSE_BYTES = 5 * 1024 * 1024

export function httpClient(options: HttpOptions): HttpClient {
  if (options.outside) checkOutsideOrigin(options.origin, options.outside)
  const pool = new Pool(options.origin, {
    connections: options.connections ?? 16,
    // Over HTTP/2 a session outlives its exchange, and the head leaves before the body is asked for: neither the next line nor `bodyOf` would hold.
    allowH2: false,
    // 0 keeps no connection, so that every exchange is resolved and checked.
    pipelining: options.outside ? 0 : 1,
    connect: { timeout: Math.min(options.timeoutMs, 10_000), ...(options.outside ? { lookup: outsideLookup(options.outside) } : {}) },
    bodyTimeout: options.timeoutMs,
    headersTimeout: options.timeoutMs,
  })
  return {
    origin: options.origin,
    exchange: (request) => exchange(pool, request, options),
    close: () => pool.destroy(),
  }
}

async function exchange(pool: Pool, request: HttpRequest, options: HttpOptions): Promise<HttpReply> {
  const timeout = AbortSignal.timeout(request.timeoutMs ?? options.timeoutMs)
  const signal = request.signal ? AbortSignal.any([request.signal, timeout]) : timeout
  try {
    const reply = await pool.request({
      method: request.method,
      path: request.path,
      headers: headersOf(request),
      body: bodyOf(request),
      signal,
    })
    const text = await readCapped(reply.body, options.maxResponseBytes ?? MAX_RESPONSE_BYTES)
    return { status: reply.statusCode, headers: flat(reply.headers), text }
  } catch (error) {
    throw error instanceof IntegrationError ? error : transportError(error)
  }
}

// Over HTTP/1.1 undici asks an iterable body for its first piece before it writes the head: so near to the first byte nothing else can stop a request.
function bodyOf({ body, isLate }: HttpRequest): string | Readable | null {
  if (isLate?.()) throw notInTime()
  if (body === undefined || isLate === undefined) return body ?? null
  return Readable.from(
    (async function* () {
      if (isLate()) throw notInTime()
      yield Buffer.from(body)
    })(),
  )
}

const notInTime = (): IntegrationError => new IntegrationError('unreachable', { summary: 'not sent: too late after its intent' })

function headersOf(request: HttpRequest): Record<string, string> {
  const traceparent = currentTraceparent()
  return {
    accept: 'application/json',
    ...(request.body === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(request.body)) }),
    ...(request.requestId ? { 'x-request-id': request.requestId } : {}),
    ...(traceparent === undefined ? {} : { traceparent }),
    ...request.headers,
  }
}

function flat(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]))
}

async function readCapped(body: AsyncIterable<Buffer>, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > maxBytes) throw new IntegrationError('malformed-response', { summary: `the answer is larger than ${maxBytes} bytes` })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const NEVER_LEFT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
])

// Only what is known to have failed before a byte left is `unreachable`; every doubt counts as sent.
function transportError(error: unknown): IntegrationError {
  const code = codeOf(error)
  if (code !== undefined && NEVER_LEFT.has(code))
    return new IntegrationError('unreachable', { summary: `no connection (${code})`, cause: error })
  return new IntegrationError('no-answer', {
    summary: `the request left and no whole answer came back${code ? ` (${code})` : ''}`,
    cause: error,
  })
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  if ('code' in error && typeof error.code === 'string') return error.code
  return 'cause' in error ? codeOf(error.cause) : undefined
}

/** The code of a status, for drivers that know nothing better. Undefined for 2xx. */
export function codeOfStatus(status: number, headers: Record<string, string>): IntegrationErrorCode | undefined {
  if (status >= 200 && status < 300) return undefined
  if (status === 401 || status === 403) return 'unauthorized'
  if (status === 404) return 'not-found'
  if (status === 409) return 'conflict'
  if (status === 429 || (status === 503 && headers['retry-after'] !== undefined)) return 'rate-limited'
  return status >= 500 ? 'unavailable' : 'rejected'
}

/** Retry-After in either form, as milliseconds from `nowMs`; undefined when absent or unreadable, never negative. */
export function retryAfterMs(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined
  const text = value.trim()
  if (/^\d{1,10}$/.test(text)) return Number(text) * 1000
  const date = Date.parse(text)
  return Number.isNaN(date) || !/[a-z]/i.test(text) ? undefined : Math.max(0, date - nowMs)
}

/** Reads a reply by its schema; what does not fit is `malformed-response`: the request may have taken effect. */
export function parseReply<T>(schema: z.ZodType<T>, reply: HttpReply): T {
  let value: unknown
  try {
    value = JSON.parse(storableJson(reply.text))
  } catch (cause) {
    throw new IntegrationError('malformed-response', { httpStatus: reply.status, summary: 'the answer is not JSON', cause })
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const field = parsed.error.issues[0]?.path.join('.') ?? ''
  throw new IntegrationError('malformed-response', {
    httpStatus: reply.status,
    summary: `the answer does not fit its schema at "${field}"`,
    cause: parsed.error,
  })
}

/** The work of many, for one of them: who gives up gets `refusal`, and the work goes on for the others. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal, refusal: () => IntegrationError): Promise<T> {
  if (signal.aborted) throw refusal()
  let stop = (): void => undefined
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(refusal())
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
