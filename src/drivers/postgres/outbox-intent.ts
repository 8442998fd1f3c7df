import type { Channel } from '../../core/channel.ts'
import type { Operation } from '../../core/delivery.ts'
import type { AttemptEnd, Claim, Intent } from '../../ports/outbox.ts'
import type { Pool, Queryable } from './pool.ts'

export interface IntentItem {
  claim: Claim
  operation: Operation
  channel: Channel
}

/** Step 3 for a group: each item has its own lease, gate and fence; one commit carries them all. */
export async function intendAll(pool: Pool, items: IntentItem[]): Promise<Intent[]> {
  const { rows } = await pool.query<{
    lease: string
    verdict: 'intended' | 'superseded' | 'gate-shut'
    attempt_id: string | null
    fetch_no: string
  }>(INTEND, [JSON.stringify(items.map(toRow))])
  // By lease, not by delivery: a claim whose lease ran out may stand in one group with the claim that took its row.
  const verdicts = new Map(rows.map((row) => [row.lease, row]))
  return items.map(({ claim }) => {
    const row = verdicts.get(claim.lease)
    if (!row) return { kind: 'fenced' }
    return row.verdict === 'intended' && row.attempt_id !== null
      ? { kind: 'intended', requestId: row.attempt_id, fetchNo: Number(row.fetch_no) }
      : { kind: row.verdict === 'intended' ? 'fenced' : row.verdict }
  })
}

function toRow({ claim, operation, channel }: IntentItem): Record<string, unknown> {
  const { marginMs, timeoutMs, settleMs, leaseMs } = channel.timing
  return {
    delivery_id: claim.deliveryId,
    lease: claim.lease,
    claimed_as: claim.claimedAs,
    operation,
    probe: claim.probe,
    due_ms: marginMs + timeoutMs + settleMs,
    lease_ms: leaseMs,
    trace_id: traceIdOf(claim.traceparent),
  }
}

const traceIdOf = (traceparent: string | null): string | null => traceparent?.split('-')[1] ?? null

// The row lock comes first; what is tested beside it (a newer version, the gate) may change right after and is caught by the next step.
const INTEND = `
  WITH item AS (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS i(delivery_id bigint, lease bigint, claimed_as text, operation text, probe boolean, due_ms integer, lease_ms integer, trace_id text)
  ), held AS MATERIALIZED (
    SELECT d.id, d.binding_id, d.channel, i.*
    FROM item i JOIN delivery d ON d.id = i.delivery_id
    WHERE d.lease = i.lease AND d.state = i.claimed_as
    ORDER BY d.id FOR UPDATE OF d
  ), judged AS MATERIALIZED (
    SELECT h.*, CASE
      WHEN h.claimed_as = 'ambiguous' AND EXISTS (SELECT FROM delivery n WHERE n.binding_id = h.binding_id AND n.state = 'pending') THEN 'superseded'
      WHEN gate_is_shut(c) OR (gate_is_tested(c) AND NOT h.probe) THEN 'gate-shut'
      ELSE 'intended' END AS verdict
    FROM held h JOIN channel c ON c.id = h.channel
  ), sent AS (
    UPDATE delivery d SET state = 'ambiguous', cause = 'ambiguous-outcome', due_at = hub_now() + j.due_ms * interval '1 ms',
      lease_until = hub_now() + j.lease_ms * interval '1 ms', state_version = d.state_version + 1,
      tries = d.tries + CASE WHEN d.counted_lease IS DISTINCT FROM d.lease THEN 1 ELSE 0 END, counted_lease = d.lease, first_sent_at = coalesce(d.first_sent_at, hub_now())
    FROM judged j WHERE d.id = j.id AND j.verdict = 'intended'
    RETURNING d.id, d.channel, j.operation, d.lease, j.trace_id
  ), ended AS (
    UPDATE delivery d SET state = CASE WHEN j.verdict = 'superseded' THEN 'superseded' ELSE d.state END,
      cause = CASE WHEN j.verdict = 'superseded' THEN 'superseded' ELSE d.cause END,
      ended_at = CASE WHEN j.verdict = 'superseded' THEN hub_now() END,
      lease = NULL, lease_until = NULL, unfinished = 0, unfinished_alone = 0, suspect = false, state_version = d.state_version + 1
    FROM judged j WHERE d.id = j.id AND j.verdict <> 'intended'
    RETURNING d.*
  ), told AS (
    INSERT INTO order_event (event_id, event_type, aggregate_type, aggregate_id, aggregate_version, marketplace, occurred_at, traceparent, payload)
    SELECT gen_random_uuid(), 'delivery.superseded', 'delivery', e.id, e.state_version, c.marketplace, hub_now(), e.traceparent,
           jsonb_build_object('order_id', e.order_id, 'channel', e.channel, 'kind', e.kind, 'version', e.version, 'tries', e.tries, 'cause', e.cause, 'reason', e.reason)
    FROM ended e JOIN channel c ON c.id = e.channel WHERE e.state = 'superseded'
  ), tried AS (
    INSERT INTO attempt (delivery_id, channel, purpose, operation, lease, started_at, trace_id)
    SELECT id, channel, 'send', operation, lease, hub_now(), trace_id FROM sent
    RETURNING id, delivery_id
  )
  SELECT j.lease, j.verdict, t.id AS attempt_id, nextval('fetch_number') AS fetch_no FROM judged j LEFT JOIN tried t ON t.delivery_id = j.id`

