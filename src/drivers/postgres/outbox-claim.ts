import type { Channel } from '../../core/channel.ts'
import type { Desired } from '../../core/desired.ts'
import type { Claim } from '../../ports/outbox.ts'
import type { Personal } from '../../ports/target.ts'
import { debitGate, openGate } from './gate.ts'
import { recordEvents } from './delivery-events.ts'
import { type Pool, type PoolClient, transaction } from './pool.ts'
import { retried } from './retry.ts'
import { POISON_AFTER, SUSPECT_AFTER } from './suspects.ts'

/** Claims due deliveries of one channel, its suspects or the others: gate and bucket first, in a statement of their own, then the rows. */
export async function claimDue(
  pool: Pool,
  channel: Channel,
  { limit, suspects }: { limit: number; suspects: boolean },
  personal: PersonalOfOrders,
): Promise<Claim[]> {
  const rows = await transaction(pool, async (client) => {
    const { most, probe } = await openGate(client, channel.id, limit)
    if (most < 1) return []
    const claimed = await claimRows(client, channel, most, suspects)
    if (claimed.length > 0) await debitGate(client, channel.id, { tokens: claimed.length, probe, leaseMs: channel.timing.leaseMs })
    return claimed.map((row) => ({ ...row, probe }))
  })
  const opened = await Promise.allSettled(rows.map((row) => toClaim(row, channel.id, personal)))
  const failed = rows.flatMap((row, at) => {
    const outcome = opened[at]
    return outcome?.status === 'rejected' ? [{ row, error: outcome.reason as unknown }] : []
  })
  for (const { row, error } of failed) personal.unreadable(row.id, error)
  if (failed.length > 0)
    await retried(() =>
      releaseUnread(
        pool,
        failed.map(({ row }) => row),
        suspects,
      ),
    )
  return opened.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
}

/** How a claim comes by the personal fields of its order. */
export interface PersonalOfOrders {
  /** Null when the key is gone: the person was erased. Throws where they cannot be opened here: the delivery is then given back. */
  open(keyId: string, orderId: string, sealed: Buffer): Promise<Personal | null>
  /** Told of each delivery that was given back, with the reason. */
  unreadable(deliveryId: string, error: unknown): void
}

interface ClaimedRow {
  id: string
  binding_id: string
  lease: string
  state: 'pending' | 'ambiguous'
  tries: number
  max_tries: number
  version: string
  generation: number
  reference: string
  external_id: string | null
  first_sent_at: string | null
  content: Desired
  order_id: string | null
  personal: Buffer | null
  key_id: string | null
  traceparent: string | null
}

// A scalar sub-select, not an anti-join, and the clock read once: the plan holds on stale statistics, when a burst fills an empty table.
// Claimed rows stay as they are under a lease instead of moving to a state of their own: a worker that dies needs no clean-up.
async function claimRows(client: PoolClient, channel: Channel, limit: number, suspects: boolean): Promise<ClaimedRow[]> {
  const { rows } = await client.query<ClaimedRow>(
    `WITH due AS MATERIALIZED (
       SELECT d.id FROM delivery d
       WHERE d.channel = $1 AND d.state IN ('pending', 'ambiguous') AND d.due_at <= (SELECT hub_now())
         AND (d.lease_until IS NULL OR d.lease_until <= (SELECT hub_now()))
         AND d.suspect = $4 AND d.unfinished_alone < $6
         AND NOT coalesce((SELECT c.since > hub_now() - $7 * interval '1 ms' FROM database_copy c), false)
         AND (d.state = 'ambiguous' OR (SELECT true FROM delivery a WHERE a.binding_id = d.binding_id AND a.state = 'ambiguous' LIMIT 1) IS NULL)
       ORDER BY d.due_at, d.id LIMIT $2 FOR UPDATE SKIP LOCKED
     ), claimed AS (
       UPDATE delivery d SET lease = nextval('lease_number'), lease_until = hub_now() + $3 * interval '1 ms',
         unfinished = d.unfinished + 1, suspect = d.unfinished + 1 >= $5, unfinished_alone = d.unfinished_alone + CASE WHEN $4 THEN 1 ELSE 0 END
       FROM due WHERE d.id = due.id RETURNING d.*
     )
     SELECT c.id, c.binding_id, c.lease, c.state, c.tries, c.max_tries, c.version, c.generation, c.traceparent, c.order_id,
            b.reference, b.external_id, w.content,
            coalesce((SELECT min(o.first_sent_at) FROM delivery o WHERE o.binding_id = c.binding_id), sends_lost_from(b.created_at)) AS first_sent_at, s.personal, s.key_id
     FROM claimed c JOIN binding b ON b.id = c.binding_id JOIN desired w ON w.id = c.desired_id LEFT JOIN silver_order s ON s.id = c.order_id
     ORDER BY c.due_at, c.id`,
    [channel.id, limit, channel.timing.leaseMs, suspects, SUSPECT_AFTER, POISON_AFTER, showsWithinMs(channel)],
  )
  return rows
}

