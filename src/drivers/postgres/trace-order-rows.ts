import type { AttemptFact, BindingFact, DeliveryFact, DriftFact, QuarantineFact } from '../../core/order-facts.ts'
import type { Pool } from './pool.ts'
import { prepared } from './prepared.ts'

export async function readBindings(pool: Pool, orderId: string): Promise<BindingFact[]> {
  const rows = await prepared<Omit<BindingFact, 'duplicates'> & { duplicates: unknown }>(
    pool,
    'bindings',
    `SELECT ${BINDING} FROM binding WHERE order_id = $1 AND kind = 'order' ORDER BY id`,
    [orderId],
  )
  return rows.map((r) => ({ ...r, duplicates: textsOf(r.duplicates) }))
}

const BINDING = `id, channel, reference, generation, external_id AS "externalId", observed ->> 'lifecycle' AS "observedLifecycle",
  observed ->> 'fulfilment' AS "observedFulfilment", observed_at AS "observedAt", missing_since AS "missingSince", duplicates`

/** Newest 50 of an order, and always the one that was asked for. */
export async function readDeliveries(pool: Pool, orderId: string, focusId: string | null): Promise<DeliveryFact[]> {
  const rows = await prepared<DeliveryFact>(
    pool,
    'deliveries',
    `SELECT ${DELIVERY}
     FROM (
       (SELECT * FROM delivery WHERE order_id = $1 ORDER BY id DESC LIMIT 50)
       UNION (SELECT * FROM delivery WHERE id = $2::bigint AND order_id = $1)
     ) d JOIN desired w ON w.id = d.desired_id ORDER BY d.id DESC`,
    [orderId, focusId],
  )
  return rows
}

const DELIVERY = `d.id, d.binding_id AS "bindingId", d.channel, d.version::int, d.generation, d.state, d.cause, d.summary, d.reason, d.tries, d.max_tries AS "maxTries",
            d.due_at AS "dueAt", d.lease_until AS "leaseUntil", d.created_at AS "createdAt", d.ended_at AS "endedAt", d.resolved_by AS "resolvedBy",
            d.archived_at AS "archivedAt", d.replays, d.state_version::int AS "stateVersion",
            w.content ->> 'lifecycle' AS lifecycle, coalesce((w.content ->> 'confirm')::boolean, true) AS confirm,
            CASE WHEN d.state = 'pending' THEN (SELECT count(*)::int FROM (
              SELECT FROM delivery a WHERE a.channel = d.channel AND a.state IN ('pending', 'ambiguous') AND (a.due_at, a.id) < (d.due_at, d.id) LIMIT 1000) t) END AS ahead,
            (SELECT count(*)::int FROM (SELECT FROM attempt t WHERE t.delivery_id = d.id LIMIT 1000) t) AS "attemptsTotal"`

/** A delivery of stock, which no order bears: its binding, newest 50 versions of it and always this one, newest 50 attempts of each. */
export async function stockRows(
  pool: Pool,
  deliveryId: string,
): Promise<{ bindings: BindingFact[]; deliveries: DeliveryFact[]; attempts: AttemptFact[] }> {
  const [bindings, deliveries, attempts] = await Promise.all([
    prepared<Omit<BindingFact, 'duplicates'>>(
      pool,
      'stock-binding',
      `SELECT ${BINDING} FROM binding WHERE kind = 'stock' AND id = (SELECT binding_id FROM delivery WHERE id = $1)`,
      [deliveryId],
    ),
    prepared<DeliveryFact>(
      pool,
      'stock-deliveries',
      `SELECT ${DELIVERY} FROM (${VERSIONS}) d JOIN desired w ON w.id = d.desired_id ORDER BY d.id DESC`,
      [deliveryId],
    ),
    prepared<AttemptFact>(
      pool,
      'stock-attempts',
      `SELECT a.* FROM (${VERSIONS}) d
       CROSS JOIN LATERAL (SELECT ${ATTEMPT} FROM attempt a WHERE a.delivery_id = d.id ORDER BY a.id DESC LIMIT 50) a ORDER BY a.id DESC`,
      [deliveryId],
    ),
  ])
  return { bindings: bindings.map((row) => ({ ...row, duplicates: [] })), deliveries, attempts }
}

const VERSIONS = `(SELECT * FROM delivery WHERE binding_id = (SELECT binding_id FROM delivery WHERE id = $1) ORDER BY version DESC LIMIT 50)
  UNION (SELECT * FROM delivery WHERE id = $1)`

const ATTEMPT = `a.id, a.delivery_id AS "deliveryId", a.inbound_event_id AS "inboundId", a.channel, a.purpose, a.operation, a.started_at AS "startedAt",
  a.ended_at AS "endedAt", a.outcome, a.error_code AS "errorCode", a.http_status AS "httpStatus", a.summary, a.their_text AS "theirText"`

