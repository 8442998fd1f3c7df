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
