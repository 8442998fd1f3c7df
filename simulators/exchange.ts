import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import type { FaultRule } from './faults.ts'

export interface Decision {
  decision: string
  orderId?: string | null
  detail?: unknown
}

/** What the server keeps of a request until its ledger line is written. */
export interface RequestState {
  fault: FaultRule | null
  decision: Decision | null
  recorded: boolean
}

const states = new WeakMap<FastifyRequest, RequestState>()

/** The bytes as they arrived; empty when there were none. */
export function rawBody(request: FastifyRequest): Buffer {
  return Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
}

/** The body as JSON, or `undefined` when it is not JSON (an empty body is not). */
export function readJson(request: FastifyRequest): unknown {
  try {
    return JSON.parse(rawBody(request).toString('utf8')) as unknown
  } catch {
    return undefined
  }
}

/** Header `X-Request-Id`, which ties ledger lines to the caller's attempts. */
export function requestIdOf(request: FastifyRequest): string | null {
  const value = request.headers['x-request-id']
  return typeof value === 'string' && value !== '' ? value : null
}

/** What the `request` line of the ledger will say was done; the default is `answered` or `refused`, by status. */
export function decide(request: FastifyRequest, decision: string, more: Omit<Decision, 'decision'> = {}): void {
  stateOf(request).decision = { decision, ...more }
}

/** True when the two are equal, in time that does not depend on where they differ. */
export function sameSecret(given: unknown, expected: string): boolean {
  if (typeof given !== 'string') return false
  return timingSafeEqual(createHash('sha256').update(given).digest(), createHash('sha256').update(expected).digest())
}

export function sha256(bytes: string | Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

export function stateOf(request: FastifyRequest): RequestState {
  let state = states.get(request)
  if (state === undefined) {
    state = { fault: null, decision: null, recorded: false }
    states.set(request, state)
  }
  return state
}

export function isAdmin(request: FastifyRequest): boolean {
  return pathOf(request).startsWith('/admin/')
}

export function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? request.url
}
