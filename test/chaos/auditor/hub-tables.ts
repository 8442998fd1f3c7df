import pg from 'pg'
import { z } from 'zod'

const Id = z.string()
const Canonical = z.object({
  lifecycle: z.string(),
  fulfilment: z.string(),
  currency: z.string().nullable(),
  totalMinor: z.number().nullable(),
  lines: z.array(z.object({ sku: z.string(), quantity: z.string(), unitPriceMinor: z.number().nullable() })),
})

const Tables = {
  silver: z.object({
    id: Id,
    origin: z.string(),
    order_key: z.string(),
    canonical: Canonical,
    flags: z.array(z.string()),
    illegal: z.boolean(),
    observations: z.number(),
  }),
  binding: z.object({
    id: Id,
    channel: z.string(),
    kind: z.string(),
    order_id: Id.nullable(),
    reference: z.string(),
    generation: z.number(),
    external_id: z.string().nullable(),
    planned: z.number(),
    deliveries: z.number(),
  }),
  delivery: z.object({
    id: Id,
    binding_id: Id,
    channel: z.string(),
    kind: z.string(),
    order_id: Id.nullable(),
    generation: z.number(),
    version: z.number(),
    state: z.string(),
    cause: z.string().nullable(),
    resolved: z.boolean(),
    archived: z.boolean(),
    overdue: z.boolean(),
    leased: z.boolean(),
    replays: z.number(),
  }),
  attempt: z.object({
    id: Id,
    delivery_id: Id.nullable(),
    inbound_event_id: Id.nullable(),
    channel: z.string(),
    purpose: z.string(),
    operation: z.string(),
    outcome: z.string().nullable(),
    http_status: z.number().nullable(),
  }),
  request: z.object({
    id: Id,
    channel: z.string().nullable(),
    verdict: z.string(),
    digest: z.string(),
    events: z.number(),
    refused_body: z.string().nullable(),
  }),
  event: z.object({
    id: Id,
    channel: z.string(),
    resource: z.string(),
    order_key: z.string().nullable(),
    order_id: Id.nullable(),
    state: z.string(),
    reason: z.string().nullable(),
    cause: z.string().nullable(),
    conflict: z.boolean(),
    replays: z.number(),
    overdue: z.boolean(),
    resolved: z.boolean(),
  }),
  quarantine: z.object({ erp_id: z.string(), erp_name: z.string(), cause: z.string(), field: z.string(), open: z.boolean() }),
  drift: z.object({ order_id: Id, channel: z.string(), kind: z.string(), cause: z.string() }),
  channel: z.object({
    id: z.string(),
    pause_cause: z.string().nullable(),
    paused: z.boolean(),
    circuit: z.boolean(),
    limited: z.boolean(),
  }),
}

export type HubTables = { [Name in keyof typeof Tables]: z.infer<(typeof Tables)[Name]>[] }
export type SilverRow = HubTables['silver'][number]
export type BindingRow = HubTables['binding'][number]
export type AttemptRow = HubTables['attempt'][number]

// Base tables only: no view and no function of the hub's, but its clock, which due times are written by. $1: quiet seconds.
const QUERIES: Record<keyof typeof Tables, string> = {
  silver: `SELECT id::text, origin, order_key, canonical, flags, illegal IS NOT NULL AS illegal, (SELECT count(*)::int FROM observation o WHERE o.order_id = s.id AND o.channel = s.origin) AS observations
           FROM silver_order s WHERE $1::float8 IS NOT NULL ORDER BY s.id`,
  binding: `SELECT id::text, channel, kind, order_id::text, reference, generation, external_id, (next_version - 1)::int AS planned,
              (SELECT count(*)::int FROM delivery d WHERE d.binding_id = b.id) AS deliveries
            FROM binding b WHERE $1::float8 IS NOT NULL ORDER BY b.id`,
  delivery: `SELECT id::text, binding_id::text, channel, kind, order_id::text, generation, version::int, state, cause, resolved_by IS NOT NULL AS resolved,
               archived_at IS NOT NULL AS archived, state IN ('pending', 'ambiguous') AND due_at < hub_now() - $1 * interval '1 s' AS overdue,
               coalesce(lease_until > hub_now(), false) AS leased, replays
             FROM delivery ORDER BY delivery.id`,
  attempt: `SELECT id::text, delivery_id::text, inbound_event_id::text, channel, purpose, operation, outcome, http_status
            FROM attempt WHERE $1::float8 IS NOT NULL ORDER BY attempt.id`,
  request: `SELECT id::text, channel, verdict, encode(body_sha256, 'hex') AS digest, (SELECT count(*)::int FROM inbound_event e WHERE e.request_id = r.id) AS events,
              CASE WHEN verdict IN ('bad-signature', 'stale-timestamp', 'malformed') AND body_bytes <= 16384 THEN encode(body, 'escape') END AS refused_body
            FROM inbound_request r WHERE $1::float8 IS NOT NULL ORDER BY r.id`,
  event: `SELECT id::text, channel, resource, order_key, order_id::text, state, reason, cause, conflict, replays, state = 'pending' AND due_at < hub_now() - $1 * interval '1 s' AS overdue,
            resolved_by IS NOT NULL AS resolved
          FROM inbound_event ORDER BY inbound_event.id`,
  quarantine: `SELECT erp_id, erp_name, cause, field, resolved_at IS NULL AS open FROM erp_quarantine WHERE $1::float8 IS NOT NULL ORDER BY id`,
  drift: `SELECT order_id::text, channel, kind, cause FROM drift WHERE resolved_at IS NULL AND $1::float8 IS NOT NULL ORDER BY id`,
  channel: `SELECT id, pause_cause, paused_at IS NOT NULL AS paused, circuit_opened_at IS NOT NULL AS circuit, coalesce(limited_until > hub_now(), false) AS limited
            FROM channel WHERE $1::float8 IS NOT NULL ORDER BY id`,
}

/** One snapshot of the hub's tables. The connection is read-only; nothing here writes. */
export async function readHubTables(url: string, quietSeconds: number): Promise<HubTables> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000, application_name: 'ledger auditor' })
  await client.connect()
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    const read = async <Name extends keyof typeof Tables>(name: Name): Promise<HubTables[Name]> => {
      const { rows } = await client.query<Record<string, unknown>>(QUERIES[name], [quietSeconds])
      return z.array(Tables[name]).parse(rows) as HubTables[Name]
    }
    return {
      silver: await read('silver'),
      binding: await read('binding'),
      delivery: await read('delivery'),
      attempt: await read('attempt'),
      request: await read('request'),
      event: await read('event'),
      quarantine: await read('quarantine'),
      drift: await read('drift'),
      channel: await read('channel'),
    }
  } finally {
    await client.end()
  }
}
