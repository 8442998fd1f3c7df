import { IntegrationError, type IntegrationErrorCode } from '../../core/integration-error.ts'
import { codeWord } from '../../core/untrusted.ts'
import { codeOfStatus, type HttpReply, retryAfterMs } from '../http.ts'

/** What Odoo raised, by class. Messages are localised and are shown, never read; the traceback is dropped unread. */
class OdooFault extends Error {
  override readonly name = 'OdooFault'
  readonly className: string
  constructor(className: string, message: string) {
    super(message)
    this.className = className
  }
}

/** Last part of the class name (`UserError` of `odoo.exceptions.UserError`), or undefined when Odoo named none. */
export function faultOf(error: unknown): string | undefined {
  if (!(error instanceof IntegrationError) || !(error.detail.cause instanceof OdooFault)) return undefined
  return shortName(error.detail.cause.className)
}

// A class that is not listed is a fault of the call itself (unknown field, wrong arguments): Odoo rolled back, so it is `rejected`.
const CODES: Record<string, IntegrationErrorCode> = {
  AccessDenied: 'unauthorized',
  Unauthorized: 'unauthorized',
  SessionExpiredException: 'unauthorized',
  SerializationFailure: 'unavailable',
  LockNotAvailable: 'unavailable',
  DeadlockDetected: 'unavailable',
  OperationalError: 'unavailable',
  InterfaceError: 'unavailable',
  AdminShutdown: 'unavailable',
  TooManyConnections: 'unavailable',
  PoolError: 'unavailable',
  TooManyRequests: 'rate-limited',
  ServiceUnavailable: 'unavailable',
  MissingError: 'not-found',
}

export interface Fault {
  className: string
  message: string
  /** Absent over JSON-RPC, where it is always 200. */
  httpStatus?: number
}

/** The error of a fault. `what` names the call for people (`sale.order.action_confirm`). */
export function faultError({ className, message, httpStatus }: Fault, what: string): IntegrationError {
  const fault = shortName(className)
  return new IntegrationError(CODES[fault] ?? 'rejected', {
    ...(httpStatus === undefined ? {} : { httpStatus }),
    causeCode: 'erp-write-failing',
    summary: `Odoo refused ${what} (${codeWord(fault) || 'unnamed'})`,
    theirText: message.slice(0, 500),
    cause: new OdooFault(className, message.slice(0, 500)),
  })
}

/** The error of a reply that carries no class name: a proxy's page, a missing database, a plan without the external API. */
export function statusError(reply: HttpReply, what: string, database: string): IntegrationError | undefined {
  const code = codeOfStatus(reply.status, reply.headers)
  if (code === undefined) return undefined
  const status = { httpStatus: reply.status }
  const html = (reply.headers['content-type'] ?? '').includes('html')
  if (reply.status === 404 && html)
    return new IntegrationError('unavailable', {
      ...status,
      summary: `there is no database "${database}" or no external API at this address`,
    })
  if (reply.status === 403 && html)
    return new IntegrationError('unauthorized', { ...status, summary: 'the external API is closed (Odoo Online needs the Custom plan)' })
  const waitMs = retryAfterMs(reply.headers['retry-after'], Date.now())
  return new IntegrationError(code, {
    ...status,
    ...(waitMs === undefined ? {} : { retryAfterMs: waitMs }),
    causeCode: 'erp-write-failing',
    summary: `${what} was answered with status ${reply.status}`,
  })
}

function shortName(className: string): string {
  return className.slice(className.lastIndexOf('.') + 1)
}
