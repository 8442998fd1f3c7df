import type { Pool } from '../src/drivers/postgres/pool.ts'

export interface Size {
  /** Silver orders; 400,000 give 1 million deliveries and 3 million attempts. */
  orders: number
}

// Of every order one binding at mercadolibre, of every second one at paris too; one or two versions each; one to five attempts a version, and
// sixty for one in ten thousand. Most is delivered, some waits, some is dead.
const STEPS: [string, string][] = [
  [
    'channels',
    `INSERT INTO channel (id, marketplace, account_id) VALUES ('odoo', 'odoo', 'main'), ('mercadolibre:1001', 'mercadolibre', '1001'), ('paris:main', 'paris', 'main')`,
  ],
  [
    'orders',
    `INSERT INTO silver_order (origin, order_key, payment, fulfilment, lifecycle, display_status, currency, total_minor, confirmed, canonical, route, created_at, updated_at)
     SELECT 'odoo', n::text, 'paid', 'none', 'open', 'CONFIRMED', 'CLP', 10000 + n % 90000, true,
            jsonb_build_object('lines', jsonb_build_array(jsonb_build_object('sku', 'SKU-' || n % 5000, 'quantity', '2')), 'rawStatus', 'sale', 'tracking', NULL),
            jsonb_build_object('rule', 'default', 'channels', CASE WHEN n % 2 = 0 THEN '["mercadolibre:1001", "paris:main"]'::jsonb ELSE '["mercadolibre:1001"]' END, 'skipped', '[]'::jsonb), now() - n * interval '1 minute', now() - n * interval '1 minute'
     FROM generate_series(1, $1::bigint) n`,
  ],
  [
    'identifiers',
    `INSERT INTO identifier (value, kind, order_id, channel)
     SELECT v.value, v.kind, s.id, 'odoo' FROM silver_order s
     CROSS JOIN LATERAL (VALUES ('ML-' || (2000000000000 + s.id), 'client-order-ref'), (s.order_key, 'erp-id'), ('S' || lpad(s.order_key, greatest(5, length(s.order_key)), '0'), 'erp-name'), ('ODOO-' || s.order_key, 'reference')) v(value, kind)`,
  ],
  [
    'bindings',
    `INSERT INTO binding (channel, kind, order_id, reference, external_id, observed, observed_at, next_version)
     SELECT c.id, 'order', s.id, 'odoo-' || s.order_key, CASE WHEN s.id % 50 > 0 THEN (7000000000000 + s.id)::text END, '{"lifecycle": "open", "fulfilment": "none"}', now(), 3
     FROM silver_order s JOIN channel c ON c.id = 'mercadolibre:1001' OR (c.id = 'paris:main' AND s.id % 2 = 0)`,
  ],
  [
    'marketplace ids',
    `INSERT INTO identifier (value, kind, order_id, channel) SELECT external_id, 'marketplace-order', order_id, channel FROM binding WHERE external_id IS NOT NULL ON CONFLICT DO NOTHING`,
  ],
  [
    'desired content',
    `INSERT INTO desired (content, content_hash) SELECT '{"kind": "order", "lifecycle": "open", "confirm": true, "lines": []}', sha256(n::text::bytea) FROM generate_series(1, $1::bigint * 5 / 2) n`,
  ],
  [
    'deliveries',
    `INSERT INTO delivery (binding_id, channel, kind, order_id, version, generation, desired_id, state, cause, reason, tries, max_tries, due_at, created_at, ended_at)
     SELECT b.id, b.channel, 'order', b.order_id, v.version, 1, row_number() OVER (),
            st.state, CASE st.state WHEN 'dead' THEN 'sku-unknown' WHEN 'pending' THEN 'queued' WHEN 'superseded' THEN 'superseded' END, CASE WHEN st.state = 'delivered' THEN 'sent' END,
            1, 12, now() - (b.order_id % 600) * interval '1 s', now() - b.order_id * interval '1 minute',
            CASE WHEN st.state <> 'pending' THEN now() - b.order_id * interval '1 minute' + interval '4 s' END
     FROM binding b CROSS JOIN LATERAL generate_series(1, 1 + (b.id % 3 < 2)::int) v(version)
     CROSS JOIN LATERAL (SELECT CASE WHEN v.version = 1 AND b.id % 3 < 2 THEN 'superseded' WHEN b.order_id % 200 = 0 THEN 'dead' WHEN b.order_id % 50 = 0 THEN 'pending' ELSE 'delivered' END AS state) st`,
  ],
  [
    'attempts',
    `INSERT INTO attempt (delivery_id, channel, purpose, operation, lease, started_at, ended_at, outcome, error_code, http_status, summary, their_text)
     SELECT d.id, d.channel, CASE WHEN a.n % 2 = 1 THEN 'send' ELSE 'look-up' END, 'create', a.n, d.created_at + a.n * interval '1 s', d.created_at + a.n * interval '1 s' + interval '200 ms',
            CASE WHEN d.state = 'dead' THEN 'rejected' ELSE 'ok' END, CASE WHEN d.state = 'dead' THEN 'rejected' END, 200, NULL, CASE WHEN d.state = 'dead' THEN repeat('unknown product ', 10) END
     FROM delivery d CROSS JOIN LATERAL generate_series(1, CASE WHEN d.id % 10000 = 0 THEN 60 ELSE 1 + (d.id % 5)::int END) a(n)`,
  ],
  [
    'observations',
    `INSERT INTO observation (order_id, channel, entity, external_id, source_version, fetch_no, content_hash, body, observed_at)
     SELECT s.id, 'odoo', 'order', s.order_key, s.created_at, s.id, sha256(s.order_key::bytea), '{"rawStatus": "sale"}', s.created_at FROM silver_order s`,
  ],
  [
    'order events',
    `INSERT INTO order_event (event_id, event_type, aggregate_type, aggregate_id, aggregate_version, occurred_at, payload)
     SELECT gen_random_uuid(), 'order.changed', 'order', s.id, 2, s.created_at, '{"display_status": "CONFIRMED"}' FROM silver_order s`,
  ],
  [
    'requests',
    `INSERT INTO inbound_request (received_at, channel, path, verdict, headers, body, body_sha256, body_bytes)
     SELECT now() - n * interval '1 minute', 'mercadolibre:1001', 'mercadolibre/***', CASE WHEN n % 100 = 0 THEN 'bad-signature' ELSE 'accepted' END, '{}', ('{"resource": "/orders/' || 7000000000000 + n || '"}')::bytea, sha256('x'), 60
     FROM generate_series(1, $1::bigint) n`,
  ],
  [
    'events',
    `INSERT INTO inbound_event (event_id, request_id, channel, topic, resource, dedupe_key, comparable, order_key, order_id, state, max_tries, received_at, ended_at)
     SELECT gen_random_uuid(), n, 'mercadolibre:1001', 'orders_v2', '/orders/' || 7000000000000 + n, sha256(n::text::bytea), sha256('x'), (7000000000000 + n)::text, n, 'applied', 12, now() - n * interval '1 minute', now()
     FROM generate_series(1, $1::bigint) n`,
  ],
  [
    'quarantine, drifts and operator actions',
    `WITH q AS (
       INSERT INTO erp_quarantine (erp_id, erp_name, field, problem, source_version) SELECT 'q' || n, 'SQ' || n, 'order_line', 'a line has no SKU', '' FROM generate_series(1, 5000) n
     ), d AS (
       INSERT INTO drift (order_id, channel, kind, cause, fields) SELECT n * 20, 'paris:main', 'content', 'drift', '[]' FROM generate_series(1, 5000) n WHERE n * 20 <= $1::bigint
     )
     INSERT INTO audit (actor, body)
     SELECT 'p-1', jsonb_build_object('phase', 'single', 'operation_id', 'op-' || n, 'tool', 'replay_dlq_message', 'result', 'ok', 'target', jsonb_build_object('kind', 'delivery', 'id', (n * 40)::text))::text
     FROM generate_series(1, 5000) n`,
  ],
]

// They cost minutes while millions of rows go in, and no read uses them.
const FOREIGN_KEYS = `
  SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS ddl FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace`

/** Fills a migrated, empty database and analyses it. Needs the owner's connection. */
export async function fill(owner: Pool, { orders }: Size, log: (text: string) => void): Promise<void> {
  await owner.query(`SET statement_timeout = 0`)
  const { rows: keys } = await owner.query<{ ddl: string }>(FOREIGN_KEYS)
  for (const { ddl } of keys) await owner.query(ddl)
  for (const [name, sql] of STEPS) {
    const began = performance.now()
    const { rowCount } = await owner.query(sql, sql.includes('$1') ? [orders] : [])
    log(`${name}: ${rowCount ?? 0} rows in ${((performance.now() - began) / 1000).toFixed(1)} s`)
  }
  await owner.query(`INSERT INTO worker_heartbeat (id, app) VALUES ('worker@bench', 'worker'), ('subscriber@bench', 'subscriber')`)
  await owner.query(`INSERT INTO cursor (name, position, moved_at) VALUES ('erp-orders', '{"watermark": "2026-11-23T12:00:00Z"}', now())`)
  await owner.query(`VACUUM (ANALYZE)`)
}
