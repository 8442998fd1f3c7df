import type { Pool, Queryable } from './pool.ts'

/** Takes the copy of the database that the hub finds itself in for its own, before any number is drawn there. Costs a read once it is known. */
export async function knowDatabase(pool: Queryable): Promise<void> {
  await pool.query('SELECT know_database()')
}

const SHORTEST_WAIT_MS = 3_000
const LONGEST_WAIT_MS = 300_000

/**
 * Of references of ours at a channel: how long to wait when one is of an order that a restored database does not know yet. Null once the ERP has been
 * read whole since: what is unknown then is none of ours.
 */
export async function forgottenForMs(pool: Pool, channel: string, references: readonly string[]): Promise<number | null> {
  const { rows } = await pool.query<{ wait_ms: number }>(
    `SELECT least($4, greatest($3, extract(epoch FROM hub_now() - c.since) * 250))::int AS wait_ms
     FROM database_copy c
     WHERE NOT coalesce((SELECT erp.moved_at > c.since FROM cursor erp WHERE erp.name = 'erp-orders'), false)
       AND c.since IS NOT NULL AND EXISTS (
         SELECT FROM unnest($2::text[]) AS r(reference)
         WHERE NOT EXISTS (SELECT FROM identifier i WHERE i.value = upper(r.reference) AND i.kind = 'reference')
           AND NOT EXISTS (SELECT FROM binding b WHERE b.channel = $1 AND b.reference = lower(r.reference)))`,
    [channel, references, SHORTEST_WAIT_MS, LONGEST_WAIT_MS],
  )
  return rows[0]?.wait_ms ?? null
}
