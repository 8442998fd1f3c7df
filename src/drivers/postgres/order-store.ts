import type { CanonicalOrder } from '../../core/order.ts'
import type { ClaimedEvent } from '../../ports/inbox.ts'
import type { Fetched } from '../../ports/marketplace.ts'
import type { Applied, FetchTicket, OrderStore, StoredOrder } from '../../ports/order-store.ts'
import { currentTraceparent } from '../../telemetry.ts'
import { beginCollect, endCollect, openErpOrderIds, storeCollected, storeStock, unseenErpVersions } from './collect-store.ts'
import { applyGate } from './gate.ts'
import { type ApplySettings, applyArrivals, type ArrivalOutcome } from './order-apply.ts'
import type { Arrival } from './order-rows.ts'
import { wakeOutbox } from './plan.ts'
import { replan } from './replan.ts'
import { type Pool, type PoolClient, transaction } from './pool.ts'

export function postgresOrderStore(pool: Pool, settings: ApplySettings): OrderStore {
  return {
    drawFetch: (channel, resource, leaseMs) => drawFetch(pool, channel, resource, leaseMs),
    releaseFetch: (ticket) => releaseFetch(pool, ticket),
    applyEvent: (claim, ticket, fetched) => transaction(pool, (client) => applyEvent(client, claim, { ticket, fetched }, settings)),
    applyFetched: (ticket, fetched) => transaction(pool, (client) => applyFetched(client, ticket, fetched, settings)),
    beginCollect: (name, leaseMs) => beginCollect(pool, name, leaseMs),
    storeCollected: (name, ticket, batch, cursor) =>
      transaction(pool, (client) => storeCollected(client, { name, ticket, cursor }, batch, settings)),
    storeStock: (name, ticket, stock, cursor) =>
      transaction(pool, (client) => storeStock(client, { name, ticket, cursor }, stock, settings)),
    endCollect: (name, ticket, failure) => endCollect(pool, name, ticket, failure),
    unseenErpVersions: (versions) => unseenErpVersions(pool, versions),
    openErpOrderIds: (days) => openErpOrderIds(pool, days),
    replan: (orderId) => replan(pool, orderId, settings),
    read: (orderId) => readOrder(pool, orderId, settings),
  }
}

async function drawFetch(pool: Pool, channel: string, resource: string, leaseMs: number): Promise<FetchTicket | null> {
  const { rows } = await pool.query<{ fetch_no: string }>(
    `INSERT INTO resource AS r (channel, resource, fetch_no, lease_until, fetched_at)
     VALUES ($1, $2, nextval('fetch_number'), hub_now() + $3 * interval '1 ms', '-infinity')
     ON CONFLICT (channel, resource) DO UPDATE SET fetch_no = nextval('fetch_number'), lease_until = excluded.lease_until
       WHERE r.lease_until IS NULL OR r.lease_until <= hub_now()
     RETURNING fetch_no`,
    [channel, resource, leaseMs],
  )
  return rows[0] ? { channel, resource, fetchNo: Number(rows[0].fetch_no) } : null
}

async function releaseFetch(pool: Pool, ticket: FetchTicket): Promise<void> {
  await pool.query(`UPDATE resource SET lease_until = NULL WHERE channel = $1 AND resource = $2 AND fetch_no = $3`, [
    ticket.channel,
    ticket.resource,
    ticket.fetchNo,
  ])
}

// Only what was taken in counts as fetched: a sweep looks again for what it drew and did not get.
async function takeTicket(client: PoolClient, ticket: FetchTicket): Promise<boolean> {
  const { rowCount } = await client.query(
    `UPDATE resource SET lease_until = NULL, fetched_at = hub_now() WHERE channel = $1 AND resource = $2 AND fetch_no = $3`,
    [ticket.channel, ticket.resource, ticket.fetchNo],
  )
  return rowCount === 1
}

