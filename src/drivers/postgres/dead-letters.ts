import { outboxIdOf } from '../../core/identifier.ts'
import type { DeadLetterRef, DeadLetters, Drain, Drained, LetterState, Replay, ReplayRefusal } from '../../ports/dead-letters.ts'
import { listDeadLetters, readDepth } from './dead-letter-list.ts'
import { noteEffect } from './operation-effect.ts'
import { type Pool, type PoolClient, transaction } from './pool.ts'
import { isLockTimeout } from './sqlstate.ts'

/** Dead letters over PostgreSQL. Needs the role rosh_operator. */
export function postgresDeadLetters(pool: Pool): DeadLetters {
  return {
    depth: () => readDepth(pool),
    list: (filter, limit) => listDeadLetters(pool, filter, limit),
    state: (ref) => readState(pool, ref),
    replay(ref, expectedVersion, operationId) {
      const replay = transaction(pool, async (client) => {
        const done = await replayOne(client, ref, expectedVersion)
        await noteReplays(client, operationId, [done])
        return done
      })
      return unlessHeld(replay, { kind: 'refused', ref, reason: 'in-flight' })
    },
    replayOrder(orderId, operationId) {
      const replays = transaction(pool, async (client) => {
        const done = await replayOrder(client, orderId)
        await noteReplays(client, operationId, done)
        return done
      })
      return unlessHeld(replays, 'in-flight')
    },
    drain: (drain) =>
      unlessHeld(
        transaction(pool, (client) => drainAll(client, drain)),
        { kind: 'in-flight' },
      ),
    statesOfOrder: (orderId) => statesOfOrder(pool, orderId),
  }
}

/** Answers `held` when another transaction held the rows for longer than is waited for: its process was frozen. Nothing was changed. */
async function unlessHeld<T, const Held>(work: Promise<T>, held: Held): Promise<T | Held> {
  try {
    return await work
  } catch (error) {
    if (isLockTimeout(error)) return held
    throw error
  }
}

interface StateRow {
  table: 'delivery' | 'inbound_event'
  id: string
  state: string
  stateVersion: number
  channel: string
  orderId: string | null
  cause: string | null
  dueAt: string
  inFlight: boolean
  newer: boolean
}

const DELIVERY = `'delivery' AS "table", d.id, d.state, d.state_version::int AS "stateVersion", d.channel, d.order_id AS "orderId", d.cause, d.due_at AS "dueAt",
  coalesce(d.lease_until > hub_now(), false) AS "inFlight",
  d.resolved_by IS NOT NULL OR EXISTS (SELECT FROM delivery n WHERE n.binding_id = d.binding_id AND (n.version > d.version OR n.state IN ('pending', 'ambiguous') AND n.id <> d.id)) AS newer`
const EVENT = `'inbound_event' AS "table", e.id, e.state, e.state_version::int AS "stateVersion", e.channel, e.order_id AS "orderId", e.cause, e.due_at AS "dueAt",
  coalesce(e.lease_until > hub_now(), false) AS "inFlight", e.resolved_by IS NOT NULL AS newer`

async function stateRow(client: Pool | PoolClient, ref: DeadLetterRef): Promise<StateRow | undefined> {
  const { rows } =
    ref.table === 'delivery'
      ? await client.query<StateRow>(`SELECT ${DELIVERY} FROM delivery d WHERE d.id = $1`, [ref.id])
      : await client.query<StateRow>(`SELECT ${EVENT} FROM inbound_event e WHERE e.id = $1`, [ref.id])
  return rows[0]
}

async function readState(pool: Pool, ref: DeadLetterRef): Promise<LetterState | null> {
  const row = await stateRow(pool, ref)
  return row ? letterState(row) : null
}

function letterState({ table, id, state, stateVersion, channel, orderId, cause, dueAt }: StateRow): LetterState {
  return { ref: { table, id }, state, stateVersion, channel, orderId, cause, dueAt }
}

