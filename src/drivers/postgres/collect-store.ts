import { ODOO_CHANNEL } from '../../core/channel.ts'
import type { Fragment } from '../../core/order.ts'
import type { ErpBatch, ErpStock } from '../../ports/erp.ts'
import type { Collected, CollectCursor, CollectTicket, InQuarantine, QuarantineOf } from '../../ports/order-store.ts'
import { currentTraceparent } from '../../telemetry.ts'
import { type ApplySettings, applyArrivals } from './order-apply.ts'
import type { Arrival } from './order-rows.ts'
import { planAll, wakeOutbox } from './plan.ts'
import { knowDatabase } from './database-copy.ts'
import { keptStart } from './kept-start.ts'
import type { Pool, PoolClient } from './pool.ts'
import { setReusedAside } from './reused-erp-ids.ts'

export async function beginCollect(pool: Pool, name: string, leaseMs: number): Promise<CollectTicket | null> {
  await knowDatabase(pool)
  const { rows } = await pool.query<{ fetch_no: string; position: CollectCursor | null }>(
    `INSERT INTO cursor AS c (name, fetch_no, lease_until, tried_at) VALUES ($1, nextval('fetch_number'), hub_now() + $2 * interval '1 ms', hub_now())
     ON CONFLICT (name) DO UPDATE SET fetch_no = nextval('fetch_number'), lease_until = excluded.lease_until, tried_at = hub_now()
       WHERE c.lease_until IS NULL OR c.lease_until <= hub_now()
     RETURNING fetch_no, position`,
    [name, leaseMs],
  )
  return rows[0] ? { fetchNo: Number(rows[0].fetch_no), leaseMs, cursor: rows[0].position } : null
}

export const collectStart = (pool: Pool, spanMs: number): Promise<string> => keptStart(pool, 'erp-start', spanMs)

export async function endCollect(
  pool: Pool,
  name: string,
  ticket: CollectTicket,
  failure: { code: string; summary: string } | null,
): Promise<void> {
  await pool.query(
    `UPDATE cursor SET lease_until = NULL, failure = $3::jsonb, failed_since = CASE WHEN $3::jsonb IS NULL THEN NULL ELSE coalesce(failed_since, hub_now()) END
     WHERE name = $1 AND fetch_no = $2`,
    [name, ticket.fetchNo, failure === null ? null : JSON.stringify(failure)],
  )
}

export interface Collecting {
  name: string
  ticket: CollectTicket
  /** Set with the last batch of a window. */
  cursor: CollectCursor | null
}

/** A batch of the collector; the cursor moves only with the last batch of its window, in the same transaction as what it planned. */
export async function storeCollected(
  client: PoolClient,
  { name, ticket, cursor }: Collecting,
  read: ErpBatch,
  settings: ApplySettings,
): Promise<Collected> {
  if (!(await holdsCursor(client, name, ticket))) throw new CollectFenced(name)
  const batch = await setReusedAside(client, read)
  const orders = batch.orders.map((o) => ({
    channel: ODOO_CHANNEL,
    orderKey: o.fragment.orderKey,
    fragments: [o.fragment],
    personal: o.personal,
    fetchNo: ticket.fetchNo,
    inboundEventId: null,
    traceparent: currentTraceparent() ?? null,
  }))
  const arrivals: Arrival[] = [...orders, ...(await pickingArrivals(client, batch.pickings ?? [], ticket))]
  const { outcomes, planned } = arrivals.length > 0 ? await applyArrivals(client, arrivals, settings) : { outcomes: [], planned: 0 }
  await quarantine(client, batch)
  if (cursor !== null) await moveCursor(client, name, cursor)
  await wakeOutbox(client, planned)
  const changed = outcomes.filter((o) => o.kind === 'changed').length
  return { changed, unchanged: outcomes.length - changed, planned, quarantined: batch.quarantined.length }
}

// By the binding at Odoo. One that is not bound yet is read again: binding it writes nothing there, but its picking will move.
async function pickingArrivals(client: PoolClient, pickings: readonly Fragment[], ticket: CollectTicket): Promise<Arrival[]> {
  if (pickings.length === 0) return []
  const { rows } = await client.query<{ external_id: string; origin: string; order_key: string }>(
    `SELECT b.external_id, s.origin, s.order_key FROM binding b JOIN silver_order s ON s.id = b.order_id
     WHERE b.channel = 'odoo' AND b.kind = 'order' AND b.external_id = ANY($1::text[]) AND s.origin <> 'odoo'`,
    [pickings.map((fragment) => fragment.externalId)],
  )
  const known = new Map(rows.map((row) => [row.external_id, row]))
  return pickings.flatMap((fragment) => {
    const order = known.get(fragment.externalId)
    if (!order) return []
    const { origin, order_key: orderKey } = order
    return [
      {
        channel: ODOO_CHANNEL,
        origin,
        orderKey,
        fragments: [{ ...fragment, orderKey }],
        personal: null,
        fetchNo: ticket.fetchNo,
        inboundEventId: null,
        traceparent: currentTraceparent() ?? null,
      },
    ]
  })
}

/** Another process collects now; what this one read is refused and read again. */
class CollectFenced extends Error {
  constructor(name: string) {
    super(`the cursor ${name} was taken over`)
    this.name = 'CollectFenced'
  }
}

