import { setTimeout as wait } from 'node:timers/promises'
import type { FastifyRequest } from 'fastify'
import { decide } from '../server.ts'
import { externalIdsIn, RolledBack, serializationResult } from './load.ts'
import { type Call, type Method, methodOf } from './methods.ts'
import { accessError, OdooError, typeError } from './odoo-error.ts'
import { environment, reading, type Simulation, transact } from './simulation.ts'
import type { Transaction } from './tables.ts'

export interface Request extends Call {
  method: string
  context: Record<string, unknown>
  requestId: string | null
}

/** The method to run, or the error of this transport for an unknown model, an unknown method or a private one. */
export function resolveMethod(sim: Simulation, at: { model: string; method: string; transport: 'json2' | 'jsonrpc' }): Method {
  if (!sim.tables.models.has(at.model)) {
    throw at.transport === 'json2'
      ? new OdooError('werkzeug.exceptions.NotFound', `the model '${at.model}' does not exist`)
      : new OdooError('odoo.exceptions.UserError', { en: `Object ${at.model} doesn't exist`, es: `El objeto ${at.model} no existe` })
  }
  if (at.method.startsWith('_')) {
    throw accessError(
      `Private methods (such as '${at.model}.${at.method}') cannot be called remotely.`,
      `Los métodos privados (como '${at.model}.${at.method}') no se pueden llamar de forma remota.`,
    )
  }
  const method = methodOf(sim.tables.version, at.model, at.method)
  if (method) return method
  const text = `The method '${at.model}.${at.method}' does not exist`
  throw new OdooError(at.transport === 'json2' ? 'werkzeug.exceptions.NotFound' : 'builtins.AttributeError', text)
}

/** Named arguments against the method's list. JSON-2 says 422 for a wrong one, JSON-RPC a TypeError. */
export function checkArguments(method: Method, args: Record<string, unknown>, transport: 'json2' | 'jsonrpc'): void {
  const refuse = (text: string) =>
    transport === 'json2' ? new OdooError('werkzeug.exceptions.UnprocessableEntity', text) : typeError(text)
  for (const name of method.required) if (!(name in args)) throw refuse(`missing a required argument: '${name}'`)
  if (method.open) return
  for (const name of Object.keys(args)) if (!method.params.includes(name)) throw refuse(`got an unexpected keyword argument '${name}'`)
}

export async function perform(sim: Simulation, method: Method, request: Request): Promise<unknown> {
  const run = (tx: Transaction) => method.run(environment(sim, tx, { context: request.context }), request)
  if (!method.writes) return run(reading(sim))
  const failure = sim.failures.forWrite(request.model, request.method, { ids: request.ids, ...request.args })
  if (failure && request.method !== 'load') throw failure
  const author = { by: 'client' as const, requestId: request.requestId }
  if (request.method !== 'load') return transact(sim, author, run)
  return loadAlone(sim, request, () => {
    if (!failure) return transact(sim, author, run)
    const to = Math.max(0, (Array.isArray(request.args.data) ? request.args.data.length : 1) - 1)
    return Promise.resolve({
      ids: false,
      messages: [{ type: 'error', record: 0, rows: { from: 0, to }, message: failure.inLanguage(sim.user.lang) }],
      nextrow: 0,
    })
  })
}

/** What the ledger's `request` line says of a call: its name, whether it writes, and the order when it is about one. */
export async function recorded(request: FastifyRequest, method: Method, call: Request, result: Promise<unknown>): Promise<unknown> {
  const decision = method.writes ? 'write' : 'read'
  const detail = { call: `${call.model}.${call.method}` }
  decide(request, decision, { detail })
  const value = await result
  const orderId = orderIdOf(call, value)
  if (orderId !== null) decide(request, decision, { detail, orderId })
  return value
}

function orderIdOf(call: Request, value: unknown): string | null {
  if (call.model !== 'sale.order') return null
  const made = call.method === 'load' ? (value as { ids: unknown }).ids : value
  const ids = call.method === 'load' || call.method === 'create' ? made : call.ids
  const [id, ...more] = Array.isArray(ids) ? (ids as unknown[]) : [ids]
  return typeof id === 'number' && more.length === 0 ? String(id) : null
}

// Of parallel loads of one external id exactly one wins; the others wait for it and answer `ids: false` (verified on both).
async function loadAlone(sim: Simulation, request: Request, run: () => Promise<unknown>): Promise<unknown> {
  const keys = externalIdsIn(request.args.fields, request.args.data).map((key) => `${request.model}/${key}`)
  const busy = keys.map((key) => sim.loading.get(key)).find((one) => one !== undefined)
  if (busy) {
    await busy
    return serializationResult(Array.isArray(request.args.data) ? request.args.data.length : 0)
  }
  const { promise, resolve } = Promise.withResolvers<void>()
  for (const key of keys) sim.loading.set(key, promise)
  try {
    const [result] = await Promise.all([run(), keys.length > 0 ? pause(sim) : undefined])
    return result
  } catch (error) {
    if (error instanceof RolledBack) return error.result
    throw error
  } finally {
    for (const key of keys) sim.loading.delete(key)
    resolve()
  }
}

async function pause(sim: Simulation): Promise<void> {
  await wait(sim.loadMs, undefined, { signal: sim.closing }).catch(() => {})
}
