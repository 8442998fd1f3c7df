/** The five-character SQLSTATE of an error that PostgreSQL reported; undefined for every other throw. */
export function sqlstateOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined
  // Node's own codes (EPIPE, EBUSY) begin with an E; no class of PostgreSQL does.
  return /^[0-9A-DF-Z][0-9A-Z]{4}$/.test(error.code) ? error.code : undefined
}

/** Whether PostgreSQL refused for want of a right. */
export function isDenied(error: unknown): boolean {
  return sqlstateOf(error) === '42501'
}

/** Whether another transaction held a lock for longer than this one waits (`lock_timeout`): nothing was done, and its outcome is known. */
export function isLockTimeout(error: unknown): boolean {
  return sqlstateOf(error) === '55P03'
}

/**
 * The row itself was refused (class 22: bad data, class 23: a constraint, 54000: too long for an index): the same row fails again, its
 * neighbours do not.
 */
export function isDataError(error: unknown): boolean {
  return /^(2[23]...|54000)$/.test(sqlstateOf(error) ?? '')
}

/**
 * The same work may succeed when it is done again: a lost connection (08*, 57P01 to 57P03, or the socket's own error), a serialisation
 * failure (40001), a deadlock's victim (40P01), too many connections (53300). After one at COMMIT the outcome is unknown, so what
 * is done again must find by its key what it may have done already.
 */
export function isTransient(error: unknown): boolean {
  const state = sqlstateOf(error)
  if (state !== undefined) return state.startsWith('08') || TRANSIENT.has(state)
  if (!(error instanceof Error)) return false
  if ('code' in error && typeof error.code === 'string') return SOCKET_CODES.has(error.code)
  // pg reports a connection that broke under a query without any code.
  return isWaitOver(error) || /^(Connection terminated|Client has encountered a connection error)/.test(error.message)
}

/** No connection of the pool came free in the time that one may be waited for. */
export const isWaitOver = (error: unknown): boolean =>
  error instanceof Error && error.message.startsWith('timeout exceeded when trying to connect')

const TRANSIENT = new Set(['57P01', '57P02', '57P03', '40001', '40P01', '53300'])
const SOCKET_CODES = new Set(['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT'])
