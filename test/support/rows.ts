import { createHash, randomUUID } from 'node:crypto'
import type { Pool } from '../../src/drivers/postgres/pool.ts'

/** Rows written by SQL, for tests of what reads them. Each answers the id of its row; what is not named has a plain default. */
export interface Rows {
  channel(id: string): Promise<void>
  order(row?: Partial<OrderRow>): Promise<string>
  binding(row: Partial<BindingRow> & { orderId: string; channel: string }): Promise<string>
  delivery(row: Partial<DeliveryRow> & { orderId: string; channel: string; bindingId: string }): Promise<string>
  attempt(row: Partial<AttemptRow> & ({ deliveryId: string } | { inboundId: string })): Promise<string>
  request(row?: { verdict?: string; body?: string; receivedAt?: string }): Promise<string>
  inbound(row?: Partial<InboundRow>): Promise<string>
  quarantine(row?: { erpId?: string; erpName?: string; field?: string; problem?: string }): Promise<string>
  heartbeat(app: string, beatAt?: string): Promise<void>
  cursor(name: string, row?: { watermark?: string; failedSince?: string | null }): Promise<void>
  clear(): Promise<void>
}

interface OrderRow {
  origin: string
  orderKey: string
  confirmed: boolean
  payment: string
  flags: string[]
  route: unknown
  illegal: unknown
  identifiers: { kind: string; value: string; channel?: string }[]
}

interface BindingRow {
  reference: string
  externalId: string | null
  missingSince: string | null
  duplicates: unknown
}

interface DeliveryRow {
  version: number
  state: string
  cause: string | null
  summary: string | null
  reason: string | null
  tries: number
  dueAt: string
  leaseUntil: string | null
  endedAt: string | null
  createdAt: string
}

interface AttemptRow {
  channel: string
  purpose: string
  outcome: string | null
  errorCode: string | null
  httpStatus: number | null
  summary: string | null
  theirText: string | null
}

interface InboundRow {
  channel: string
  topic: string
  orderKey: string | null
  orderId: string | null
  state: string
  cause: string | null
  reason: string | null
  tries: number
  conflict: boolean
}