async function replayOne(client: PoolClient, ref: DeadLetterRef, expectedVersion: number): Promise<Replay> {
  if (ref.table === 'delivery') await lockBindings(client, [ref.id])
  const before = await stateRow(client, ref)
  const unchanged = before?.stateVersion === expectedVersion
  const isolated = unchanged && before.state === 'ambiguous' && before.cause === 'poison'
  const [done] = isolated ? await letOut(client, ref) : unchanged ? await putBack(client, [ref]) : []
  return done ?? { kind: 'refused', ref, reason: whyNot(before, expectedVersion) }
}

function whyNot(row: StateRow | undefined, expectedVersion: number): ReplayRefusal {
  if (!row) return 'unknown'
  if (row.inFlight) return 'in-flight'
  if (row.state === 'ambiguous') return 'ambiguous'
  if (row.newer) return 'answered-by-newer'
  if (row.stateVersion !== expectedVersion) return 'changed-meanwhile'
  return 'not-dead'
}

async function replayOrder(client: PoolClient, orderId: string): Promise<Replay[]> {
  await client.query(`SELECT FROM binding WHERE order_id = $1 ORDER BY id FOR NO KEY UPDATE`, [orderId])
  const { rows } = await client.query<StateRow>(
    `SELECT * FROM (SELECT DISTINCT ON (d.binding_id) ${DELIVERY} FROM delivery d WHERE d.order_id = $1 AND d.state = 'dead' ORDER BY d.binding_id, d.version DESC) d
     UNION ALL
     SELECT * FROM (SELECT ${EVENT} FROM events_of_order($1) e WHERE e.state = 'dead' AND e.resolved_by IS NULL ORDER BY e.id DESC LIMIT 50) e`,
    [orderId],
  )
  const done = await putBack(
    client,
    rows.map(({ table, id }) => ({ table, id })),
  )
  const left = rows.filter((r) => !done.some((d) => d.ref.table === r.table && d.ref.id === r.id))
  return [...done, ...left.map((r): Replay => ({ kind: 'refused', ref: { table: r.table, id: r.id }, reason: whyNot(r, r.stateVersion) }))]
}

// Everything that may return to `pending` locks its bindings first, in id order, in a statement of its own.
async function lockBindings(client: PoolClient, deliveryIds: readonly string[]): Promise<void> {
  await client.query(
    `SELECT FROM binding WHERE id IN (SELECT binding_id FROM delivery WHERE id = ANY($1::bigint[])) ORDER BY id FOR NO KEY UPDATE`,
    [deliveryIds],
  )
}

interface PutBackRow {
  id: string
  channel: string
  order_id: string | null
  cause: string | null
  tries: number
  state_version: number
}

/** Puts back those that are dead, unanswered and the newest of their binding with nothing waiting; the others stay as they are. */
async function putBack(client: PoolClient, refs: readonly DeadLetterRef[]): Promise<(Replay & { kind: 'replayed' })[]> {
  const idsOf = (table: DeadLetterRef['table']): string[] => refs.filter((r) => r.table === table).map((r) => r.id)
  const deliveries = idsOf('delivery').length > 0 ? (await client.query<PutBackRow>(PUT_BACK_DELIVERIES, [idsOf('delivery')])).rows : []
  const events = idsOf('inbound_event').length > 0 ? (await client.query<PutBackRow>(PUT_BACK_EVENTS, [idsOf('inbound_event')])).rows : []
  if (deliveries.length > 0) await client.query(`SELECT pg_notify('rosh_outbound', '')`)
  if (events.length > 0) await client.query(`SELECT pg_notify('rosh_inbound', '')`)
  return [...deliveries.map((row) => replayed('delivery', row)), ...events.map((row) => replayed('inbound_event', row))]
}

