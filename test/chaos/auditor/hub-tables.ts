import pg from 'pg'
import { z } from 'zod'
import { Said } from './refold.ts'

const Id = z.string()
/** Milliseconds since the epoch by the hub's clock. */
const Ms = z.number()
const OrNull = <T extends z.ZodType>(type: T) => type.nullable()
const Text = z.string()
const Axes = z.object({
  payment: Text,
  fulfilment: Text,
  lifecycle: Text,
  currency: OrNull(Text),
  totalMinor: OrNull(z.number()),
  confirmed: z.boolean(),
})
const Canonical = Axes.extend({
  flags: z.array(Text),
  lines: z.array(z.object({ lineId: Text, sku: Text, quantity: Text, unitPriceMinor: OrNull(z.number()) })),
})

const Tables = {
  silver: z.object({
    id: Id,
    origin: Text,
    order_key: Text,
    canonical: Canonical,
    /** What the projection repeats in columns of its own. */
    columns: Axes,
    flags: z.array(Text),
    illegal: z.boolean(),
    /** Where its route sends it; null: nobody decided. */
    route_channels: OrNull(z.array(Text)),
    observations: z.number(),
  }),
  observation: z.object({
    id: Id,
    order_id: Id,
    channel: Text,
    external_id: Text,
    version_ms: OrNull(Ms),
    fetch_no: z.number(),
    body: Said,
  }),
  binding: z.object({
    id: Id,
    channel: Text,
    kind: Text,
    order_id: OrNull(Id),
    reference: Text,
    generation: z.number(),
    external_id: OrNull(Text),
    planned: z.number(),
    deliveries: z.number(),
  }),
  delivery: z.object({
    id: Id,
    binding_id: Id,
    channel: Text,
    kind: Text,
    order_id: OrNull(Id),
    generation: z.number(),
    version: z.number(),
    state: Text,
    cause: OrNull(Text),
    reason: OrNull(Text),
    tries: z.number(),
    max_tries: z.number(),
    created_ms: Ms,
    ended_ms: OrNull(Ms),
    resolved: z.boolean(),
    archived: z.boolean(),
    overdue: z.boolean(),
    leased: z.boolean(),
    replays: z.number(),
  }),
  attempt: z.object({
    id: Id,
    delivery_id: OrNull(Id),
    inbound_event_id: OrNull(Id),
    channel: Text,
    purpose: Text,
    operation: Text,
    outcome: OrNull(Text),
    error_code: OrNull(Text),
    http_status: OrNull(z.number()),
    lease: Text,
    started_ms: Ms,
    ended_ms: OrNull(Ms),
    summary: OrNull(Text),
  }),
  request: z.object({
    id: Id,
    channel: OrNull(Text),
    verdict: Text,
    digest: Text,
    received_ms: Ms,
    events: z.number(),
    refused_body: OrNull(Text),
  }),
  event: z.object({
    id: Id,
    channel: Text,
    topic: Text,
    resource: Text,
    order_key: OrNull(Text),
    order_id: OrNull(Id),
    state: Text,
    reason: OrNull(Text),
    cause: OrNull(Text),
    received_ms: Ms,
    conflict: z.boolean(),
    replays: z.number(),
    archived: z.boolean(),
    overdue: z.boolean(),
    resolved: z.boolean(),
  }),
  quarantine: z.object({ erp_id: Text, erp_name: Text, cause: Text, field: Text, open: z.boolean() }),
  channel: z.object({
    id: Id,
    pause_cause: OrNull(Text),
    paused: z.boolean(),
    circuit: z.boolean(),
    limited: z.boolean(),
    paused_ms: OrNull(Ms),
    circuit_opened_ms: OrNull(Ms),
    now_ms: Ms,
  }),
  /** When a delivery was put back by a person. */
  replay: z.object({ delivery_id: Id, at_ms: Ms }),
  /** How often the history says that a delivery ended. */
  ending: z.object({ delivery_id: Id, times: z.number() }),
  audit: z.object({ seq: z.number(), at: Text, actor: Text, body: Text, prev: Text, hash: Text, operation_id: Text, phase: Text }),
  auditHead: z.object({ seq: z.number(), hash: Text }),
  /** Texts of columns that must hold neither personal data nor secrets, with the place where each stands. */
  plain: z.object({ place: Text, order_id: OrNull(Id), text: Text }),
}

