import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { readJson, requestIdOf } from '../server.ts'
import { checkArguments, perform, type Request, recorded, resolveMethod } from './calls.ts'
import { isValidKey } from './credentials.ts'
import { OdooError, odooErrorOnly } from './odoo-error.ts'
import type { Simulation } from './simulation.ts'

/** `POST /json/2/<model>/<method>` of Odoo 19: flat body, bearer key, HTTP status by error class. */
export function addJson2Route(app: FastifyInstance, sim: Simulation): void {
  app.post<{ Params: { model: string; method: string } }>('/json/2/:model/:method', async (request, reply) => {
    const { model, method } = request.params
    if (wantsOtherDatabase(request, sim)) return reply.code(404).type('text/html; charset=utf-8').send(notFoundPage)
    const outcome = await answer(sim, request, { model, method }).catch(odooErrorOnly)
    if (outcome instanceof OdooError) return refuse(sim, reply, outcome, request)
    return reply.type('application/json; charset=utf-8').send(JSON.stringify(outcome ?? null))
  })
}

export const notFoundPage =
  '<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>The requested URL was not found on the server.</p>\n'

function wantsOtherDatabase(request: FastifyRequest, sim: Simulation): boolean {
  const asked = request.headers['x-odoo-database']
  return typeof asked === 'string' && asked !== sim.database
}

async function answer(sim: Simulation, request: FastifyRequest, at: { model: string; method: string }): Promise<unknown> {
  const key = /^bearer\s+(.+)$/i.exec(request.headers.authorization ?? '')?.[1]
  if (!isValidKey(sim.credentials, key)) throw new OdooError('werkzeug.exceptions.Unauthorized', 'Invalid apikey')
  const body = readJson(request)
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new OdooError('werkzeug.exceptions.BadRequest', 'could not parse the body as json')
  }
  const method = resolveMethod(sim, { ...at, transport: 'json2' })
  const { ids, context, ...args } = body as Record<string, unknown>
  checkArguments(method, args, 'json2')
  const call: Request = {
    ...at,
    ids: Array.isArray(ids) ? ids.map(Number) : typeof ids === 'number' ? [ids] : [],
    args,
    context: typeof context === 'object' && context !== null ? (context as Record<string, unknown>) : {},
    transport: 'json2',
    requestId: requestIdOf(request),
  }
  return recorded(request, method, call, perform(sim, method, call))
}

function refuse(sim: Simulation, reply: FastifyReply, error: OdooError, request: FastifyRequest): FastifyReply {
  const message = error.inLanguage(sim.user.lang)
  const http = error.className.startsWith('werkzeug')
  const body = {
    name: error.className,
    message,
    arguments: http ? [message, error.status] : [message],
    context: {},
    debug: traceback(error, request),
  }
  return reply.code(error.status).type('application/json; charset=utf-8').send(JSON.stringify(body))
}

/** The vendor's traceback holds data of the call: a client that logs it whole leaks it. */
export function traceback(error: OdooError, request: FastifyRequest): string {
  const given = Buffer.isBuffer(request.body) ? request.body.toString('utf8').slice(0, 2000) : ''
  return `Traceback (most recent call last):\n  File "/opt/odoo/odoo/http.py", line 2207, in _transactioning\n    return func(*args)\n  # ${given}\n${error.className}: ${error.text.en}\n`
}
