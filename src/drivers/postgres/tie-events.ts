import type { ClaimedEvent } from '../../ports/inbox.ts'
import type { PoolClient } from './pool.ts'

/** What a fetch or an ending said of a resource: it speaks of this order. */
export interface Tie {
  channel: string
  resource: string
  orderId: string
}

/**
 * Ties what ended at these resources without an order (coalesced with a later event, given up on before the order was known), so that a trace, a retry and
 * an erasure find it. Pending events are tied when they end.
 */
export async function tieEvents(client: PoolClient, ties: readonly Tie[]): Promise<void> {
  if (ties.length === 0) return
  await client.query(
    `UPDATE inbound_event e SET order_id = t.order_id
     FROM unnest($1::text[], $2::text[], $3::bigint[]) AS t(channel, resource, order_id)
     WHERE e.channel = t.channel AND e.resource = t.resource AND e.order_id IS NULL AND e.state <> 'pending'`,
    [ties.map(({ channel }) => channel), ties.map(({ resource }) => resource), ties.map(({ orderId }) => orderId)],
  )
}

/** What was fetched for these events answers every dead event of their resources. */
export async function resolveDead(
  client: PoolClient,
  applied: readonly Pick<ClaimedEvent, 'id' | 'channel' | 'resource'>[],
): Promise<void> {
  await client.query(
    `UPDATE inbound_event e SET resolved_by = i.id, state_version = e.state_version + 1
     FROM unnest($1::bigint[], $2::text[], $3::text[]) AS i(id, channel, resource)
     WHERE e.channel = i.channel AND e.resource = i.resource AND e.state = 'dead' AND e.resolved_by IS NULL AND e.id <> i.id`,
    [applied.map(({ id }) => id), applied.map(({ channel }) => channel), applied.map(({ resource }) => resource)],
  )
}
