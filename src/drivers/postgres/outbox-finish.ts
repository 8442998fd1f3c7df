import type { Channel } from '../../core/channel.ts'
import type { Settlement } from '../../core/delivery.ts'
import type { AttemptEnd, Claim, Finish } from '../../ports/outbox.ts'
import { recordEvents } from './delivery-events.ts'
import { applyGates } from './gate.ts'
import { endAttempts } from './outbox-intent.ts'
import { type Pool, type PoolClient, transaction } from './pool.ts'

export interface FinishItem {
  claim: Claim
  finish: Finish
  channel: Channel
}

interface FinishRow {
  delivery_id: string
  lease: string
  to: Settlement['state']
  cause: string | null
  reason: string | null
  summary: string | null
  delay_ms: number
  settle_ms: number
  lease_ms: number
  uncount: boolean
  external_id: string | null
  shown: unknown
}

/**
 * Step 5 for a group. Fenced items record what their attempt heard and change nothing else. Locks: bindings, deliveries, attempts, as everywhere;
 * so a process that stops in here holds its deliveries, and nobody takes one over between its settlement and its attempt.
 */
export async function finishAll(pool: Pool, items: FinishItem[]): Promise<('finished' | 'fenced')[]> {
  const rows = items.map(toRow)
  const done = await transaction(pool, async (client) => {
    // What may return to `pending` must see a newer version that waits: its binding is locked first, in a statement of its own.
    await client.query(`SELECT FROM binding WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE`, [
      items.map((i) => i.claim.bindingId),
    ])
    const ended = await settleRows(client, rows)
    await endAttempts(
      client,
      items.flatMap(({ claim, finish: { attempt } }) => (attempt ? [ended.has(claim.lease) ? attempt : heardTooLate(attempt)] : [])),
    )
    const held = items.filter((i) => ended.has(i.claim.lease))
    await bindAll(client, held)
    await resolveOlder(
      client,
      [...ended.values()].filter(({ state }) => state === 'delivered').map(({ id }) => id),
    )
    await recordEvents(
      client,
      [...ended.values()].filter(({ state }) => state !== 'pending' && state !== 'ambiguous').map(({ id }) => id),
    )
    await applyGates(
      client,
      held.map((i) => ({ channel: i.channel.id, effect: i.finish.settlement.gate, probe: i.claim.probe })),
    )
    return ended
  })
  return items.map((i) => (done.has(i.claim.lease) ? 'finished' : 'fenced'))
}

// `rejected` says that the refusal settled the delivery; this one was taken over with its outcome unknown, and is looked up.
function heardTooLate(attempt: AttemptEnd): AttemptEnd {
  return attempt.outcome === 'rejected' ? { ...attempt, outcome: 'unknown' } : attempt
}

function toRow({ claim, finish, channel }: FinishItem): FinishRow {
  const { settlement } = finish
  return {
    delivery_id: claim.deliveryId,
    lease: claim.lease,
    to: settlement.state,
    cause: causeOf(settlement),
    reason: 'reason' in settlement ? settlement.reason : null,
    summary: finish.summary,
    delay_ms: 'delayMs' in settlement ? settlement.delayMs : 0,
    settle_ms: channel.timing.settleMs,
    lease_ms: channel.timing.leaseMs,
    uncount: settlement.state === 'pending' && !settlement.counted && finish.onlySend,
    external_id: finish.externalId,
    shown: finish.shown,
  }
}

function causeOf(settlement: Settlement): string | null {
  if (settlement.state === 'dead' || settlement.state === 'pending') return settlement.cause
  if (settlement.state === 'ambiguous') return 'ambiguous-outcome'
  return settlement.state === 'superseded' ? 'superseded' : null
}

interface Ended {
  id: string
  state: string
  lease: string
}

