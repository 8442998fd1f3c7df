import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { z } from 'zod'
import { decide, rawBody, requestIdOf } from '../server.ts'
import type { Account } from './account.ts'
import { callerOf } from './oauth.ts'
import type { Sim } from './sim.ts'
import { invalidScopes, refusal, VendorError } from './vendor-error.ts'

/** One request as a route sees it. */
export interface Call {
  method: string
  path: string
  params: Record<string, string>
  query: URLSearchParams
  headers: Record<string, string | undefined>
  body: Buffer
  requestId: string | null
  /** The seller of the token; for a route without one, reading it is a bug. */
  seller: Account
  /** What the ledger's request line will say beside the status. */
  note: (decision: string, orderId?: number) => void
}

export interface Answer {
  status: number
  body?: unknown
  headers?: Record<string, string>
}

export interface Route {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  url: string
  /** `seller` needs a bearer token with scope read (GET) or write; `admin` the simulator key. */
  access: 'seller' | 'public' | 'admin'
  answer(sim: Sim, call: Call): Answer | Promise<Answer>
}

type AdminGuard = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined>

/** Puts the routes on the server. Effects are on disk before the answer leaves. */
export function addRoutes(app: FastifyInstance, sim: Sim, routes: Route[], requireAdminKey: AdminGuard): void {
  // After the hook that writes the request's line, so that the effects and the line share one fsync.
  app.addHook('onSend', async (_request, _reply, payload) => {
    await sim.ledger.flush()
    return payload
  })
  for (const route of routes) {
    app.route({
      method: route.method,
      url: route.url,
      ...(route.access === 'admin' ? { preHandler: requireAdminKey } : {}),
      handler: async (request, reply) => {
        const answer = await answerOf(sim, route, request)
        reply.code(answer.status)
        for (const [name, value] of Object.entries(answer.headers ?? {})) reply.header(name, value)
        if (typeof answer.body === 'string') return reply.type('text/plain; charset=utf-8').send(answer.body)
        return answer.body === undefined ? reply.send() : reply.send(answer.body)
      },
    })
  }
}

/** The body as JSON of a shape; a 422 (admin and simulator-only routes) names every wrong field. */
export function readBody<T extends z.ZodType>(call: Call, schema: T): z.infer<T> {
  const parsed = schema.safeParse(jsonOf(call))
  if (parsed.success) return parsed.data
  const cause = parsed.error.issues.map((issue) => ({ code: issue.code, field: fieldOf(issue.path), message: issue.message }))
  const message = cause.map((one) => `${one.field}: ${one.message}`).join('; ')
  throw new VendorError(422, { message, error: 'validation_error', status: 422, cause })
}

/** An id in a path; the vendor's own refusal when it is not a number. */
export function idParam(call: Call, name: string, error: string): number {
  const text = call.params[name] ?? ''
  const id = Number(text)
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(id)) throw refusal(400, error, `${name} must be a number: ${text.slice(0, 40)}`)
  return id
}

export function jsonOf(call: Call): unknown {
  if (call.body.length === 0) return {}
  try {
    return JSON.parse(call.body.toString('utf8')) as unknown
  } catch {
    throw refusal(400, 'bad_request', 'The body is not valid JSON')
  }
}

async function answerOf(sim: Sim, route: Route, request: FastifyRequest): Promise<Answer> {
  try {
    const call = callOf(request, null)
    if (route.access !== 'admin') sim.limits.spend({ clientId: clientIdOf(sim, call), method: call.method, path: call.path }, sim.nowMs())
    if (route.access === 'seller') {
      const { account, token } = callerOf(sim, call.headers.authorization)
      if (!token.scopes.includes(route.method === 'GET' ? 'read' : 'write')) throw invalidScopes()
      return await route.answer(sim, callOf(request, account))
    }
    return await route.answer(sim, call)
  } catch (error) {
    if (error instanceof VendorError) return { status: error.status, body: error.body, headers: error.headers }
    throw error
  }
}

function callOf(request: FastifyRequest, seller: Account | null): Call {
  const url = new URL(request.raw.url ?? '/', 'http://sim')
  return {
    method: request.method,
    path: url.pathname,
    params: request.params as Record<string, string>,
    query: url.searchParams,
    headers: request.headers as Record<string, string | undefined>,
    body: rawBody(request),
    requestId: requestIdOf(request),
    note: (decision, orderId) => decide(request, decision, orderId === undefined ? {} : { orderId: String(orderId) }),
    get seller(): Account {
      if (seller === null) throw new Error(`${request.method} ${request.url} has no seller`)
      return seller
    },
  }
}

/** The budget is the app's: from its token, else the one that the token request names. */
function clientIdOf(sim: Sim, call: Call): string {
  const fromToken = /^Bearer APP_USR-(\d+)-/i.exec(call.headers.authorization ?? '')?.[1]
  const fromForm = call.path === '/oauth/token' ? new URLSearchParams(call.body.toString('latin1')).get('client_id') : null
  return fromToken ?? fromForm ?? sim.app.clientId
}

function fieldOf(path: readonly PropertyKey[]): string {
  const text = path.reduce<string>((field, part) => (typeof part === 'number' ? `${field}[${part}]` : `${field}.${String(part)}`), '')
  return text.replace(/^\./, '') || '(body)'
}
