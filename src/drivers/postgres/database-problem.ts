import { isTransient, sqlstateOf } from './sqlstate.ts'

const SETTINGS = 'DATABASE_URL (or APP_DB_HOST, APP_DB_PORT, APP_DB_USER, APP_DB_PASSWORD and APP_DB_NAME)'
const MIGRATE = 'run `rosh migrate` with the login that owns the database'

const BY_STATE: Record<string, string> = {
  '28P01': `PostgreSQL refuses user and password; check ${SETTINGS}`,
  '28000': `PostgreSQL refuses this login; check ${SETTINGS}`,
  '3D000': `PostgreSQL has no such database; check ${SETTINGS}`,
  '53300': 'PostgreSQL takes no more connections; end some, or raise its max_connections',
  // A startup option that names a role which is not there is an invalid value.
  '22023': `the database has not the hub's roles; ${MIGRATE}`,
  '42501': `the login of the database lacks a right, or a role of the hub; ${MIGRATE}`,
  '42P01': `the database has not the hub's tables; ${MIGRATE}`,
  '42703': `the tables of the database are of another release; ${MIGRATE}`,
  '42883': `the functions of the database are of another release; ${MIGRATE}`,
}

/** What is wrong with the database, and how to mend it, in one line; undefined for every error that is not about its set-up or its absence. */
export function databaseProblem(error: unknown): string | undefined {
  const state = sqlstateOf(error) ?? ''
  if (BY_STATE[state] !== undefined) return BY_STATE[state]
  // Class 40, a conflict of two transactions, is transient too, and no trouble of the set-up.
  if (!isUnreachable(error) && (!isTransient(error) || state.startsWith('40'))) return undefined
  return `PostgreSQL does not answer (${detailOf(error)}); start it, or check ${SETTINGS}`
}

// Before a connection stands: no such host, no way to it, or no answer within the limit of pg, which says so without a code.
function isUnreachable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (!('code' in error)) return error.message.startsWith('timeout expired')
  return typeof error.code === 'string' && UNREACHABLE.has(error.code)
}

const UNREACHABLE = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])

// Of several addresses that were tried, as for localhost, Node's error has no message of its own.
function detailOf(error: unknown): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error
  return first instanceof Error ? first.message : String(first)
}