/** Newest 50 of each of the order's newest 50 deliveries and events. */
export async function attemptsOfOrder(pool: Pool, orderId: string): Promise<AttemptFact[]> {
  return prepared<AttemptFact>(
    pool,
    'attempts-of-order',
    `SELECT a.* FROM (SELECT id FROM delivery WHERE order_id = $1 ORDER BY id DESC LIMIT 50) d
     CROSS JOIN LATERAL (SELECT ${ATTEMPT} FROM attempt a WHERE a.delivery_id = d.id ORDER BY a.id DESC LIMIT 50) a
     UNION ALL
     SELECT a.* FROM (SELECT id FROM inbound_event WHERE order_id = $1 ORDER BY id DESC LIMIT 50) e
     CROSS JOIN LATERAL (SELECT ${ATTEMPT} FROM attempt a WHERE a.inbound_event_id = e.id ORDER BY a.id DESC LIMIT 50) a`,
    [orderId],
  )
}

/** Newest 50 of each event. */
export async function attemptsOfEvents(pool: Pool, inboundIds: readonly string[]): Promise<AttemptFact[]> {
  const rows = await prepared<AttemptFact>(
    pool,
    'attempts-of-events',
    `SELECT a.* FROM unnest($1::bigint[]) AS e(id)
     CROSS JOIN LATERAL (SELECT ${ATTEMPT} FROM attempt a WHERE a.inbound_event_id = e.id ORDER BY a.id DESC LIMIT 50) a
     ORDER BY a.id DESC`,
    [inboundIds],
  )
  return rows
}

export async function quarantineById(pool: Pool, ids: readonly string[]): Promise<QuarantineFact[]> {
  return prepared<QuarantineFact>(
    pool,
    'quarantine',
    `SELECT id, erp_id AS "erpId", erp_name AS "erpName", field, problem, found_at AS "foundAt", resolved_at AS "resolvedAt"
     FROM erp_quarantine WHERE id = ANY($1::bigint[]) ORDER BY id DESC`,
    [ids],
  )
}

interface TroubleRow {
  table: 'drift' | 'erp_quarantine'
  id: string
  channel: string
  kind: string
  cause: string
  fields: unknown
  erpId: string
  erpName: string
  field: string
  problem: string
  foundAt: string
  resolvedAt: string | null
}

/** Drifts of the order, and the open quarantine of the ERP order that it is. */
export async function readTrouble(pool: Pool, orderId: string): Promise<{ drifts: DriftFact[]; quarantine: QuarantineFact[] }> {
  const rows = await prepared<TroubleRow>(
    pool,
    'trouble',
    `(SELECT 'drift' AS "table", id, channel, kind, cause, fields, NULL AS "erpId", NULL AS "erpName", NULL AS field, NULL AS problem, found_at AS "foundAt",
             resolved_at AS "resolvedAt"
      FROM drift WHERE order_id = $1 ORDER BY id DESC LIMIT 20)
     UNION ALL
     (SELECT 'erp_quarantine', id, NULL, NULL, NULL, NULL, erp_id, erp_name, field, problem, found_at, resolved_at
      FROM erp_quarantine WHERE resolved_at IS NULL AND erp_id = (SELECT order_key FROM silver_order WHERE id = $1 AND origin = 'odoo') LIMIT 10)`,
    [orderId],
  )
  return {
    drifts: rows.flatMap(({ table, id, channel, kind, cause, fields, foundAt, resolvedAt }) =>
      table === 'drift' ? [{ id, channel, kind, cause, fields: textsOf(fields), foundAt, resolvedAt }] : [],
    ),
    quarantine: rows.flatMap(({ table, id, erpId, erpName, field, problem, foundAt, resolvedAt }) =>
      table === 'drift' ? [] : [{ id, erpId, erpName, field, problem, foundAt, resolvedAt }],
    ),
  }
}

function textsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.map((v) => (typeof v === 'string' ? v : nameOf(v)))
  return value !== null && typeof value === 'object' ? Object.keys(value) : []
}

function nameOf(value: unknown): string {
  if (value === null || typeof value !== 'object') return String(value)
  const named = value as { field?: unknown; there?: unknown; externalId?: unknown; id?: unknown }
  // Ids of ours and of the target, no text of anybody: which orders stand there is what a person must know.
  if (named.field === 'orders' && typeof named.there === 'string') return `orders ${named.there}`
  const name = named.field ?? named.externalId ?? named.id
  return typeof name === 'string' ? name : JSON.stringify(value).slice(0, 80)
}
