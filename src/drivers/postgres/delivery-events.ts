import type { PoolClient } from './pool.ts'

/** Tells the history what these deliveries became: their state, or that they were planned. */
export async function recordEvents(client: PoolClient, ids: readonly string[], became: 'planned' | null = null): Promise<void> {
  if (ids.length === 0) return
  await client.query(
    `INSERT INTO order_event (event_id, event_type, aggregate_type, aggregate_id, aggregate_version, marketplace, occurred_at, traceparent, payload)
     SELECT gen_random_uuid(), 'delivery.' || coalesce($2, d.state), 'delivery', d.id, d.state_version, c.marketplace, hub_now(), d.traceparent,
            jsonb_build_object('order_id', d.order_id, 'channel', d.channel, 'kind', d.kind, 'version', d.version, 'tries', d.tries, 'cause', d.cause, 'reason', d.reason)
     FROM delivery d JOIN channel c ON c.id = d.channel WHERE d.id = ANY($1::bigint[])`,
    [ids, became],
  )
}