export type HubTables = { [Name in keyof typeof Tables]: z.infer<(typeof Tables)[Name]>[] }
export type SilverRow = HubTables['silver'][number]
export type BindingRow = HubTables['binding'][number]
export type AttemptRow = HubTables['attempt'][number]

// The hub's clock by its base table, not by its function.
const NOW = `(statement_timestamp() + (SELECT shift FROM hub_clock))`
const QUIET = `$1 * interval '1 s'`
// What the hub looks at again by itself is never all done while it runs: only what lies about is in limbo.
const EVENT_LIMIT = `CASE WHEN topic = 'sweep' THEN greatest(${QUIET}, interval '60 s') ELSE ${QUIET} END`
const NO_QUIET = `$1::float8 IS NOT NULL`
const ms = (column: string): string => `(extract(epoch FROM ${column}) * 1000)::float8`

// Base tables only: no view and no function of the hub's. $1: quiet seconds.
const QUERIES: Record<keyof typeof Tables, string> = {
  silver: `SELECT id::text, origin, order_key, canonical, flags, illegal IS NOT NULL AS illegal,
             json_build_object('payment', payment, 'fulfilment', fulfilment, 'lifecycle', lifecycle, 'currency', currency, 'totalMinor', total_minor, 'confirmed', confirmed) AS columns,
             CASE WHEN jsonb_typeof(route -> 'channels') = 'array' THEN ARRAY(SELECT jsonb_array_elements_text(route -> 'channels')) END AS route_channels,
             (SELECT count(*)::int FROM observation o WHERE o.order_id = s.id AND o.channel = s.origin) AS observations
           FROM silver_order s WHERE ${NO_QUIET} ORDER BY s.id`,
  observation: `SELECT id::text, order_id::text, channel, external_id, ${ms('source_version')} AS version_ms, fetch_no::float8, body
                FROM observation WHERE ${NO_QUIET} ORDER BY observation.id`,
  binding: `SELECT id::text, channel, kind, order_id::text, reference, generation, external_id, (next_version - 1)::int AS planned,
              (SELECT count(*)::int FROM delivery d WHERE d.binding_id = b.id) AS deliveries
            FROM binding b WHERE ${NO_QUIET} ORDER BY b.id`,
  delivery: `SELECT id::text, binding_id::text, channel, kind, order_id::text, generation, version::int, state, cause, reason, tries, max_tries,
               ${ms('created_at')} AS created_ms, ${ms('ended_at')} AS ended_ms, resolved_by IS NOT NULL AS resolved, archived_at IS NOT NULL AS archived,
               state IN ('pending', 'ambiguous') AND due_at < ${NOW} - ${QUIET} AS overdue, coalesce(lease_until > ${NOW}, false) AS leased, replays
             FROM delivery ORDER BY delivery.id`,
  attempt: `SELECT id::text, delivery_id::text, inbound_event_id::text, channel, purpose, operation, outcome, error_code, http_status, lease::text,
              ${ms('started_at')} AS started_ms, ${ms('ended_at')} AS ended_ms, summary
            FROM attempt WHERE ${NO_QUIET} ORDER BY attempt.id`,
  request: `SELECT id::text, channel, verdict, encode(body_sha256, 'hex') AS digest, ${ms('received_at')} AS received_ms, (SELECT count(*)::int FROM inbound_event e WHERE e.request_id = r.id) AS events,
              CASE WHEN verdict IN ('bad-signature', 'stale-timestamp', 'malformed') AND body_bytes <= 16384 THEN encode(body, 'escape') END AS refused_body
            FROM inbound_request r WHERE ${NO_QUIET} ORDER BY r.id`,
  event: `SELECT id::text, channel, topic, resource, order_key, order_id::text, state, reason, cause, ${ms('received_at')} AS received_ms, conflict, replays, archived_at IS NOT NULL AS archived,
            state = 'pending' AND due_at < ${NOW} - ${EVENT_LIMIT} AS overdue, resolved_by IS NOT NULL AS resolved
          FROM inbound_event ORDER BY inbound_event.id`,
  quarantine: `SELECT erp_id, erp_name, coalesce(cause, '') AS cause, field, resolved_at IS NULL AS open FROM erp_quarantine WHERE ${NO_QUIET} ORDER BY id`,
  channel: `SELECT id, pause_cause, paused_at IS NOT NULL AS paused, circuit_opened_at IS NOT NULL AS circuit, coalesce(limited_until > ${NOW}, false) AS limited,
              ${ms('paused_at')} AS paused_ms, ${ms('circuit_opened_at')} AS circuit_opened_ms, ${ms(NOW)} AS now_ms
            FROM channel WHERE ${NO_QUIET} ORDER BY id`,
  replay: `SELECT aggregate_id::text AS delivery_id, ${ms('occurred_at')} AS at_ms FROM order_event
           WHERE event_type = 'delivery.replayed' AND aggregate_type = 'delivery' AND ${NO_QUIET} ORDER BY id`,
  ending: `SELECT aggregate_id::text AS delivery_id, count(*)::int AS times FROM order_event
           WHERE event_type IN ('delivery.delivered', 'delivery.superseded', 'delivery.dead') AND aggregate_type = 'delivery' AND ${NO_QUIET} GROUP BY aggregate_id`,
  audit: `SELECT seq::int, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at, actor, body, encode(prev, 'hex') AS prev,
            encode(hash, 'hex') AS hash, operation_id, phase
          FROM audit WHERE ${NO_QUIET} ORDER BY audit.seq`,
  auditHead: `SELECT seq::int, encode(hash, 'hex') AS hash FROM audit_head WHERE ${NO_QUIET}`,
  plain: `SELECT * FROM (
            SELECT 'delivery ' || id || '.summary' AS place, order_id::text, summary AS text FROM delivery WHERE summary IS NOT NULL
            UNION ALL SELECT 'inbound_event ' || id || '.summary', order_id::text, summary FROM inbound_event WHERE summary IS NOT NULL
            UNION ALL SELECT 'erp_quarantine ' || id || '.problem', NULL, problem FROM erp_quarantine
            UNION ALL SELECT 'drift ' || id || '.fields', order_id::text, fields::text FROM drift
            UNION ALL SELECT 'silver_order ' || id || '.canonical', id::text, canonical::text FROM silver_order
            UNION ALL SELECT 'observation ' || id || '.body', order_id::text, body::text FROM observation
            UNION ALL SELECT 'desired ' || id || '.content', NULL, content::text FROM desired
            UNION ALL SELECT 'binding ' || id || '.observed', order_id::text, observed::text FROM binding WHERE observed IS NOT NULL
            UNION ALL SELECT 'order_event ' || id || '.payload', NULL, payload::text FROM order_event
            UNION ALL SELECT 'cursor ' || name || '.failure', NULL, failure::text FROM cursor WHERE failure IS NOT NULL
          ) p WHERE ${NO_QUIET}`,
}

/** One snapshot of the hub's tables. The connection is read-only; nothing here writes. */
export async function readHubTables(url: string, quietSeconds: number): Promise<HubTables> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000, application_name: 'ledger auditor' })
  await client.connect()
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    const read = async <Name extends keyof typeof Tables>(name: Name): Promise<[Name, HubTables[Name]]> => {
      const { rows } = await client.query<Record<string, unknown>>(QUERIES[name], [quietSeconds])
      return [name, z.array(Tables[name]).parse(rows) as HubTables[Name]]
    }
    const tables: [string, unknown][] = []
    for (const name of Object.keys(Tables) as (keyof typeof Tables)[]) tables.push(await read(name))
    return Object.fromEntries(tables) as HubTables
  } finally {
    await client.end()
  }
}
