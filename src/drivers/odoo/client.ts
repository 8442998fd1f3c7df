import type { z } from 'zod'
import { IntegrationError } from '../../core/integration-error.ts'
import type { IsLate } from '../../ports/target.ts'
import { httpClient, orAborted } from '../http.ts'
import { connect, type Connection, serverTime } from './connection.ts'
import { faultOf } from './odoo-error.ts'
import { type OdooCall, readAnswer } from './transport.ts'

export interface OdooClientOptions {
  /** Address that the operator configured, for example `https://shop.odoo.com`. */
  url: string
  db: string
  user: string
  /** Password or API key. */
  password: string
  /** A second one, taken where the first is refused, so that a key is changed without a restart. */
  nextPassword?: string
  /** Hard limit of a read, milliseconds; 20 s unless told. */
  readTimeoutMs?: number
  /** Hard limit of a write, milliseconds; 90 s unless told: Odoo repeats a serialization failure by itself for longer than 30 s. */
  writeTimeoutMs?: number
  /** Concurrent requests; 4 unless told, since more writers only collide on hot rows. */
  connections?: number
  /** Overrides the detection. */
  transport?: 'json-2' | 'json-rpc'
}

export interface CallContext {
  signal: AbortSignal
  requestId?: string
  /** Ends the wait for a login: past it nothing is sent, and the error is `unreachable`. */
  loginBy?: AbortSignal
  /** As `HttpRequest` says. */
  isLate?: IsLate | undefined
}

/** One `call` over whichever protocol the server speaks. Retries nothing. */
export interface OdooClient {
  /** Detects and logs in when that has not happened, or has failed since; concurrent callers share one login. */
  connection(signal: AbortSignal): Promise<Connection>
  read<T>(schema: z.ZodType<T>, call: OdooCall, context: CallContext): Promise<T>
  /** The same with the longer limit, for what changes something. */
  write<T>(schema: z.ZodType<T>, call: OdooCall, context: CallContext): Promise<T>
  serverTime(signal: AbortSignal): Promise<string>
  /** Which of the two keys the last login took. */
  keyInUse(): 'first' | 'next'
  close(): Promise<void>
}

const LARGEST_ANSWER = 32 * 1024 * 1024

export function odooClient(options: OdooClientOptions): OdooClient {
  const readMs = options.readTimeoutMs ?? 20_000
  const writeMs = options.writeTimeoutMs ?? 90_000
  const { origin, pathname } = new URL(options.url)
  const base = pathname.replace(/\/+$/, '')
  const http = httpClient({
    origin,
    connections: options.connections ?? 4,
    timeoutMs: Math.max(readMs, writeMs),
    maxResponseBytes: LARGEST_ANSWER,
  })
  const keys = keyRing(options, (password) =>
    connect({ http, base, database: options.db, user: options.user, password, ...overrideOf(options) }, { timeoutMs: readMs }),
  )
  const login = sharedLogin(() => keys.login())
  // A login by the other key that has served nothing yet: refused again, the account is at fault and not the key.
  let unproven: Connection | undefined

  async function call<T>(schema: z.ZodType<T>, wanted: OdooCall, context: CallContext, timeoutMs: number): Promise<T> {
    const used = await login.connection(context.loginBy ?? context.signal)
    try {
      return await exchange(used, schema, wanted, { ...context, timeoutMs })
    } catch (error) {
      if (keys.size === 1 || !isUnauthorized(error) || used === unproven) throw error
      const renewed = await login.connection(context.signal)
      unproven = renewed
      // One attempt is one request: what is sent again needs an intent and a request id of its own.
      if (context.requestId) throw new IntegrationError('unauthorized', { ...error.detail, credentialRenewed: true })
      return await exchange(renewed, schema, wanted, { ...context, timeoutMs })
    }
  }

  async function exchange<T>(
    used: Connection,
    schema: z.ZodType<T>,
    wanted: OdooCall,
    context: CallContext & { timeoutMs: number },
  ): Promise<T> {
    try {
      const answer = readAnswer(schema, await used.send(wanted, context), wanted)
      if (unproven === used) unproven = undefined
      return answer
    } catch (error) {
      if (isConnectionLost(error)) login.drop(used)
      throw error
    }
  }

  return {
    connection: (signal) => login.connection(signal),
    read: (schema, wanted, context) => call(schema, wanted, context, readMs),
    write: (schema, wanted, context) => call(schema, wanted, context, writeMs),
    serverTime: (signal) => serverTime({ http, base }, { signal, timeoutMs: readMs }),
    keyInUse: () => keys.inUse(),
    close: () => http.close(),
  }
}

/** One login for all callers, made when none stands. */
function sharedLogin(login: () => Promise<Connection>) {
  let current: Connection | undefined
  let connecting: Promise<Connection> | undefined
  return {
    async connection(signal: AbortSignal): Promise<Connection> {
      if (signal.aborted) throw notSent()
      if (current) return current
      // The login belongs to no one caller: its own limit ends it, so one caller who gives up does not fail the others.
      connecting ??= login()
        .then((made) => {
          current = made
          return made
        })
        .finally(() => {
          connecting = undefined
        })
      return await orAborted(connecting, signal, notSent)
    },
    drop(lost: Connection): void {
      if (current === lost) current = undefined
    },
  }
}

/** The key that worked last comes first; where it is refused, the other is tried once. */
function keyRing({ password, nextPassword }: OdooClientOptions, login: (password: string) => Promise<Connection>) {
  const passwords = nextPassword === undefined ? [password] : [password, nextPassword]
  let at = 0
  const loginNow = (): Promise<Connection> => login(passwords[at] ?? password)
  return {
    size: passwords.length,
    inUse: (): 'first' | 'next' => (at === 0 ? 'first' : 'next'),
    async login(): Promise<Connection> {
      try {
        return await loginNow()
      } catch (error) {
        if (passwords.length === 1 || !isUnauthorized(error)) throw error
        at = 1 - at
        return await loginNow()
      }
    },
  }
}

function isUnauthorized(error: unknown): error is IntegrationError {
  return error instanceof IntegrationError && error.code === 'unauthorized'
}

function overrideOf({ transport }: OdooClientOptions): { transport?: 'json-2' | 'json-rpc' } {
  return transport ? { transport } : {}
}

// After these the server may be another one: an upgrade, a rotated key, a restored database.
function isConnectionLost(error: unknown): boolean {
  if (!(error instanceof IntegrationError)) return false
  if (error.code === 'unreachable' || error.code === 'unauthorized') return true
  return error.code === 'unavailable' && faultOf(error) === undefined
}

function notSent(): IntegrationError {
  return new IntegrationError('unreachable', { summary: 'given up while the login was still under way: nothing was sent' })
}