async function holdsCursor(client: PoolClient, name: string, ticket: CollectTicket): Promise<boolean> {
  // A long read keeps its lease as long as it makes progress.
  const { rowCount } = await client.query(
    `UPDATE cursor SET lease_until = greatest(lease_until, hub_now() + $3 * interval '1 ms') WHERE name = $1 AND fetch_no = $2`,
    [name, ticket.fetchNo, ticket.leaseMs],
  )
  return rowCount === 1
}

async function moveCursor(client: PoolClient, name: string, cursor: CollectCursor): Promise<void> {
  await client.query(`UPDATE cursor SET position = $2::jsonb, moved_at = hub_now(), failed_since = NULL, failure = NULL WHERE name = $1`, [
    name,
    JSON.stringify(cursor),
  ])
}

// A record that can be read again leaves quarantine by itself, and so does one that the ERP no longer shows: nothing is owed of it.
async function quarantine(client: PoolClient, batch: ErpBatch): Promise<void> {
  const healed = [...batch.orders.map((o) => o.fragment.orderKey), ...batch.missing]
  if (healed.length > 0) {
    await client.query(`UPDATE erp_quarantine SET resolved_at = hub_now() WHERE erp_id = ANY($1::text[]) AND resolved_at IS NULL`, [healed])
  }
  if (batch.quarantined.length === 0) return
  await client.query(
    `INSERT INTO erp_quarantine (erp_id, erp_name, field, problem, source_version)
     SELECT "erpId", "erpName", field, problem, version FROM jsonb_to_recordset($1::jsonb) AS q("erpId" text, "erpName" text, field text, problem text, version text)
     ON CONFLICT (erp_id) WHERE resolved_at IS NULL DO UPDATE
       SET seen_at = hub_now(), erp_name = excluded.erp_name, field = excluded.field, problem = excluded.problem, source_version = excluded.source_version`,
    [JSON.stringify(batch.quarantined)],
  )
}

/** Stock goes through the same outbox, coalesced: a newer quantity supersedes one that waits. */
export async function storeStock(
  client: PoolClient,
  { name, ticket, cursor }: Collecting & { cursor: CollectCursor },
  stock: readonly ErpStock[],
  settings: ApplySettings,
): Promise<number> {
  if (!(await holdsCursor(client, name, ticket))) throw new CollectFenced(name)
  const channels = settings.plan.channels.filter((c) => c.enabled && c.capabilities.updateStock)
  const wishes = stock.flatMap(({ sku, quantity }) =>
    channels.map((c) => ({
      channel: c.id,
      orderId: null,
      sku,
      reference: sku,
      desired: { kind: 'stock' as const, sku, quantity },
      externalId: null,
      maxTries: settings.maxTries,
      traceparent: currentTraceparent() ?? null,
    })),
  )
  const planned = await planAll(client, wishes)
  await moveCursor(client, name, cursor)
  await wakeOutbox(client, planned)
  return planned
}

/** Of these, the ids whose newest observation shows another version, or none: what a window of write dates has missed. */
export async function unseenErpVersions(pool: Pool, versions: readonly { erpId: string; version: string }[]): Promise<string[]> {
  const { rows } = await pool.query<{ erp_id: string }>(
    `SELECT v."erpId" AS erp_id FROM jsonb_to_recordset($1::jsonb) AS v("erpId" text, version timestamptz)
     WHERE NOT EXISTS (SELECT FROM observation o WHERE o.channel = 'odoo' AND o.entity = 'order' AND o.external_id = v."erpId" AND o.source_version >= v.version)
       AND NOT EXISTS (SELECT FROM erp_quarantine q WHERE q.erp_id = v."erpId" AND q.resolved_at IS NULL AND q.source_version::timestamptz >= v.version)
       AND NOT EXISTS (SELECT FROM binding b WHERE b.channel = 'odoo' AND b.external_id = v."erpId" AND b.order_id IN (SELECT id FROM silver_order WHERE origin <> 'odoo'))`,
    [JSON.stringify(versions)],
  )
  return rows.map((r) => r.erp_id)
}

export async function erpIdsToReread(pool: Pool, days: number): Promise<string[]> {
  const { rows } = await pool.query<{ erp_id: string }>(
    `SELECT erp_id FROM erp_quarantine WHERE resolved_at IS NULL
     UNION
     SELECT order_key FROM silver_order WHERE origin = 'odoo' AND lifecycle = 'open' AND updated_at > hub_now() - $1 * interval '1 day'`,
    [days],
  )
  return rows.map((r) => r.erp_id)
}

export async function quarantined(pool: Pool, of: QuarantineOf): Promise<InQuarantine[]> {
  const { rows } = await pool.query<InQuarantine>(
    `SELECT erp_id AS "erpId", field, problem FROM erp_quarantine
     WHERE resolved_at IS NULL AND (id = ANY($1::bigint[]) OR erp_id = (SELECT order_key FROM silver_order WHERE id = $2::bigint AND origin = 'odoo'))
     ORDER BY id`,
    'orderId' in of ? [[], of.orderId] : [of.quarantineIds, null],
  )
  return rows
}