/** What was really ended or moved, by lease: a fenced claim may stand in one group with the one that took its row. */
async function settleRows(client: PoolClient, rows: FinishRow[]): Promise<Map<string, Ended>> {
  const { rows: ended } = await client.query<Ended>(
    `WITH item AS (
       SELECT i.*, d.binding_id, EXISTS (SELECT FROM delivery n WHERE n.binding_id = d.binding_id AND n.state = 'pending' AND n.id <> d.id) AS newer
       FROM jsonb_to_recordset($1::jsonb) AS i(delivery_id bigint, lease bigint, "to" text, cause text, reason text, summary text, delay_ms bigint, settle_ms integer, lease_ms integer, uncount boolean)
       JOIN delivery d ON d.id = i.delivery_id AND d.lease = i.lease
     ), reached AS (
       SELECT *, CASE WHEN "to" IN ('continue', 'pending') THEN CASE WHEN newer THEN 'superseded' ELSE 'pending' END ELSE "to" END AS new_state FROM item
     )
     UPDATE delivery d SET
       state = r.new_state,
       cause = CASE WHEN r.new_state = 'superseded' THEN 'superseded' ELSE r.cause END,
       reason = r.reason,
       summary = r.summary,
       due_at = CASE r."to" WHEN 'pending' THEN hub_now() + r.delay_ms * interval '1 ms'
                            WHEN 'continue' THEN hub_now()
                            WHEN 'ambiguous' THEN greatest(d.due_at, hub_now() + greatest(r.settle_ms, r.delay_ms) * interval '1 ms')
                            ELSE d.due_at END,
       lease = CASE WHEN r."to" = 'continue' AND r.new_state = 'pending' THEN d.lease END,
       lease_until = CASE WHEN r."to" = 'continue' AND r.new_state = 'pending' THEN hub_now() + r.lease_ms * interval '1 ms' END,
       tries = greatest(d.tries - CASE WHEN r.uncount AND d.counted_lease = d.lease THEN 1 ELSE 0 END, 0),
       counted_lease = CASE WHEN r.uncount THEN NULL ELSE d.counted_lease END,
       unfinished = CASE WHEN r."to" = 'continue' THEN d.unfinished ELSE 0 END,
       unfinished_alone = CASE WHEN r."to" = 'continue' THEN d.unfinished_alone ELSE 0 END,
       suspect = r."to" = 'continue' AND d.suspect,
       state_version = d.state_version + 1,
       ended_at = CASE WHEN r.new_state IN ('delivered', 'superseded', 'dead') THEN hub_now() END
     FROM reached r
     WHERE d.id = r.delivery_id AND d.lease = r.lease AND d.state IN ('pending', 'ambiguous')
     RETURNING d.id, d.state, r.lease`,
    [JSON.stringify(rows)],
  )
  return new Map(ended.map((row) => [row.lease, row]))
}

// The target's id commits in the same transaction as `delivered`, and becomes an identifier that people can type.
async function bindAll(client: PoolClient, items: FinishItem[]): Promise<void> {
  const bound = items.filter((i) => i.finish.externalId !== null || i.finish.shown !== null)
  if (bound.length === 0) return
  await bindRows(
    client,
    bound.map((i) => ({ binding_id: i.claim.bindingId, external_id: i.finish.externalId, shown: i.finish.shown })),
  )
}

export async function bindRows(
  client: PoolClient,
  rows: { binding_id: string; external_id: string | null; shown: unknown }[],
): Promise<void> {
  await client.query(
    `WITH item AS (SELECT * FROM jsonb_to_recordset($1::jsonb) AS i(binding_id bigint, external_id text, shown jsonb)),
     bound AS (
       UPDATE binding b SET external_id = coalesce(i.external_id, b.external_id), observed = coalesce(i.shown, b.observed),
         observed_at = CASE WHEN i.shown IS NULL THEN b.observed_at ELSE hub_now() END, missing_since = NULL
       FROM item i WHERE b.id = i.binding_id RETURNING b.order_id, b.channel, b.external_id, b.kind
     )
     INSERT INTO identifier (value, kind, order_id, channel)
     SELECT upper(external_id), CASE WHEN channel = 'odoo' THEN 'erp-id' ELSE 'marketplace-order' END, order_id, channel
     FROM bound WHERE kind = 'order' AND external_id IS NOT NULL
     ON CONFLICT DO NOTHING`,
    [JSON.stringify(rows)],
  )
}

// A later success answers an older failure; the depth of the dead letters falls then.
async function resolveOlder(client: PoolClient, delivered: string[]): Promise<void> {
  if (delivered.length === 0) return
  await client.query(
    `UPDATE delivery old SET resolved_by = new.id, state_version = old.state_version + 1
     FROM delivery new
     WHERE new.id = ANY($1::bigint[]) AND old.binding_id = new.binding_id AND old.version < new.version AND old.state = 'dead' AND old.resolved_by IS NULL`,
    [delivered],
  )
}