async function applyEvent(
  client: PoolClient,
  claim: ClaimedEvent,
  { ticket, fetched }: { ticket: FetchTicket; fetched: Fetched },
  settings: ApplySettings,
): Promise<Applied> {
  const { rowCount } = await client.query(`SELECT FROM inbound_event WHERE id = $1 AND lease = $2 AND state = 'pending' FOR UPDATE`, [
    claim.id,
    claim.lease,
  ])
  if (rowCount !== 1) return { kind: 'fenced' }
  if (!(await takeTicket(client, ticket))) return { kind: 'refetch' }
  const { outcome, planned } = await applyOne(client, arrivalOf(ticket, fetched, claim.id), settings, claim.traceparent)
  const kind = outcome.kind === 'changed' ? 'applied' : outcome.kind
  await closeEvent(client, claim, outcome)
  await applyGate(client, claim.channel, { kind: 'healthy' })
  await wakeOutbox(client, planned)
  return kind === 'applied' ? { kind, orderId: outcome.orderId, planned } : { kind, orderId: outcome.orderId }
}

async function applyFetched(client: PoolClient, ticket: FetchTicket, fetched: Fetched, settings: ApplySettings): Promise<Applied> {
  if (!(await takeTicket(client, ticket))) return { kind: 'refetch' }
  const { outcome, planned } = await applyOne(client, arrivalOf(ticket, fetched, null), settings, currentTraceparent() ?? null)
  await wakeOutbox(client, planned)
  return outcome.kind === 'changed'
    ? { kind: 'applied', orderId: outcome.orderId, planned }
    : { kind: outcome.kind, orderId: outcome.orderId }
}

function arrivalOf(ticket: FetchTicket, fetched: Fetched, inboundEventId: string | null): Arrival {
  return { channel: ticket.channel, fetchNo: ticket.fetchNo, inboundEventId, ...fetched }
}

async function applyOne(
  client: PoolClient,
  arrival: Arrival,
  settings: ApplySettings,
  traceparent: string | null,
): Promise<{ outcome: ArrivalOutcome; planned: number }> {
  const { outcomes, planned } = await applyArrivals(client, [arrival], settings, traceparent)
  const outcome = outcomes[0]
  if (!outcome) throw new Error('an arrival without an outcome')
  return { outcome, planned }
}

async function closeEvent(client: PoolClient, claim: ClaimedEvent, outcome: ArrivalOutcome): Promise<void> {
  const state = outcome.kind === 'changed' ? 'applied' : 'ignored'
  const reason = outcome.kind === 'stale' ? 'stale-event' : outcome.kind === 'unchanged' ? 'unchanged' : null
  await client.query(
    `UPDATE inbound_event SET state = $2, reason = $3, cause = NULL, order_id = $4, ended_at = hub_now(), lease = NULL, lease_until = NULL,
       unfinished = 0, unfinished_alone = 0, state_version = state_version + 1
     WHERE id = $1`,
    [claim.id, state, reason, outcome.orderId],
  )
  // What was fetched now answers every dead event of the same resource.
  await client.query(
    `UPDATE inbound_event SET resolved_by = $1, order_id = coalesce(order_id, $4), state_version = state_version + 1
     WHERE channel = $2 AND resource = $3 AND state = 'dead' AND resolved_by IS NULL AND id <> $1`,
    [claim.id, claim.channel, claim.resource, outcome.orderId],
  )
}

async function readOrder(pool: Pool, orderId: string, settings: ApplySettings): Promise<StoredOrder | null> {
  const { rows } = await pool.query<{ canonical: CanonicalOrder; personal: Buffer | null; key_id: string | null }>(
    `SELECT canonical, personal, key_id FROM silver_order WHERE id = $1`,
    [orderId],
  )
  const row = rows[0]
  if (!row) return null
  const { rows: observed } = await pool.query<{ body: StoredOrder['fragments'][number] }>(
    `SELECT body FROM observation WHERE order_id = $1 ORDER BY id`,
    [orderId],
  )
  const personal = row.personal && row.key_id ? await settings.vault.open(row.key_id, orderId, row.personal) : null
  return { orderId, order: row.canonical, personal, fragments: observed.map((o) => o.body) }
}
