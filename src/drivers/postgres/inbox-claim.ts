import type { ClaimedEvent, EventEnding } from '../../ports/inbox.ts'
import { applyGate, debitGate, openGate } from './gate.ts'
import { type Pool, transaction } from './pool.ts'
import { POISON_AFTER, SUSPECT_AFTER } from './suspects.ts'
import { resolveDead, tieEvents } from './tie-events.ts'

/**
 * Claims due events of a channel, its suspects or the others: gate and bucket first, in a statement of their own; their lock makes claims of one channel take turns, so the
 * next statement sees every lease that was given out before.
 */
export async function claimEvents(
  pool: Pool,
  channel: string,
  { limit, leaseMs, suspects }: { limit: number; leaseMs: number; suspects: boolean },
): Promise<ClaimedEvent[]> {
  return transaction(pool, async (client) => {
    const { most, probe } = await openGate(client, channel, limit)
    if (most < 1) return []
    const { rows } = suspects
      ? await client.query<Omit<ClaimedEvent, 'probe'>>(CLAIM_SUSPECT, [channel, leaseMs, SUSPECT_AFTER, POISON_AFTER])
      : await client.query<Omit<ClaimedEvent, 'probe'>>(CLAIM, [channel, leaseMs, most, SUSPECT_AFTER])
    if (rows.length > 0) await debitGate(client, channel, { tokens: rows.length, probe, leaseMs })
    return rows.map((row) => ({ ...row, probe }))
  })
}

/** Gives up on what crashed its worker even when claimed alone. */
export async function endPoison(pool: Pool): Promise<void> {
  await pool.query(
    `UPDATE inbound_event SET state = 'dead', cause = 'poison', summary = 'its worker ended five times while it was in hand, twice with nothing else',
       lease = NULL, lease_until = NULL, ended_at = hub_now(), order_id = coalesce(order_id, order_of_event(channel, resource, order_key)),
       state_version = state_version + 1
     WHERE id IN (
       SELECT id FROM inbound_event
       WHERE state = 'pending' AND unfinished >= $1 AND unfinished_alone >= $2
         AND (lease_until IS NULL OR lease_until <= hub_now())
       FOR UPDATE SKIP LOCKED)`,
    [SUSPECT_AFTER, POISON_AFTER],
  )
}

/** Channels that have a suspect to claim now: due, its resource free, its gate open. */
export async function channelsWithSuspects(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query<{ channel: string }>(
    `SELECT DISTINCT e.channel FROM inbound_event e JOIN channel c ON c.id = e.channel
     WHERE e.state = 'pending' AND e.unfinished >= $1 AND e.unfinished_alone < $2
       AND e.due_at <= hub_now() AND (e.lease_until IS NULL OR e.lease_until <= hub_now())
       AND NOT EXISTS (SELECT FROM inbound_event o WHERE o.channel = e.channel AND o.resource = e.resource AND o.state = 'pending' AND o.lease_until > hub_now())
       AND gate_admits_claim(c)`,
    [SUSPECT_AFTER, POISON_AFTER],
  )
  return rows.map((row) => row.channel)
}

// Probes and laterals instead of joins: right after a burst the statistics still say that the table is empty, and a join would then read every
// pending row once for each claimed one.
const CLAIM_SUSPECT = `
  WITH clock AS MATERIALIZED (SELECT hub_now() AS now), suspect AS MATERIALIZED (
    SELECT e.id FROM inbound_event e
    WHERE e.channel = $1 AND e.state = 'pending' AND e.unfinished >= $3 AND e.unfinished_alone < $4
      AND e.due_at <= (SELECT now FROM clock) AND (e.lease_until IS NULL OR e.lease_until <= (SELECT now FROM clock))
      AND (SELECT true FROM inbound_event o WHERE o.channel = e.channel AND o.resource = e.resource AND o.state = 'pending'
             AND o.lease_until > (SELECT now FROM clock) LIMIT 1) IS NULL
    ORDER BY e.due_at, e.id LIMIT 1 FOR UPDATE OF e SKIP LOCKED
  )
  UPDATE inbound_event e SET lease = nextval('lease_number'), lease_until = (SELECT now FROM clock) + $2 * interval '1 ms',
    unfinished = e.unfinished + 1, unfinished_alone = e.unfinished_alone + 1
  FROM suspect s WHERE e.id = s.id
  RETURNING e.id, e.event_id AS "eventId", e.channel, e.topic, e.resource, e.lease, e.tries, e.traceparent`