export interface LookUpItem {
  claim: Claim
  operation: string
  channel: Channel
}

/**
 * Commits the intents of look-ups and renews their leases, since a look-up may take several slow requests; ends what earlier claims left
 * open as unknown. Null: fenced.
 */
export async function intendLookUps(pool: Pool, items: LookUpItem[]): Promise<(string | null)[]> {
  const { rows } = await pool.query<{ id: string; lease: string }>(
    `WITH item AS (
       SELECT * FROM jsonb_to_recordset($1::jsonb) AS i(delivery_id bigint, lease bigint, operation text, lease_ms integer, trace_id text)
     ), held AS MATERIALIZED (
       SELECT d.id, d.channel, i.* FROM item i JOIN delivery d ON d.id = i.delivery_id
       WHERE d.lease = i.lease AND d.state IN ('pending', 'ambiguous') ORDER BY d.id FOR UPDATE OF d
     ), renewed AS (
       UPDATE delivery d SET lease_until = hub_now() + h.lease_ms * interval '1 ms' FROM held h WHERE d.id = h.id
     ), left_open AS (
       UPDATE attempt a SET outcome = 'unknown', error_code = 'no-answer', ended_at = hub_now(), summary = 'its worker ended before the answer'
       FROM held h WHERE a.delivery_id = h.id AND a.outcome IS NULL AND a.lease <> h.lease
     )
     INSERT INTO attempt (delivery_id, channel, purpose, operation, lease, started_at, trace_id)
     SELECT id, channel, 'look-up', operation, lease, hub_now(), trace_id FROM held RETURNING id, lease`,
    [
      JSON.stringify(
        items.map(({ claim, operation, channel }) => ({
          delivery_id: claim.deliveryId,
          lease: claim.lease,
          operation,
          lease_ms: channel.timing.leaseMs,
          trace_id: traceIdOf(claim.traceparent),
        })),
      ),
    ],
  )
  const ids = new Map(rows.map((row) => [row.lease, row.id]))
  return items.map(({ claim }) => ids.get(claim.lease) ?? null)
}

/** Writes an attempt's outcome once; a second writer changes nothing. */
export async function endAttempts(pool: Queryable, ends: readonly AttemptEnd[]): Promise<void> {
  if (ends.length === 0) return
  await pool.query(
    `UPDATE attempt a SET outcome = e.outcome, ended_at = hub_now(), error_code = e.error_code, http_status = e.http_status, summary = e.summary, their_text = e.their_text
     FROM jsonb_to_recordset($1::jsonb) AS e(id bigint, outcome text, error_code text, http_status integer, summary text, their_text text)
     WHERE a.id = e.id AND a.outcome IS NULL`,
    [
      JSON.stringify(
        ends.map((e) => ({
          id: e.requestId,
          outcome: e.outcome,
          error_code: e.code,
          http_status: e.httpStatus,
          summary: e.summary,
          their_text: e.theirText,
        })),
      ),
    ],
  )
}

/**
 * Ends what a dead worker left open of work that ended without it: a version superseded, an event coalesced while its request was under way.
 * No request lives longer than a lease, so what is older belongs to nobody.
 */
export async function endOrphans(pool: Pool, channel: string, leaseMs: number): Promise<void> {
  await pool.query(
    `UPDATE attempt a SET outcome = 'unknown', error_code = 'no-answer', ended_at = hub_now(), summary = 'its worker ended before the answer'
     WHERE a.outcome IS NULL AND a.channel = $1 AND a.started_at < hub_now() - $2 * interval '1 ms'
       AND (EXISTS (SELECT FROM delivery d WHERE d.id = a.delivery_id AND d.state IN ('delivered', 'superseded', 'dead'))
         OR EXISTS (SELECT FROM inbound_event e WHERE e.id = a.inbound_event_id AND e.state <> 'pending'))`,
    [channel, leaseMs],
  )
}
