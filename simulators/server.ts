import { createHash, timingSafeEqual } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import fastify from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { createFaults, faultRule } from './faults.ts'
import type { FaultRule, Faults } from './faults.ts'
import { openLedger } from './ledger.ts'
import type { Ledger } from './ledger.ts'

export interface SimulatorOptions {
  name: string
  ledgerPath: string
  /** Value of `X-Admin-Key`. */
  key?: string
  /** Seed of every random choice. */
  seed?: number
  /** Request log on stderr. */
  log?: boolean
  bodyLimitBytes?: number
  /** The path that fault rules see; default: the URL path without its query. */
  faultPath?: (request: FastifyRequest) => string
  /** The vendor's body for an error that no route answers: unknown route, too large, internal. */
  errorBody?: (status: number, message: string) => unknown
}

export interface Simulator {
  app: FastifyInstance
  ledger: Ledger
  faults: Faults
  /** A preHandler for routes of one's own under `/admin/`: 401 without the right `X-Admin-Key`. */
  requireAdminKey: (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined>
  /** Aborted when `close` begins: timers of one's own should stop by it. */
  closing: AbortSignal
  listen(port: number, host?: string): Promise<{ url: string; port: number }>
  /** Destroys open connections, then closes the ledger. */
  close(): Promise<void>
}

export interface Decision {
  decision: string
  orderId?: string | null
  detail?: unknown
}

interface RequestState {
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

/**
 * The server under every simulator: raw bodies, the fault rules, one durable `request` line for each call outside `/admin/`
 * before its reply leaves, and the admin routes they share. Routes of the simulator are added to `app` before `listen`.
 */
export async function createSimulator(options: SimulatorOptions): Promise<Simulator> {
  const ledger = await openLedger(options.ledgerPath)
  const faults = createFaults(options.seed ?? 1)
  const closing = new AbortController()
  const app = fastify({
    logger: options.log ? { level: 'info', stream: process.stderr } : false,
    bodyLimit: options.bodyLimitBytes ?? 5 * 1024 * 1024,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 500 },
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

  const errorBody = options.errorBody ?? ((_status: number, message: string) => ({ error: message }))
  app.setNotFoundHandler((_request, reply) => reply.code(404).send(errorBody(404, 'not found')))
  app.setErrorHandler((error: { statusCode?: number; message: string }, request, reply) => {
    const status = error.statusCode !== undefined && error.statusCode >= 400 ? error.statusCode : 500
    if (status >= 500) request.log.error(error)
    return reply.code(status).send(errorBody(status, status >= 500 ? 'internal error of the simulator' : error.message))
  })

  const parts: Parts = { ledger, faults, closing: closing.signal, faultPath: options.faultPath ?? pathOf }
  addFaultHooks(app, parts)
  const requireAdminKey = adminGuard(options.key ?? 'change-me')
  addAdminRoutes(app, { ...parts, name: options.name, requireAdminKey })

  return {
    app,
    ledger,
    faults,
    requireAdminKey,
    closing: closing.signal,
    listen: (port, host = '127.0.0.1') => listen(app, port, host),
    async close() {
      closing.abort()
      await app.close()
      await ledger.close()
    },
  }
}

interface Parts {
  ledger: Ledger
  faults: Faults
  closing: AbortSignal
  faultPath: (request: FastifyRequest) => string
}

async function listen(app: FastifyInstance, port: number, host: string): Promise<{ url: string; port: number }> {
  await app.listen({ port, host })
  const address = app.server.address()
  const bound = typeof address === 'object' && address !== null ? address.port : port
  return { url: `http://${host}:${bound}`, port: bound }
}

function addFaultHooks(app: FastifyInstance, parts: Parts): void {
  app.addHook('preHandler', async (request, reply) => {
    if (isAdmin(request)) return
    const fault = parts.faults.forRequest({
      method: request.method,
      path: parts.faultPath(request),
      body: rawBody(request).toString('utf8'),
    })
    stateOf(request).fault = fault
    if (fault !== null) return before(fault, { request, reply, parts })
  })
  app.addHook('onSend', async (request, reply, payload) => {
    if (isAdmin(request)) return payload
    return after({ request, reply, parts }, payload)
  })
}

interface Exchange {
  request: FastifyRequest
  reply: FastifyReply
  parts: Parts
}

/** Faults that act before the request takes effect. */
async function before(fault: FaultRule, { request, reply, parts }: Exchange): Promise<FastifyReply | undefined> {
  switch (fault.fault) {
    case 'status': {
      const body = fault.body ?? ''
      decide(request, 'status')
      if (fault.retryAfter !== undefined) reply.header('retry-after', fault.retryAfter)
      reply.type(body.trimStart().startsWith('<') ? 'text/html' : 'application/json')
      return reply.code(fault.status ?? 503).send(body)
    }
    case 'hang':
    case 'reset':
      await record({ request, reply, parts }, { status: null, reply: null, decision: fault.fault })
      reply.hijack()
      cut({ request, reply, parts }, fault)
      return reply
    case 'late':
      await record({ request, reply, parts }, { status: null, reply: null, decision: 'delayed' })
      if (await pause(fault.ms ?? 0, parts.closing)) return undefined
      reply.hijack()
      return reply
    default:
      return undefined
  }
}

/** Writes the request's line, then sends, spoils or withholds the reply. */
async function after(exchange: Exchange, payload: unknown): Promise<unknown> {
  const { request, reply, parts } = exchange
  const { fault } = stateOf(request)
  const bytes = typeof payload === 'string' || Buffer.isBuffer(payload) ? Buffer.from(payload) : Buffer.alloc(0)
  switch (fault?.fault) {
    case 'accept-then-hang':
    case 'accept-then-reset':
      await record(exchange, { status: null, reply: null, decision: fault.fault })
      cut(exchange, fault)
      return new Promise<never>(() => {})
    case 'truncate':
      await record(exchange, { status: reply.statusCode, reply: bytes.subarray(0, bytes.length >> 1), decision: 'truncate' })
      sendHalf(reply, bytes)
      return new Promise<never>(() => {})
    case 'empty':
    case 'html': {
      const spoilt = fault.fault === 'empty' ? '' : (fault.body ?? '<!doctype html><html><body><h1>Please wait</h1></body></html>')
      if (fault.fault === 'html') reply.type('text/html; charset=utf-8')
      reply.code(fault.status ?? (fault.fault === 'html' ? 200 : reply.statusCode))
      reply.removeHeader('content-length')
      await record(exchange, { status: reply.statusCode, reply: Buffer.from(spoilt), decision: fault.fault })
      return spoilt
    }
    default:
      await record(exchange, { status: reply.statusCode, reply: bytes, decision: null })
      if (fault?.fault === 'latency') await pause(fault.ms ?? 0, parts.closing)
      return payload
  }
}

/** One line a request: a `delayed` one was written on arrival and is not written again. A fault's name wins over what was done. */
async function record(
  exchange: Exchange,
  outcome: { status: number | null; reply: Buffer | null; decision: string | null },
): Promise<void> {
  const { request, parts } = exchange
  const state = stateOf(request)
  if (state.recorded) return
  state.recorded = true
  const done = state.decision ?? { decision: (outcome.status ?? 0) < 400 ? 'answered' : 'refused' }
  const { decision: handled, detail, orderId } = done
  const hidden = outcome.decision !== null && state.decision !== null && handled !== outcome.decision
  const shown = hidden ? { handled, ...(detail === undefined ? {} : { detail }) } : detail
  await parts.ledger.append({
    kind: 'request',
    requestId: requestIdOf(request),
    method: request.method,
    path: request.url,
    bodySha256: sha256(rawBody(request)),
    decision: outcome.decision ?? handled,
    status: outcome.status,
    replySha256: outcome.reply === null ? null : sha256(outcome.reply),
    ...(orderId === undefined ? {} : { orderId }),
    ...(shown === undefined ? {} : { detail: shown }),
  })
}

/** Resets the connection, or leaves it open and silent for `ms` (for ever when not given). */
function cut({ request, parts }: Exchange, fault: FaultRule): void {
  const { socket } = request
  if (fault.fault.endsWith('reset')) {
    socket.resetAndDestroy()
  } else if (fault.ms !== undefined) {
    void pause(fault.ms, parts.closing).then(() => socket.destroy())
  }
}

function sendHalf(reply: FastifyReply, bytes: Buffer): void {
  reply.raw.writeHead(reply.statusCode, { 'content-type': 'application/json; charset=utf-8', 'content-length': bytes.length })
  reply.raw.write(bytes.subarray(0, bytes.length >> 1), () => reply.raw.destroy())
}

/** False when the simulator closed first. */
async function pause(ms: number, closing: AbortSignal): Promise<boolean> {
  try {
    await wait(ms, undefined, { signal: closing })
    return true
  } catch {
    return false
  }
}

function adminGuard(key: string): Simulator['requireAdminKey'] {
  return async (request, reply) => {
    if (sameSecret(request.headers['x-admin-key'], key)) return undefined
    return reply.code(401).send({ error: 'header X-Admin-Key is missing or wrong' })
  }
}

function addAdminRoutes(app: FastifyInstance, parts: Parts & { name: string; requireAdminKey: Simulator['requireAdminKey'] }): void {
  const { faults, ledger, name } = parts
  const guarded = { preHandler: parts.requireAdminKey }
  const listed = () => ({ faults: faults.list() })
  app.get('/admin/health', guarded, async () => ({ status: 'ok', name, seq: ledger.entries().at(-1)?.seq ?? 0 }))
  app.get('/admin/ledger', guarded, async (request, reply) => {
    const query = z.object({ since: z.coerce.number().int().min(0).default(0) }).safeParse(request.query)
    if (!query.success) return reply.code(422).send(adminProblems(query.error))
    return { entries: ledger.entries().filter((entry) => entry.seq > query.data.since) }
  })
  app.get('/admin/faults', guarded, async () => listed())
  app.delete('/admin/faults', guarded, async () => {
    faults.clear()
    return listed()
  })
  app.put('/admin/faults', guarded, async (request, reply) => {
    const rules = z.array(faultRule).safeParse(readJson(request))
    if (!rules.success) return reply.code(422).send(adminProblems(rules.error))
    faults.replace(rules.data)
    return listed()
  })
  app.post('/admin/faults', guarded, async (request, reply) => {
    const rule = faultRule.safeParse(readJson(request))
    if (!rule.success) return reply.code(422).send(adminProblems(rule.error))
    faults.add(rule.data)
    return reply.code(201).send(listed())
  })
}

/** The 422 body of admin routes: each field that is wrong and why. */
export function adminProblems(error: z.ZodError): { errors: { field: string; message: string }[] } {
  return { errors: error.issues.map((issue) => ({ field: issue.path.join('.') || '(body)', message: issue.message })) }
}

function stateOf(request: FastifyRequest): RequestState {
  let state = states.get(request)
  if (state === undefined) {
    state = { fault: null, decision: null, recorded: false }
    states.set(request, state)
  }
  return state
}

function isAdmin(request: FastifyRequest): boolean {
  return pathOf(request).startsWith('/admin/')
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? request.url
}
