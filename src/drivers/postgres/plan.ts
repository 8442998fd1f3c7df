import { createHash } from 'node:crypto'
import { canonicalJson } from '../../core/canonical-json.ts'
import type { Desired } from '../../core/desired.ts'
import { recordEvents } from './delivery-events.ts'
import type { PoolClient } from './pool.ts'

/** One binding that should show something. */
export interface BindingWish {
  channel: string
  /** Set for orders; stock bindings carry a SKU instead. */
  orderId: string | null
  sku: string | null
  reference: string
  desired: Desired
  /** The target's id where it is known beforehand (an ERP order at Odoo). */
  externalId: string | null
  maxTries: number
  traceparent: string | null
}

export function contentHash(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex')
}

/**
 * Writes the newest version of each binding, in the caller's transaction: bindings are locked first, in id order; what waits is superseded,
 * leased or not; what is in flight is left alone. Content equal to the newest version's plans nothing. Answers the versions planned.
 */
export async function planAll(client: PoolClient, wishes: readonly BindingWish[]): Promise<number> {
  if (wishes.length === 0) return 0
  const items = wishes.map((w) => ({ ...w, kind: w.desired.kind, hash: contentHash(w.desired) }))
  const bindings = await lockBindings(client, items)
  const due = items.flatMap((item) => {
    const binding = bindings.get(keyOf(item.channel, item.orderId, item.sku))
    return binding && binding.newest !== item.hash ? [{ ...item, binding_id: binding.id }] : []
  })
  if (due.length === 0) return 0
  // Superseding and inserting are two statements: in one, the index of the waiting version breaks.
  const { rows: superseded } = await client.query<{ id: string }>(
    `UPDATE delivery SET state = 'superseded', cause = 'superseded', ended_at = hub_now(), lease = NULL, lease_until = NULL, state_version = state_version + 1
     WHERE binding_id = ANY($1::bigint[]) AND state = 'pending' RETURNING id`,
    [due.map((d) => d.binding_id)],
  )
  await recordEvents(
    client,
    superseded.map(({ id }) => id),
  )
  await insertVersions(client, due)
  return due.length
}

type Item = BindingWish & { kind: string; hash: string }

const keyOf = (channel: string, orderId: string | null, sku: string | null): string => `${channel}/${orderId ?? ''}/${sku ?? ''}`

async function lockBindings(client: PoolClient, items: Item[]): Promise<Map<string, { id: string; newest: string | null }>> {
  await client.query(
    `INSERT INTO binding (channel, kind, order_id, sku, reference, external_id)
     SELECT channel, kind, "orderId", sku, reference, "externalId"
     FROM jsonb_to_recordset($1::jsonb) AS w(channel text, kind text, "orderId" bigint, sku text, reference text, "externalId" text)
     ORDER BY channel, reference ON CONFLICT DO NOTHING`,
    [JSON.stringify(items)],
  )
  const { rows: locked } = await client.query<{ id: string; channel: string; order_id: string | null; sku: string | null }>(
    `SELECT b.id, b.channel, b.order_id, b.sku
     FROM binding b JOIN jsonb_to_recordset($1::jsonb) AS w(channel text, kind text, "orderId" bigint, sku text)
       ON b.channel = w.channel AND b.kind = w.kind AND (b.order_id = w."orderId" OR b.sku = w.sku)
     ORDER BY b.id FOR NO KEY UPDATE OF b`,
    [JSON.stringify(items)],
  )
  // A statement of its own, after the lock: a version that was planned meanwhile must be seen.
  const { rows: newest } = await client.query<{ binding_id: string; hash: string }>(
    `SELECT DISTINCT ON (d.binding_id) d.binding_id, encode(w.content_hash, 'hex') AS hash
     FROM delivery d JOIN desired w ON w.id = d.desired_id WHERE d.binding_id = ANY($1::bigint[]) ORDER BY d.binding_id, d.version DESC`,
    [locked.map((b) => b.id)],
  )
  const hashes = new Map(newest.map((n) => [n.binding_id, n.hash]))
  return new Map(locked.map((b) => [keyOf(b.channel, b.order_id, b.sku), { id: b.id, newest: hashes.get(b.id) ?? null }]))
}

async function insertVersions(client: PoolClient, due: (Item & { binding_id: string })[]): Promise<void> {
  await client.query(
    `WITH item AS MATERIALIZED (
       SELECT w.*, nextval(pg_get_serial_sequence('desired', 'id')) AS new_desired
       FROM jsonb_to_recordset($1::jsonb) AS w(binding_id bigint, desired jsonb, hash text, "maxTries" integer, traceparent text)
     ), wanted AS (
       INSERT INTO desired (id, content, content_hash) OVERRIDING SYSTEM VALUE SELECT new_desired, desired, decode(hash, 'hex') FROM item
     ), counted AS (
       UPDATE binding b SET next_version = next_version + 1 FROM item i WHERE b.id = i.binding_id
       RETURNING b.id, b.channel, b.kind, b.order_id, b.generation, b.next_version - 1 AS version
     ), planned AS (
       INSERT INTO delivery (binding_id, channel, kind, order_id, version, generation, desired_id, max_tries, traceparent, cause)
       SELECT c.id, c.channel, c.kind, c.order_id, c.version, c.generation, i.new_desired, i."maxTries", i.traceparent, 'queued'
       FROM counted c JOIN item i ON i.binding_id = c.id
       RETURNING *
     )
     INSERT INTO order_event (event_id, event_type, aggregate_type, aggregate_id, aggregate_version, marketplace, occurred_at, traceparent, payload)
     SELECT gen_random_uuid(), 'delivery.planned', 'delivery', p.id, p.state_version, ch.marketplace, hub_now(), p.traceparent,
            jsonb_build_object('order_id', p.order_id, 'channel', p.channel, 'kind', p.kind, 'version', p.version)
     FROM planned p JOIN channel ch ON ch.id = p.channel`,
    [JSON.stringify(due)],
  )
}

/** Wakes the worker at this transaction's commit; losing it costs one sweep. */
export async function wakeOutbox(client: PoolClient, planned: number): Promise<void> {
  if (planned > 0) await client.query(`SELECT pg_notify('rosh_outbound', '')`)
}
