import { z } from 'zod'
import { IntegrationError } from '../../core/integration-error.ts'
import { type HttpClient, parseReply } from '../http.ts'
import { faultOf, statusError } from './odoo-error.ts'
import { type OdooSchema, readSchema } from './schema.ts'
import { authenticate, type CallOptions, type Credentials, json2, jsonRpc, readAnswer, type Transport } from './transport.ts'

/** One detected and logged-in server. */
export interface Connection {
  /** As the server says it, for example `14.0` or `saas~18.2`. */
  version: string
  major: number
  transport: 'json-2' | 'json-rpc'
  uid: number
  send: Transport
  schema: OdooSchema
}

export interface ConnectOptions extends Credentials {
  http: HttpClient
  /** Path prefix of the server, without a slash at its end. */
  base: string
  /** Overrides the detection. */
  transport?: 'json-2' | 'json-rpc'
}

/** Detects the version, logs in and reads the models once. Throws an IntegrationError. */
export async function connect(options: ConnectOptions, call: CallOptions): Promise<Connection> {
  const { version, major } = await serverVersion(options, call)
  const login = (await loginJson2(options, major, call)) ?? (await loginJsonRpc(options, call))
  const schema = await readSchema(login.send, major, call)
  return { version, major, ...login, schema }
}

/** The server's clock, from the `Date` header of a reply that needs no login. ISO instant, whole seconds. */
export async function serverTime({ http, base }: Pick<ConnectOptions, 'http' | 'base'>, call: CallOptions): Promise<string> {
  const reply = await http.exchange({ method: 'POST', path: `${base}/web/webclient/version_info`, body: '{}', ...call })
  const millis = Date.parse(reply.headers.date ?? '')
  if (Number.isNaN(millis)) throw new IntegrationError('malformed-response', { summary: 'the answer has no readable Date header' })
  return new Date(millis).toISOString()
}

type Login = Pick<Connection, 'transport' | 'uid' | 'send'>

const VersionParts = z.array(z.union([z.number(), z.string()])).min(1)
const VersionInfo = z.object({ version_info: VersionParts, version: z.string().optional() })
const LegacyVersionInfo = z.object({
  result: z.object({ server_version_info: VersionParts, server_version: z.string().optional() }),
})

async function serverVersion(options: ConnectOptions, call: CallOptions): Promise<{ version: string; major: number }> {
  const { http, base, database } = options
  const modern = await http.exchange({ method: 'GET', path: `${base}/web/version`, ...call })
  if (modern.status === 200 && modern.text.startsWith('{')) {
    const { version_info, version } = parseReply(VersionInfo, modern)
    return { version: version ?? version_info.join('.'), major: majorOf(version_info[0]) }
  }
  const legacy = await http.exchange({ method: 'POST', path: `${base}/web/webclient/version_info`, body: '{}', ...call })
  const refused = statusError(legacy, 'the version question', database)
  if (refused) throw refused
  const { result } = parseReply(LegacyVersionInfo, legacy)
  return { version: result.server_version ?? result.server_version_info.join('.'), major: majorOf(result.server_version_info[0]) }
}

/** The major number of `version_info[0]`, which on Odoo Online is a text such as `saas~18`. */
export function majorOf(first: unknown): number {
  const digits = /\d+/.exec(String(first))?.[0]
  if (digits === undefined) throw new IntegrationError('malformed-response', { summary: 'the server tells no version number' })
  return Number(digits)
}

const Context = z.object({ uid: z.number().int() })

// Whether a credential is an API key is known only by trying: JSON-2 refuses a password with 401.
async function loginJson2(options: ConnectOptions, major: number, call: CallOptions): Promise<Login | undefined> {
  if (options.transport === 'json-rpc' || (major < 19 && options.transport !== 'json-2')) return undefined
  const send = json2(options.http, options.base, options)
  try {
    const question = { model: 'res.users', method: 'context_get' }
    const { uid } = readAnswer(Context, await send(question, call), question)
    return { transport: 'json-2', uid, send }
  } catch (error) {
    if (error instanceof IntegrationError && error.code === 'unauthorized' && options.transport === undefined) return undefined
    throw error
  }
}

async function loginJsonRpc(options: ConnectOptions, call: CallOptions): Promise<Login> {
  const uid = await login(options, call)
  if (uid === null)
    throw new IntegrationError('unauthorized', { causeCode: 'credentials-rejected', summary: `Odoo refuses the login of ${options.user}` })
  return { transport: 'json-rpc', uid, send: jsonRpc(options.http, options.base, { ...options, uid }) }
}

async function login(options: ConnectOptions, call: CallOptions): Promise<number | null> {
  try {
    return await authenticate(options.http, options.base, options, call)
  } catch (error) {
    if (faultOf(error) !== 'OperationalError') throw error
    throw new IntegrationError('unavailable', { summary: `Odoo cannot open the database "${options.database}"`, cause: error })
  }
}