// A poisonous row whose send is unsettled: it may be claimed again, and what is sent is decided by the look-up. Its due time stays: it lies behind the
// settle window.
async function letOut(client: PoolClient, ref: DeadLetterRef): Promise<(Replay & { kind: 'replayed' })[]> {
  const { rows } = await client.query<PutBackRow>(LET_OUT, [ref.id])
  if (rows.length > 0) await client.query(`SELECT pg_notify('rosh_outbound', '')`)
  return rows.map((row) => ({ ...replayed('delivery', row), state: 'ambiguous' }))
}

const LET_OUT = `
  WITH back AS (
    UPDATE delivery d SET cause = 'ambiguous-outcome', summary = NULL, reason = NULL, unfinished = 0, unfinished_alone = 0, suspect = false,
      state_version = d.state_version + 1, replays = d.replays + 1
    WHERE d.id = $1 AND d.state = 'ambiguous' AND d.cause = 'poison' AND (d.lease_until IS NULL OR d.lease_until <= hub_now())
    RETURNING d.id, d.channel, d.order_id, d.state_version, d.kind, d.version, d.traceparent, 'poison' AS cause, d.tries
  ), told AS (
    INSERT INTO order_event (event_id, event_type, aggregate_type, aggregate_id, aggregate_version, marketplace, occurred_at, traceparent, payload)
    SELECT gen_random_uuid(), 'delivery.replayed', 'delivery', b.id, b.state_version, c.marketplace, hub_now(), b.traceparent,
           jsonb_build_object('order_id', b.order_id, 'channel', b.channel, 'kind', b.kind, 'version', b.version, 'cause', b.cause)
    FROM back b JOIN channel c ON c.id = b.channel
  )
  SELECT id, channel, order_id, cause, tries, state_version::int FROM back`

function replayed(table: DeadLetterRef['table'], row: PutBackRow): Replay & { kind: 'replayed' } {
  const { id, channel, order_id, cause, tries, state_version } = row
  const before = { cause, tries }
  return { kind: 'replayed', ref: { table, id }, channel, orderId: order_id, before, state: 'pending', stateVersion: state_version }
}

const PUT_BACK_DELIVERIES = `
  WITH old AS MATERIALIZED (
    SELECT d.id, d.cause, d.tries FROM delivery d
    WHERE d.id = ANY($1::bigint[]) AND d.state = 'dead' AND d.resolved_by IS NULL
      AND NOT EXISTS (SELECT FROM delivery n WHERE n.binding_id = d.binding_id AND (n.version > d.version OR n.state IN ('pending', 'ambiguous')))
    ORDER BY d.id FOR UPDATE
  ), back AS (
    UPDATE delivery d SET state = 'pending', cause = 'queued', summary = NULL, reason = NULL, tries = 0, due_at = hub_now(), lease = NULL, lease_until = NULL,
      counted_lease = NULL, unfinished = 0, unfinished_alone = 0, suspect = false, state_version = d.state_version + 1, ended_at = NULL, archived_at = NULL, replays = d.replays + 1
    FROM old WHERE d.id = old.id RETURNING d.id, d.channel, d.order_id, d.state_version, d.kind, d.version, d.traceparent, old.cause, old.tries
  ), told AS (
    INSERT INTO order_event (event_id, event_type, aggregate_type, aggregate_id, aggregate_version, marketplace, occurred_at, traceparent, payload)
    SELECT gen_random_uuid(), 'delivery.replayed', 'delivery', b.id, b.state_version, c.marketplace, hub_now(), b.traceparent,
           jsonb_build_object('order_id', b.order_id, 'channel', b.channel, 'kind', b.kind, 'version', b.version, 'cause', b.cause)
    FROM back b JOIN channel c ON c.id = b.channel
  )
  SELECT id, channel, order_id, cause, tries, state_version::int FROM back`

