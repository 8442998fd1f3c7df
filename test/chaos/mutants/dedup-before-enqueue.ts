import type { Pool } from '../../../src/drivers/postgres/pool.ts'
import type { Inbox } from '../../../src/ports/inbox.ts'

/** The table that the mutant keeps its keys in; the owner makes it. */
export const SEEN_TABLE = `CREATE TABLE chaos_seen (key text PRIMARY KEY); GRANT SELECT, INSERT ON chaos_seen TO rosh_ingest`

/**
 * KNOWN BAD, kept to prove that the auditor sees it: the key that makes a second copy a duplicate is committed before the work item. A death
 * between the two answers the sender's next try with 200, and nothing is stored.
 */
export function withDedupeFirst<T extends Inbox>(inbox: T, pool: Pool): T {
  return {
    ...inbox,
    async record(request, verdict, events) {
      const fresh = []
      for (const event of events) {
        const key = `${event.channel} ${event.topic} ${event.resource} ${event.sourceEventId ?? ''}`
        const { rowCount } = await pool.query(`INSERT INTO chaos_seen (key) VALUES ($1) ON CONFLICT DO NOTHING`, [key])
        if (rowCount === 1) fresh.push(event)
      }
      if (events.length === 0 || fresh.length > 0) return inbox.record(request, verdict, fresh)
      return events.map(() => ({ kind: 'duplicate' as const, eventId: '00000000-0000-7000-8000-000000000000' }))
    },
  }
}