/** After its intent a send shows within this or never; what left in the time that a restored database lost has then shown too. */
const showsWithinMs = ({ timing }: Channel): number => timing.marginMs + timing.timeoutMs + timing.settleMs

async function toClaim(row: ClaimedRow & { probe: boolean }, channel: string, personal: PersonalOfOrders): Promise<Claim> {
  const sealed = row.personal !== null && row.key_id !== null && row.order_id !== null
  return {
    deliveryId: row.id,
    bindingId: row.binding_id,
    lease: row.lease,
    claimedAs: row.state,
    tries: row.tries,
    maxTries: row.max_tries,
    probe: row.probe,
    traceparent: row.traceparent,
    wanted: {
      channel,
      reference: row.reference,
      generation: row.generation,
      version: Number(row.version),
      externalId: row.external_id,
      desired: row.content,
      firstSentAt: row.first_sent_at,
      personal: sealed ? await personal.open(row.key_id ?? '', row.order_id ?? '', row.personal ?? Buffer.alloc(0)) : null,
    },
  }
}

/**
 * Gives back what lacks its personal data, uncounted: it counts neither as a try nor as an unfinished claim, since a worker with the right key may send
 * it. Due later, so that it keeps nobody from the front of the queue.
 */
async function releaseUnread(pool: Pool, rows: readonly ClaimedRow[], suspects: boolean): Promise<void> {
  await pool.query(
    `UPDATE delivery d SET lease = NULL, lease_until = NULL, due_at = greatest(d.due_at, hub_now() + interval '1 minute'),
       cause = CASE WHEN d.state = 'pending' THEN 'backing-off' ELSE d.cause END, summary = 'its personal data could not be opened: see the log of the worker',
       unfinished = greatest(d.unfinished - 1, 0), suspect = d.unfinished > $4,
       unfinished_alone = greatest(d.unfinished_alone - CASE WHEN $3 THEN 1 ELSE 0 END, 0)
     FROM unnest($1::bigint[], $2::bigint[]) AS r(id, lease) WHERE d.id = r.id AND d.lease = r.lease`,
    [rows.map(({ id }) => id), rows.map(({ lease }) => lease), suspects, SUSPECT_AFTER],
  )
}

/** Gives up on what crashed its worker even when claimed alone. An unknown send stays `ambiguous` and blocking; only a person moves it. */
export async function endPoison(pool: Pool): Promise<void> {
  await transaction(pool, async (client) => {
    const { rows } = await client.query<{ id: string; state: string }>(
      `UPDATE delivery SET cause = 'poison', summary = 'its worker ended five times while it was in hand, twice with nothing else',
         state = CASE WHEN state = 'pending' THEN 'dead' ELSE state END, reason = 'poison', lease = NULL, lease_until = NULL,
         ended_at = CASE WHEN state = 'pending' THEN hub_now() END, state_version = state_version + 1
       WHERE suspect AND state IN ('pending', 'ambiguous') AND unfinished_alone >= $1 AND cause IS DISTINCT FROM 'poison'
         AND (lease_until IS NULL OR lease_until <= hub_now())
       RETURNING id, state`,
      [POISON_AFTER],
    )
    await recordEvents(
      client,
      rows.filter((row) => row.state === 'dead').map((row) => row.id),
    )
  })
}

/** Channels that have a suspect to claim now: due, not blocked, its gate open. */
export async function channelsWithSuspects(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query<{ channel: string }>(
    `SELECT DISTINCT d.channel FROM delivery d JOIN channel c ON c.id = d.channel
     WHERE d.suspect AND d.state IN ('pending', 'ambiguous') AND d.unfinished_alone < $1
       AND d.due_at <= hub_now() AND (d.lease_until IS NULL OR d.lease_until <= hub_now())
       AND (d.state = 'ambiguous' OR NOT EXISTS (SELECT FROM delivery a WHERE a.binding_id = d.binding_id AND a.state = 'ambiguous'))
       AND gate_admits_claim(c)`,
    [POISON_AFTER],
  )
  return rows.map((row) => row.channel)
}
