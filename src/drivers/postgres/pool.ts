import pg from 'pg'

export type Pool = pg.Pool
export type PoolClient = pg.PoolClient

/** A pool or a client inside a transaction. */
export interface Queryable {
  query(text: string, values?: unknown[]): Promise<unknown>
}

/** One database role per job; the first migration makes them. */
export const ROLES = ['rosh_ingest', 'rosh_worker', 'rosh_operator', 'rosh_reader', 'rosh_auditor'] as const
export type Role = (typeof ROLES)[number]

export interface ConnectOptions {
  url: string
  /** Role that every connection takes on; null where the login of `url` has the right grants itself. */
  role: Role | null
  /** Most connections at once. */
  max: number
  applicationName: string
  /** Told of connections that broke while nobody used them; they are replaced by themselves. */
  onLost?: (error: Error) => void
}

/**
 * A pool whose connections run as `role`, in UTC, with the hub's time limits: 15 s a statement, 10 s idle in a transaction, 5 s for a
 * lock, 5 s to get a connection. `bigint` comes as text, `timestamptz` as an ISO instant in UTC with milliseconds, `jsonb` parsed.
 */
export function connect(options: ConnectOptions): Pool {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.max,
    application_name: options.applicationName,
    options: startupOptions(options.role),
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    types: { getTypeParser },
  })
  // Without a listener, a connection that breaks between two queries of a transaction would end the process.
  pool.on('connect', (client) => client.on('error', () => {}))
  pool.on('error', (error) => options.onLost?.(error))
  return pool
}

/**
 * Runs `work` in one transaction. It commits when `work` resolves, and rolls back and throws on when it throws. After a connection lost at
 * COMMIT the outcome is unknown: the error is transient (`isTransient`), and what is done again must find by its key what was done.
 */
export async function transaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    await client.query('BEGIN')
    const result = await work(client)
    const end = await client.query('COMMIT')
    // PostgreSQL answers COMMIT of a failed transaction with ROLLBACK, and with no error: a swallowed one must not look like success.
    if (end.command !== 'COMMIT') throw new Error('a statement of the transaction failed and its error was swallowed: rolled back')
    return result
  } catch (error) {
    broken = await rollBack(client)
    throw error
  } finally {
    client.release(broken)
  }
}

async function rollBack(client: PoolClient): Promise<Error | undefined> {
  try {
    await client.query('ROLLBACK')
    return undefined
  } catch (error) {
    return error instanceof Error ? error : new Error('the connection broke')
  }
}

function startupOptions(role: Role | null): string {
  const settings = {
    ...(role === null ? {} : { role }),
    statement_timeout: '15000',
    idle_in_transaction_session_timeout: '10000',
    lock_timeout: '5000',
    timezone: 'UTC',
    datestyle: 'ISO',
  }
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ')
}

const TIMESTAMPTZ = 1184

function getTypeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  const parse = pg.types.getTypeParser(oid, format as 'text') as (value: string) => unknown
  return oid === TIMESTAMPTZ && format !== 'binary' ? (value) => isoInstant(parse(value), value) : parse
}

// `infinity` is no instant and stays as PostgreSQL writes it.
function isoInstant(parsed: unknown, written: string): string {
  return parsed instanceof Date ? parsed.toISOString() : written
}