// One fetch answers every event of its resource that came before it: the newest due one is claimed and the older ones end as coalesced.
// A resource that another claim fetches just now waits, so two workers never fetch it at once.
const CLAIM = `
  WITH clock AS MATERIALIZED (SELECT hub_now() AS now), head AS MATERIALIZED (
    SELECT e.resource FROM inbound_event e
    WHERE e.channel = $1 AND e.state = 'pending' AND e.unfinished < $4
      AND e.due_at <= (SELECT now FROM clock) AND (e.lease_until IS NULL OR e.lease_until <= (SELECT now FROM clock))
      AND (SELECT true FROM inbound_event o WHERE o.channel = e.channel AND o.resource = e.resource AND o.state = 'pending'
             AND o.lease_until > (SELECT now FROM clock) LIMIT 1) IS NULL
    ORDER BY e.due_at, e.id LIMIT $3
  ), newest AS MATERIALIZED (
    SELECT n.id, n.resource FROM (SELECT DISTINCT resource FROM head) h CROSS JOIN LATERAL (
      SELECT e.id, e.resource FROM inbound_event e
      WHERE e.channel = $1 AND e.resource = h.resource AND e.state = 'pending' AND e.unfinished < $4
        AND e.due_at <= (SELECT now FROM clock) AND (e.lease_until IS NULL OR e.lease_until <= (SELECT now FROM clock))
      ORDER BY e.id DESC LIMIT 1 FOR UPDATE SKIP LOCKED) n
  ), claimed AS (
    UPDATE inbound_event e SET lease = nextval('lease_number'), lease_until = (SELECT now FROM clock) + $2 * interval '1 ms', unfinished = e.unfinished + 1
    FROM newest n WHERE e.id = n.id
    RETURNING e.id, e.event_id, e.channel, e.topic, e.resource, e.lease, e.tries, e.traceparent, e.due_at
  ), older AS MATERIALIZED (
    SELECT o.id FROM newest n CROSS JOIN LATERAL (
      SELECT e.id FROM inbound_event e
      WHERE e.channel = $1 AND e.resource = n.resource AND e.state = 'pending' AND e.id < n.id FOR UPDATE SKIP LOCKED) o
  ), coalesced AS (
    UPDATE inbound_event e SET state = 'ignored', reason = 'coalesced', cause = NULL, lease = NULL, lease_until = NULL,
      ended_at = (SELECT now FROM clock), state_version = e.state_version + 1
    FROM older o WHERE e.id = o.id
  )
  SELECT c.id, c.event_id AS "eventId", c.channel, c.topic, c.resource, c.lease, c.tries, c.traceparent
  FROM claimed c ORDER BY c.due_at, c.id`

/** Ends a claim that applied nothing, and tells its channel's gate. False: fenced, and nothing changed. */
export async function endEvent(pool: Pool, claim: ClaimedEvent, ending: EventEnding): Promise<boolean> {
  return transaction(pool, async (client) => {
    const { rows } = await client.query<{ order_id: string | null }>(
      `UPDATE inbound_event SET
         state = $3, reason = $4, cause = $5, tries = tries + CASE WHEN $6 THEN 1 ELSE 0 END,
         due_at = CASE WHEN $3 = 'pending' THEN hub_now() + $7 * interval '1 ms' ELSE due_at END,
         ended_at = CASE WHEN $3 = 'pending' THEN NULL ELSE hub_now() END,
         order_id = coalesce($8::bigint, order_id, CASE WHEN $3 <> 'pending' THEN order_of_event(channel, resource, order_key) END),
         lease = NULL, lease_until = NULL, unfinished = 0, unfinished_alone = 0, state_version = state_version + 1
       WHERE id = $1 AND lease = $2 AND state = 'pending' RETURNING order_id`,
      [
        claim.id,
        claim.lease,
        ending.state,
        ending.state === 'ignored' ? ending.reason : null,
        'cause' in ending ? ending.cause : null,
        ending.state === 'dead' || (ending.state === 'pending' && ending.counted),
        ending.state === 'pending' ? ending.delayMs : 0,
        ending.state === 'applied' ? ending.orderId : null,
      ],
    )
    const [ended] = rows
    if (!ended) return false
    if (ended.order_id !== null) await tieEvents(client, [{ channel: claim.channel, resource: claim.resource, orderId: ended.order_id }])
    if (ending.state === 'applied') await resolveDead(client, [claim])
    if ('gate' in ending) await applyGate(client, claim.channel, ending.gate, claim.probe)
    return true
  })
}
