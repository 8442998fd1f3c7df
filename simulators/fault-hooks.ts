import { Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { decide, isAdmin, pathOf, rawBody, requestIdOf, sha256, stateOf } from './exchange.ts'
import type { FaultRule, Faults } from './faults.ts'
import type { Ledger } from './ledger.ts'

const FLOOD_BYTES = 50 * 1024 * 1024

export interface FaultParts {
  ledger: Ledger
  faults: Faults
  closing: AbortSignal
  faultPath: (request: FastifyRequest) => string
  /** Paths whose requests leave no line, because health checks would fill the ledger. */
  unrecordedPaths: readonly string[]
}

/** Applies the request faults and writes the `request` line of every call outside `/admin/`. */
export function addFaultHooks(app: FastifyInstance, parts: FaultParts): void {
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
  parts: FaultParts
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
    case 'drip':
    case 'flood':
      await record(exchange, { status: reply.statusCode, reply: bytes, decision: fault.fault })
      reply.removeHeader('content-length')
      return Readable.from(fault.fault === 'drip' ? drip(bytes, fault.ms ?? 1000, parts.closing) : flood(bytes, fault.bytes ?? FLOOD_BYTES))
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
  if (state.recorded || parts.unrecordedPaths.includes(pathOf(request))) return
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

async function* drip(bytes: Buffer, ms: number, closing: AbortSignal): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 1) {
    yield bytes.subarray(at, at + 1)
    if (!(await pause(ms, closing))) return
  }
}

function* flood(bytes: Buffer, total: number): Generator<Buffer> {
  yield bytes
  const padding = Buffer.alloc(64 * 1024, ' ')
  for (let left = total - bytes.length; left > 0; left -= padding.length) yield padding.subarray(0, left)
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
