import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { readJson, requestIdOf } from '../server.ts'
import { checkArguments, perform, type Request, recorded, resolveMethod } from './calls.ts'
import { isValidKey } from './credentials.ts'
import { HUB_UID } from './env.ts'
import { notFoundPage, traceback } from './json2.ts'
import type { Method } from './methods.ts'
import { OdooError, odooErrorOnly, typeError } from './odoo-error.ts'
import type { Simulation } from './simulation.ts'

type Envelope = { id?: unknown; params?: { service?: unknown; method?: unknown; args?: unknown } }

/** `POST /jsonrpc`, services `common` and `object`: HTTP 200 whatever happens, the class in `error.data.name`. */
export function addJsonRpcRoutes(app: FastifyInstance, sim: Simulation): void {
  app.post('/jsonrpc', async (request, reply) => {
    const envelope = readJson(request)
    if (typeof envelope !== 'object' || envelope === null) return reply.code(400).type('text/html; charset=utf-8').send(notFoundPage)
    const { id = null } = envelope as Envelope
    const result = await answer(sim, request, envelope as Envelope).catch(odooErrorOnly)
    if (result instanceof OdooError) return send(reply, { jsonrpc: '2.0', id, error: errorOf(sim, result, request) })
    // A method that returns None gives a reply without a `result` key, although it succeeded (verified on 14).
    return send(reply, result === undefined ? { jsonrpc: '2.0', id } : { jsonrpc: '2.0', id, result })
  })
  app.post('/web/webclient/version_info', async (request, reply) => {
    const envelope = readJson(request) as Envelope | undefined
    return send(reply, { jsonrpc: '2.0', id: envelope?.id ?? null, result: versionOf(sim) })
  })
  if (sim.tables.version === 19) {
    app.get('/web/version', async () => ({ version_info: versionOf(sim).server_version_info, version: versionOf(sim).server_version }))
  }
}

/** `model.method` of a call, which fault rules match; `service.method` for the other services. */
export function callNameOf(body: unknown): string | null {
  const params = (body as Envelope | undefined)?.params
  if (typeof params !== 'object' || params === null) return null
  const { service, method, args } = params
  if (service !== 'object' || !Array.isArray(args)) return typeof service === 'string' ? `${service}.${String(method)}` : null
  return `${String(args[3])}.${String(args[4])}`
}

function send(reply: FastifyReply, body: unknown): FastifyReply {
  return reply.type('application/json').send(JSON.stringify(body))
}

function versionOf(sim: Simulation) {
  const { version } = sim.tables
  return {
    server_version: `${version}.0`,
    server_version_info: [version, 0, 0, 'final', 0, ''],
    server_serie: `${version}.0`,
    protocol_version: 1,
  }
}

function errorOf(sim: Simulation, error: OdooError, request: FastifyRequest): Record<string, unknown> {
  const message = error.inLanguage(sim.user.lang)
  const data = { name: error.className, debug: traceback(error, request), message, arguments: [message], context: {} }
  return { code: 200, message: 'Odoo Server Error', data }
}

async function answer(sim: Simulation, request: FastifyRequest, envelope: Envelope): Promise<unknown> {
  const { service, method, args } = envelope.params ?? {}
  const given = Array.isArray(args) ? (args as unknown[]) : []
  if (service === 'common' && method === 'version') return versionOf(sim)
  if (service === 'common' && (method === 'authenticate' || method === 'login')) return authenticate(sim, given)
  if (service === 'object' && (method === 'execute_kw' || method === 'execute')) return execute(sim, request, given)
  throw new OdooError('builtins.Exception', `Method not found: ${String(service)}.${String(method)}`)
}

/** Bad credentials are `false`, not an error (verified on 14). */
function authenticate(sim: Simulation, [database, login, key]: unknown[]): number | false {
  mustBeDatabase(sim, database)
  return login === sim.credentials.login && isValidKey(sim.credentials, key) ? HUB_UID : false
}

function mustBeDatabase(sim: Simulation, database: unknown): void {
  if (database === sim.database) return
  throw new OdooError('psycopg2.OperationalError', `FATAL:  database "${String(database)}" does not exist\n`)
}

async function execute(sim: Simulation, request: FastifyRequest, args: unknown[]): Promise<unknown> {
  const [database, uid, key, model, name, positional, keywords] = args
  mustBeDatabase(sim, database)
  if (uid !== HUB_UID || !isValidKey(sim.credentials, key)) {
    throw new OdooError('odoo.exceptions.AccessDenied', { en: 'Access Denied', es: 'Acceso denegado' })
  }
  const at = { model: String(model), method: String(name), transport: 'jsonrpc' as const }
  const method = resolveMethod(sim, at)
  const bound = bind(method, Array.isArray(positional) ? positional : [], keywords)
  checkArguments(method, bound.args, 'jsonrpc')
  const call = { ...at, ...bound, requestId: requestIdOf(request) }
  return recorded(request, method, call, perform(sim, method, call))
}

function bind(method: Method, positional: unknown[], keywords: unknown): Pick<Request, 'ids' | 'args' | 'context'> {
  const { context, ...named } = (typeof keywords === 'object' && keywords !== null ? keywords : {}) as Record<string, unknown>
  if (method.positionalOnly && method.params.some((name) => name in named)) {
    throw typeError(`missing 1 required positional argument: '${method.params[0]}'`)
  }
  const rest = [...positional]
  const first = method.records ? rest.shift() : undefined
  if (method.records && first === undefined) throw new OdooError('builtins.IndexError', 'list index out of range')
  const ids = Array.isArray(first) ? first.map(Number) : typeof first === 'number' ? [first] : []
  if (rest.length > method.params.length)
    throw typeError(`takes ${method.params.length + 1} positional arguments but ${rest.length + 1} were given`)
  const args: Record<string, unknown> = { ...named }
  rest.forEach((value, index) => {
    args[method.params[index] ?? ''] = value
  })
  return { ids, args, context: typeof context === 'object' && context !== null ? (context as Record<string, unknown>) : {} }
}
