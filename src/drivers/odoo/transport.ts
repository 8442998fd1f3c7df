import { z } from 'zod'
import { IntegrationError } from '../../core/integration-error.ts'
import type { IsLate } from '../../ports/target.ts'
import { type HttpClient, parseReply } from '../http.ts'
import { faultError, statusError } from './odoo-error.ts'

export interface OdooCall {
  model: string
  method: string
  ids?: readonly number[]
  /** Named arguments, `context` among them. */
  args?: Record<string, unknown>
}

export interface CallOptions {
  requestId?: string
  signal?: AbortSignal
  timeoutMs: number
  isLate?: IsLate | undefined
}

export interface Credentials {
  database: string
  user: string
  password: string
}

/** One protocol of Odoo below the one internal call. Exactly one HTTP request a call; `null` where Odoo answered nothing. */
export type Transport = (call: OdooCall, options: CallOptions) => Promise<unknown>

/** An answer by its schema; what does not fit is `malformed-response`. */
export function readAnswer<T>(schema: z.ZodType<T>, value: unknown, { model, method }: Pick<OdooCall, 'model' | 'method'>): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const field = result.error.issues[0]?.path.join('.') ?? ''
  throw new IntegrationError('malformed-response', {
    summary: `the answer of ${model}.${method} does not fit its schema at "${field}"`,
    cause: result.error,
  })
}

/** JSON-2, Odoo 19 and later: one flat object of ids and named arguments, the API key as bearer. */
export function json2(http: HttpClient, base: string, { database, password }: Credentials): Transport {
  return async ({ model, method, ids, args }, options) => {
    const what = `${model}.${method}`
    const reply = await http.exchange({
      method: 'POST',
      path: `${base}/json/2/${model}/${method}`,
      headers: { authorization: `bearer ${password}`, 'x-odoo-database': database },
      body: JSON.stringify({ ...(ids ? { ids } : {}), ...args }),
      ...options,
    })
    if (reply.status >= 200 && reply.status < 300) return parseReply(z.unknown(), reply)
    const fault = Json2Fault.safeParse(jsonOf(reply.text))
    const asksToWait = reply.status === 429 || reply.headers['retry-after'] !== undefined
    if (fault.success && !asksToWait)
      throw faultError({ className: fault.data.name, message: fault.data.message ?? '', httpStatus: reply.status }, what)
    throw statusError(reply, what, database) ?? unexpected(reply.status, what)
  }
}

/** JSON-RPC, Odoo 8 to 21: always status 200, the class of an error in `error.data.name`. */
export function jsonRpc(http: HttpClient, base: string, credentials: Credentials & { uid: number }): Transport {
  const { database, uid, password } = credentials
  return async (call, options) => {
    const { positional, named } = positionalOf(call)
    const args = [database, uid, password, call.model, call.method, positional, named]
    return await rpc(http, { base, database, service: 'object', method: 'execute_kw', args, what: `${call.model}.${call.method}` }, options)
  }
}

/** `common.authenticate`: the user's id, or null when the credential is refused. */
export async function authenticate(
  http: HttpClient,
  base: string,
  { database, user, password }: Credentials,
  options: CallOptions,
): Promise<number | null> {
  const args = [database, user, password, {}]
  const answer = await rpc(http, { base, database, service: 'common', method: 'authenticate', args, what: 'the login' }, options)
  return typeof answer === 'number' ? answer : null
}

const Json2Fault = z.object({ name: z.string().min(1), message: z.string().optional() })
const RpcReply = z.object({
  result: z.unknown().optional(),
  error: z
    .object({ message: z.string().optional(), data: z.object({ name: z.string(), message: z.string().optional() }).optional() })
    .optional(),
})

interface RpcRequest {
  base: string
  database: string
  service: 'object' | 'common'
  method: string
  args: unknown[]
  what: string
}

async function rpc(http: HttpClient, request: RpcRequest, options: CallOptions): Promise<unknown> {
  const { base, database, service, method, args, what } = request
  const reply = await http.exchange({
    method: 'POST',
    path: `${base}/jsonrpc`,
    body: JSON.stringify({ jsonrpc: '2.0', method: 'call', id: 1, params: { service, method, args } }),
    ...options,
  })
  const refused = statusError(reply, what, database)
  if (refused) throw refused
  const { result, error } = parseReply(RpcReply, reply)
  if (error) throw faultError({ className: error.data?.name ?? 'unnamed', message: error.data?.message ?? error.message ?? '' }, what)
  // A method that returns None has no `result` key, and it succeeded.
  return result ?? null
}

// `create` and `write` take no keywords, and the first parameter of `search` changed its name after 14 (`args`, then `domain`).
const POSITIONAL: Record<string, string> = { create: 'vals_list', write: 'vals', search: 'domain', search_count: 'domain' }

function positionalOf({ method, ids, args = {} }: OdooCall): { positional: unknown[]; named: Record<string, unknown> } {
  const first = ids ? [ids] : []
  const name = POSITIONAL[method]
  if (name === undefined || !(name in args)) return { positional: first, named: args }
  const { [name]: value, ...named } = args
  return { positional: [...first, value], named }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function unexpected(httpStatus: number, what: string): IntegrationError {
  return new IntegrationError('malformed-response', { httpStatus, summary: `${what} was answered with status ${httpStatus} and no error` })
}
