import type { Pool } from '../../src/drivers/postgres/pool.ts'
import type { FetchTicket } from '../../src/ports/order-store.ts'

/** A ticket for what the answer to a send shows: its number is the newest, and nothing is leased. */
export async function aTicket(pool: Pool, channel: string, resource: string): Promise<FetchTicket> {
  const { rows } = await pool.query<{ fetchNo: string }>(`SELECT nextval('fetch_number') AS "fetchNo"`)
  return { channel, resource, fetchNo: Number(rows[0]?.fetchNo) }
}