const PUT_BACK_EVENTS = `
  WITH old AS MATERIALIZED (
    SELECT id, cause, tries FROM inbound_event WHERE id = ANY($1::bigint[]) AND state = 'dead' AND resolved_by IS NULL ORDER BY id FOR UPDATE
  )
  UPDATE inbound_event e SET state = 'pending', reason = NULL, cause = NULL, summary = NULL, tries = 0, due_at = hub_now(), lease = NULL, lease_until = NULL,
    unfinished = 0, unfinished_alone = 0, state_version = e.state_version + 1, ended_at = NULL, archived_at = NULL, replays = e.replays + 1
  FROM old WHERE e.id = old.id RETURNING e.id, e.channel, e.order_id, old.cause, old.tries, e.state_version::int`

async function drainAll(client: PoolClient, drain: Drain): Promise<Drained> {
  const used = await client.query(`INSERT INTO plan_token_used (token_id) VALUES ($1) ON CONFLICT DO NOTHING`, [drain.tokenId])
  if (used.rowCount === 0) return { kind: 'token-used' }
  const planned = await listDeadLetters(client, drain.filter, drain.limit)
  const refs = planned.letters.map(({ table, id }) => ({ table, id }))
  await lockBindings(
    client,
    refs.filter((r) => r.table === 'delivery').map((r) => r.id),
  )
  // Read again under the lock: what changed meanwhile is not what the plan showed.
  const held = await listDeadLetters(client, drain.filter, drain.limit)
  if (held.snapshot !== drain.snapshot) return { kind: 'stale' }
  const changed = drain.action === 'archive' ? await archive(client, refs) : (await putBack(client, refs)).map((r) => r.ref)
  await noteChanged(client, drain.operationId, changed, { action: drain.action })
  return { kind: 'drained', changed, refused: refs.length - changed.length }
}

function noteReplays(client: PoolClient, operationId: string, replays: readonly Replay[]): Promise<void> {
  const changed = replays.filter((one) => one.kind === 'replayed').map((one) => one.ref)
  return noteChanged(client, operationId, changed, {})
}

async function noteChanged(
  client: PoolClient,
  operationId: string,
  changed: readonly DeadLetterRef[],
  more: { action?: string },
): Promise<void> {
  if (changed.length > 0) await noteEffect(client, operationId, { ...more, changed: changed.map((ref) => outboxIdOf(ref.table, ref.id)) })
}

// Set aside, restorable by a replay, never deleted.
async function archive(client: PoolClient, refs: readonly DeadLetterRef[]): Promise<DeadLetterRef[]> {
  const idsOf = (table: DeadLetterRef['table']): string[] => refs.filter((r) => r.table === table).map((r) => r.id)
  const deliveries = await client.query<{ id: string }>(
    `UPDATE delivery SET archived_at = hub_now(), state_version = state_version + 1
     WHERE id = ANY($1::bigint[]) AND state = 'dead' AND resolved_by IS NULL AND archived_at IS NULL RETURNING id`,
    [idsOf('delivery')],
  )
  const events = await client.query<{ id: string }>(
    `UPDATE inbound_event SET archived_at = hub_now(), state_version = state_version + 1
     WHERE id = ANY($1::bigint[]) AND state = 'dead' AND resolved_by IS NULL AND archived_at IS NULL RETURNING id`,
    [idsOf('inbound_event')],
  )
  return [
    ...deliveries.rows.map(({ id }): DeadLetterRef => ({ table: 'delivery', id })),
    ...events.rows.map(({ id }): DeadLetterRef => ({ table: 'inbound_event', id })),
  ]
}

async function statesOfOrder(pool: Pool, orderId: string): Promise<LetterState[]> {
  const { rows } = await pool.query<StateRow>(
    `SELECT * FROM (SELECT DISTINCT ON (d.binding_id) ${DELIVERY} FROM delivery d WHERE d.order_id = $1 AND d.state <> 'superseded' ORDER BY d.binding_id, d.version DESC) d
     UNION ALL
     SELECT * FROM (SELECT ${EVENT} FROM events_of_order($1) e WHERE e.state IN ('pending', 'dead') ORDER BY e.id DESC LIMIT 20) e`,
    [orderId],
  )
  return rows.map(letterState)
}