/** `at` is any SQL timestamp text: `now`, `2 hours ago`. */
export function rowsOf(owner: Pool): Rows {
  const one = async (sql: string, values: unknown[]): Promise<string> => (await owner.query<{ id: string }>(sql, values)).rows[0]?.id ?? ''
  let next = 1_000
  const key = (): string => String(++next)
  return {
    async channel(id) {
      const marketplace = id.split(':')[0]
      await owner.query(`INSERT INTO channel (id, marketplace, account_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, [
        id,
        marketplace,
        id.split(':')[1] ?? 'main',
      ])
    },
    async order(row = {}) {
      const {
        origin = 'odoo',
        orderKey = key(),
        confirmed = true,
        payment = 'paid',
        flags = [],
        route = null,
        illegal = null,
        identifiers = [],
      } = row
      const id = await one(
        `INSERT INTO silver_order (origin, order_key, payment, fulfilment, lifecycle, flags, display_status, currency, total_minor, confirmed, canonical, route, illegal)
         VALUES ($1, $2, $3, 'none', 'open', $4, 'CONFIRMED', 'CLP', 25980, $5, '{"lines": [{"sku": "SKU-001", "quantity": "2"}], "rawStatus": "sale"}', $6, $7) RETURNING id`,
        [
          origin,
          orderKey,
          payment,
          flags,
          confirmed,
          route === null ? null : JSON.stringify(route),
          illegal === null ? null : JSON.stringify(illegal),
        ],
      )
      for (const { kind, value, channel } of identifiers)
        await owner.query(`INSERT INTO identifier (value, kind, order_id, channel) VALUES (upper($1), $2, $3, $4)`, [
          value,
          kind,
          id,
          channel ?? origin,
        ])
      return id
    },
    binding: ({ orderId, channel, reference = `odoo-${orderId}`, externalId = null, missingSince = null, duplicates = null }) =>
      one(
        `INSERT INTO binding (channel, kind, order_id, reference, external_id, missing_since, duplicates) VALUES ($1, 'order', $2, $3, $4, $5, $6) RETURNING id`,
        [channel, orderId, reference, externalId, missingSince, duplicates === null ? null : JSON.stringify(duplicates)],
      ),
    async delivery({
      orderId,
      channel,
      bindingId,
      version = 1,
      state = 'pending',
      cause = null,
      summary = null,
      reason = null,
      tries = 0,
      dueAt = 'now',
      leaseUntil = null,
      endedAt,
      createdAt = '1 hour ago',
    }) {
      const ended = endedAt ?? (['delivered', 'dead', 'superseded'].includes(state) ? '30 minutes ago' : null)
      await owner.query(`UPDATE binding SET next_version = greatest(next_version, $2 + 1) WHERE id = $1`, [bindingId, version])
      return one(
        `WITH w AS (INSERT INTO desired (content, content_hash) VALUES ('{"kind": "order", "lifecycle": "open", "confirm": true}', sha256($14::bytea)) RETURNING id)
         INSERT INTO delivery (binding_id, channel, kind, order_id, version, generation, desired_id, state, cause, summary, reason, tries, max_tries, due_at, lease, lease_until, ended_at, created_at)
         SELECT $1, $2, 'order', $3, $4, 1, w.id, $5, $6, $7, $8, $9, 12, $10::text::timestamptz, CASE WHEN $11::text IS NULL THEN NULL ELSE 1 END, $11::text::timestamptz, $12::text::timestamptz, $13::text::timestamptz FROM w RETURNING id`,
        [
          bindingId,
          channel,
          orderId,
          version,
          state,
          cause,
          summary,
          reason,
          tries,
          instant(dueAt),
          instant(leaseUntil),
          instant(ended),
          instant(createdAt),
          Buffer.from(`${bindingId}/${version}`),
        ],
      )
    },
    attempt: (row) => {
      const {
        channel = 'mercadolibre:1001',
        purpose = 'send',
        outcome = 'rejected',
        errorCode = 'rejected',
        httpStatus = 400,
        summary = null,
        theirText = null,
      } = row
      return one(
        `INSERT INTO attempt (delivery_id, inbound_event_id, channel, purpose, operation, lease, ended_at, outcome, error_code, http_status, summary, their_text)
         VALUES ($1, $2, $3, $4, 'create', 1, CASE WHEN $5::text IS NULL THEN NULL ELSE hub_now() END, $5, $6, $7, $8, $9) RETURNING id`,
        [
          'deliveryId' in row ? row.deliveryId : null,
          'inboundId' in row ? row.inboundId : null,
          channel,
          purpose,
          outcome,
          errorCode,
          httpStatus,
          summary,
          theirText,
        ],
      )
    },
    request: ({ verdict = 'accepted', body = '{}', receivedAt = 'now' } = {}) =>
      one(
        `INSERT INTO inbound_request (received_at, channel, path, verdict, headers, body, body_sha256, body_bytes) VALUES ($1::text::timestamptz, NULL, 'mercadolibre/***', $2, '{}', $3, sha256($3), length($3)) RETURNING id`,
        [instant(receivedAt), verdict, Buffer.from(body)],
      ),
    async inbound(row = {}) {
      const {
        channel = 'mercadolibre:1001',
        topic = 'orders_v2',
        orderKey = null,
        orderId = null,
        state = 'pending',
        cause = null,
        reason = null,
        tries = 0,
        conflict = false,
      } = row
      const request = await this.request()
      return one(
        `INSERT INTO inbound_event (event_id, request_id, channel, topic, resource, dedupe_key, comparable, conflict, order_key, order_id, state, reason, cause, tries, max_tries, ended_at)
         VALUES ($1, $2, $3, $12, '/orders/' || coalesce($4, '0'), $5, $5, $6, $4, $7, $8, $9, $10, $11, 12, CASE WHEN $8 = 'pending' THEN NULL ELSE hub_now() END) RETURNING id`,
        [
          randomUUID(),
          request,
          channel,
          orderKey,
          createHash('sha256').update(key()).digest(),
          conflict,
          orderId,
          state,
          reason,
          cause,
          tries,
          topic,
        ],
      )
    },
    quarantine: ({ erpId = key(), erpName = 'S00077', field = 'order_line', problem = 'a line has no SKU' } = {}) =>
      one(
        `INSERT INTO erp_quarantine (erp_id, erp_name, field, problem, source_version) VALUES ($1, $2, $3, $4, '2026-11-23 12:00:00') RETURNING id`,
        [erpId, erpName, field, problem],
      ),
    async heartbeat(app, beatAt = 'now') {
      await owner.query(
        `INSERT INTO worker_heartbeat (id, app, beat_at) VALUES ($1, $2, $3::text::timestamptz) ON CONFLICT (id) DO UPDATE SET beat_at = excluded.beat_at`,
        [`${app}@test`, app, instant(beatAt)],
      )
    },
    async cursor(name, { watermark = '2026-11-23T12:00:00.000Z', failedSince = null } = {}) {
      await owner.query(
        `INSERT INTO cursor (name, position, moved_at, tried_at, failed_since, failure) VALUES ($1, $2, hub_now(), hub_now(), $3::text::timestamptz, CASE WHEN $3::text IS NULL THEN NULL ELSE '{"code": "unreachable"}'::jsonb END)
         ON CONFLICT (name) DO UPDATE SET failed_since = excluded.failed_since, failure = excluded.failure`,
        [name, JSON.stringify({ watermark }), instant(failedSince)],
      )
    },
    async clear() {
      await owner.query(
        `TRUNCATE attempt, delivery, desired, binding, observation, identifier, inbound_event, inbound_request, erp_quarantine, drift, silver_order, cursor, order_event, worker_heartbeat, plan_token_used CASCADE`,
      )
      await owner.query(
        `UPDATE channel SET circuit_failures = 0, circuit_opened_at = NULL, probe_at = NULL, paused_at = NULL, pause_cause = NULL, limited_until = NULL`,
      )
    },
  }
}

const AGO = /^(\d+) (second|minute|hour|day)s? (ago|ahead)$/
const UNIT_MS: Record<string, number> = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 }

function instant(text: string | null): string | null {
  if (text === null || text === 'now') return text === null ? null : new Date(Date.now() - 50).toISOString()
  const ago = AGO.exec(text)
  if (!ago) return text
  return new Date(Date.now() + Number(ago[1]) * (UNIT_MS[ago[2] ?? ''] ?? 0) * (ago[3] === 'ago' ? -1 : 1)).toISOString()
}
