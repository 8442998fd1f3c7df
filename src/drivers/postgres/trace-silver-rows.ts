import { orderPointer } from '../../core/inbound-event.ts'
import type { InboundFact, ObservationFact, RefusalFact, SilverChange, SilverFact } from '../../core/order-facts.ts'
import type { Pool } from './pool.ts'
import { prepared } from './prepared.ts'

interface SilverRow extends Omit<SilverFact, 'illegal' | 'lines' | 'totalMinor' | 'identifiers'> {
  illegal: SilverFact['illegal'] | null
  lines: { sku: string; quantity: string }[] | null
  totalMinor: string | null
  identifiers: SilverFact['identifiers'] | null
}

export async function readSilver(pool: Pool, orderId: string): Promise<SilverFact | null> {
  const rows = await prepared<SilverRow>(
    pool,
    'silver',
    `SELECT s.id, s.origin, s.order_key AS "orderKey", s.display_status AS "displayStatus", s.payment, s.fulfilment, s.lifecycle, s.flags, s.currency,
            s.total_minor AS "totalMinor", s.confirmed, s.route, s.illegal, s.canonical ->> 'rawStatus' AS "rawStatus", s.canonical ->> 'tracking' AS tracking,
            s.canonical -> 'lines' AS lines, s.version::int, s.created_at AS "createdAt", s.updated_at AS "updatedAt",
            (SELECT jsonb_agg(jsonb_build_object('kind', i.kind, 'value', i.value, 'channel', i.channel) ORDER BY i.kind, i.value)
             FROM (SELECT * FROM identifier WHERE order_id = s.id LIMIT 50) i) AS identifiers
     FROM silver_order s WHERE s.id = $1`,
    [orderId],
  )
  const row = rows[0]
  if (!row) return null
  return {
    ...row,
    illegal: row.illegal ?? [],
    lines: (row.lines ?? []).slice(0, 50).map(({ sku, quantity }) => ({ sku, quantity })),
    totalMinor: row.totalMinor === null ? null : Number(row.totalMinor),
    identifiers: row.identifiers ?? [],
  }
}

const EVENT = `e.id, e.event_id AS "eventId", e.channel, e.topic, e.resource, e.state, e.reason, e.cause, e.summary, e.conflict, e.tries, e.max_tries AS "maxTries",
  e.due_at AS "dueAt", e.received_at AS "receivedAt", e.ended_at AS "endedAt", e.resolved_by AS "resolvedBy", e.archived_at AS "archivedAt", e.request_id AS "requestId",
  e.state_version::int AS "stateVersion", (SELECT count(*)::int FROM (SELECT FROM attempt t WHERE t.inbound_event_id = e.id LIMIT 1000) t) AS "attemptsTotal"`

// Looked at again by the hub itself, and found as it was: an open order has one an hour, which would push out what does tell something.
const TELLS = `NOT (topic = 'sweep' AND state = 'ignored')`

/** Newest 50: those tied to the order, and those that name one of its keys at the key's own channel. */
export async function eventsOfOrder(pool: Pool, orderId: string, focusId: string | null): Promise<InboundFact[]> {
  const rows = await prepared<InboundFact>(
    pool,
    'events-of-order',
    `SELECT ${EVENT} FROM (
       (SELECT * FROM inbound_event WHERE order_id = $1 AND ${TELLS} ORDER BY id DESC LIMIT 50)
       UNION
       SELECT e.* FROM (SELECT * FROM event_keys_of_order($1) LIMIT 40) k
       CROSS JOIN LATERAL (SELECT * FROM inbound_event WHERE order_key = k.order_key AND channel = k.channel AND order_id IS NULL ORDER BY id DESC LIMIT 20) e
       UNION
       (SELECT * FROM inbound_event WHERE id = $2::bigint)
     ) e ORDER BY e.id DESC LIMIT 60`,
    [orderId, focusId],
  )
  return rows
}

export async function eventsById(pool: Pool, ids: readonly string[]): Promise<InboundFact[]> {
  const rows = await prepared<InboundFact>(
    pool,
    'events-by-id',
    `SELECT ${EVENT} FROM inbound_event e WHERE e.id = ANY($1::bigint[]) ORDER BY e.id DESC`,
    [ids],
  )
  return rows
}

// The newest word of an entity in the order of the fold; one that said nothing of flags leaves them as they were. Where a part alone (a shipment,
// a pack) is not understood, any order of the sale leads to it.
export async function unmappedOf(pool: Pool, orderId: string): Promise<{ channel: string; resource: string; orderKey: string }[]> {
  return prepared(
    pool,
    'unmapped',
    `WITH said AS (
       SELECT DISTINCT ON (channel, entity, external_id) channel, entity, external_id, fetch_no, body -> 'flags' ? 'unknown_status' AS unknown, body ->> 'orderKey' AS order_key
       FROM observation WHERE order_id = $1 AND channel <> 'odoo' AND body ? 'flags'
       ORDER BY channel, entity, external_id, source_version DESC NULLS LAST, fetch_no DESC
     ), ranked AS (
       SELECT *, bool_or(unknown) OVER (PARTITION BY channel) AS any_unknown,
              row_number() OVER (PARTITION BY channel, entity ORDER BY unknown DESC, fetch_no DESC) AS place
       FROM said
     )
     SELECT r.channel, $2 || r.external_id AS resource, r.order_key AS "orderKey" FROM ranked r
     WHERE r.entity = 'order' AND r.any_unknown AND (r.unknown OR r.place = 1)
       AND NOT EXISTS (SELECT FROM inbound_event e WHERE e.channel = r.channel AND e.resource = $2 || r.external_id AND e.state = 'pending')
     ORDER BY r.channel, r.external_id LIMIT 20`,
    [orderId, orderPointer('')],
  )
}

type HistoryRow = ObservationFact & { isChange: boolean }

/** Newest 50 observations, and newest 50 changes of the silver order. */
export async function readHistory(pool: Pool, orderId: string): Promise<{ observations: ObservationFact[]; changes: SilverChange[] }> {
  const rows = await prepared<HistoryRow>(
    pool,
    'history',
    `(SELECT false AS "isChange", id, channel, entity, external_id AS "externalId", source_version AS "sourceVersion", observed_at AS "observedAt",
             inbound_event_id AS "inboundId", body ->> 'rawStatus' AS "rawStatus"
      FROM observation WHERE order_id = $1 ORDER BY id DESC LIMIT 50)
     UNION ALL
     (SELECT true, id, NULL, event_type, NULL, NULL, committed_at, NULL, payload ->> 'display_status'
      FROM order_event WHERE aggregate_type = 'order' AND aggregate_id = $1 ORDER BY id DESC LIMIT 50)`,
    [orderId],
  )
  return {
    observations: rows.flatMap(({ isChange, ...o }) => (isChange ? [] : [o])),
    changes: rows.flatMap((r) => (r.isChange ? [{ id: r.id, type: r.entity, at: r.observedAt, displayStatus: r.rawStatus }] : [])),
  }
}

/** Refused webhooks of the last days whose body names one of the order's marketplace ids. */
export async function readRefusals(pool: Pool, orderId: string): Promise<RefusalFact[]> {
  const rows = await prepared<RefusalFact>(
    pool,
    'refusals',
    `SELECT r.id, r.received_at AS "receivedAt", r.channel, r.verdict
     FROM refusals_naming(ARRAY(SELECT value FROM identifier WHERE order_id = $1 AND kind IN ('marketplace-order', 'pack', 'reference') LIMIT 8)) r`,
    [orderId],
  )
  return rows
}
