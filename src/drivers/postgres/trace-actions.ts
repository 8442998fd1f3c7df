import type { ActionFact } from '../../core/order-facts.ts'
import type { Pool } from './pool.ts'
import { prepared } from './prepared.ts'

/** What people and agents did to an order, its deliveries, its events and its quarantine; a drain did it to many rows at once. */
export function readActions(pool: Pool, orderId: string): Promise<ActionFact[]> {
  return prepared<ActionFact>(
    pool,
    'actions',
    `WITH target AS MATERIALIZED (
       SELECT 'order' AS kind, $1::text AS id
       UNION ALL SELECT 'delivery', id::text FROM (SELECT id FROM delivery WHERE order_id = $1::bigint ORDER BY id DESC LIMIT 50) d
       UNION ALL SELECT 'inbound_event', id::text FROM (SELECT id FROM inbound_event WHERE order_id = $1::bigint ORDER BY id DESC LIMIT 50) e
       UNION ALL SELECT 'erp_quarantine', id::text FROM (
         SELECT id FROM erp_quarantine WHERE erp_id = (SELECT order_key FROM silver_order WHERE id = $1::bigint AND origin = 'odoo') ORDER BY id DESC LIMIT 10) q
     ), ${ACTS}`,
    [orderId],
  )
}

/** The same for rows that no order bears. */
export function actionsOn(
  pool: Pool,
  targets: readonly { kind: 'delivery' | 'inbound_event' | 'erp_quarantine'; id: string }[],
): Promise<ActionFact[]> {
  return prepared<ActionFact>(
    pool,
    'actions-on',
    `WITH target AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::text[]) AS t(kind, id)), ${ACTS}`,
    [targets.map(({ kind }) => kind), targets.map(({ id }) => id)],
  )
}

// A drain names the rows that it changed in its outcome, as people call them; an index of those names alone leads from a row to it.
const ACTS = `
  named AS MATERIALIZED (
    SELECT kind || '-' || id AS target, kind, id, CASE kind WHEN 'delivery' THEN 'outbox-' || id WHEN 'inbound_event' THEN 'inbound-' || id END AS letter FROM target
  ), drain AS MATERIALIZED (
    SELECT operation_id, (body::jsonb) #> '{effect,changed}' AS changed FROM audit
    WHERE phase = 'outcome' AND ((body::jsonb) #> '{effect,changed}') IS NOT NULL
      AND ((body::jsonb) #> '{effect,changed}') ?| ARRAY(SELECT letter FROM named WHERE letter IS NOT NULL)
  ), act AS (
    SELECT i.seq, n.target FROM named n
    CROSS JOIN LATERAL (
      SELECT a.seq FROM audit a WHERE a.phase <> 'outcome' AND ((a.body::jsonb) -> 'target' ->> 'kind') = n.kind AND ((a.body::jsonb) -> 'target' ->> 'id') = n.id
      ORDER BY a.seq DESC LIMIT 20
    ) i
    UNION ALL
    SELECT i.seq, (SELECT n.target FROM named n WHERE d.changed ? n.letter LIMIT 1)
    FROM drain d JOIN audit i ON i.operation_id = d.operation_id AND i.phase = 'intent'
  )
  SELECT i.operation_id AS "operationId", i.at, i.actor, coalesce((i.body::jsonb) ->> 'tool', '') AS tool,
         coalesce((o.body::jsonb) ->> 'result', (i.body::jsonb) ->> 'result', 'unknown') AS result, (i.body::jsonb) ->> 'reason' AS reason, act.target
  FROM act JOIN audit i ON i.seq = act.seq LEFT JOIN audit o ON o.operation_id = i.operation_id AND o.phase = 'outcome'
  ORDER BY i.seq DESC LIMIT 50`
