import type { Pool, PoolClient } from './pool.ts'
import { isLockTimeout } from './sqlstate.ts'

/** Jobs of which a database has one at a time. Any constants of our own; `migrate.ts` holds the one before them. */
const LOCKS = { 'key rotation': 7_264_538_213 } as const

/**
 * Runs `work` on the one connection that holds the lock of `job`: where the connection breaks, the lock is free and nothing more can be done over it.
 * Null when another one holds it and goes on doing so for the pool's lock timeout, 5 s: one that was killed is let go by then.
 */
export async function whileLocked<T>(pool: Pool, job: keyof typeof LOCKS, work: (client: PoolClient) => Promise<T>): Promise<T | null> {
  const client = await pool.connect()
  try {
    // Without it a statement of a killed run goes on, and holds the lock, until it ends. Not every platform can do it.
    await client.query(`SET client_connection_check_interval = '1s'`).catch(() => {})
    return (await isTaken(client, LOCKS[job])) ? await work(client) : null
  } finally {
    // The lock is the session's: it goes with it, whatever state the work left it in.
    client.release(true)
  }
}

async function isTaken(client: PoolClient, lock: number): Promise<boolean> {
  try {
    await client.query('SELECT pg_advisory_lock($1)', [lock])
    return true
  } catch (error) {
    if (isLockTimeout(error)) return false
    throw error
  }
}
