import { createHash } from 'node:crypto'
import type { InboundEvent, Verdict } from '../../core/inbound-event.ts'
import type { RawRequest, Receipt } from '../../ports/inbox.ts'
import { type Pool, type PoolClient, transaction } from './pool.ts'
import { retried } from './retry.ts'
import { isTransient, isWaitOver } from './sqlstate.ts'

/** A request with the events it holds, their ids already drawn. */
export interface ReceivedRequest {
  request: RawRequest
  verdict: Verdict
  events: readonly { event: InboundEvent; eventId: string }[]
}

export interface Stored {
  /** One per event; a single refusal when the request was refused. */
  receipts: Receipt[]
}

/**
 * Stores raw requests, verdicts and work items of a batch in one transaction. The commit is confirmed when this resolves. After a commit whose
 * outcome is unknown it is done again, and finds by dedupe key and id what was stored.
 */
export async function writeRequests(pool: Pool, batch: readonly ReceivedRequest[], maxTries: number): Promise<Stored[]> {
  return retried(async () => {
    const requestIds = await drawRequestIds(pool, batch)
    return transaction(pool, async (client) => {
      const entries = batch.flatMap((received, at) => entriesOf(received, requestIds.get(received) ?? '', at))
      await storeEvents(client, entries, maxTries)
      const stored = batch.map((received, at) =>
        receiptsOf(
          received,
          entries.filter((entry) => entry.place === at),
        ),
      )
      await storeRequests(client, batch, requestIds, stored)
      if (entries.some((entry) => entry.receipt !== 'duplicate' && entry.event.ignore === null)) {
        await client.query(`SELECT pg_notify('rosh_inbound', '')`)
      }
      return stored
    })
  }, WITHOUT_A_SECOND_WAIT)
}

/** What waited in vain for a connection is refused, and its sender comes again: waiting once more would keep all that queue behind it past their limit. */
const WITHOUT_A_SECOND_WAIT = { isWorthIt: (error: unknown): boolean => isTransient(error) && !isWaitOver(error) }

/** One event on its way into the table. */
interface Entry {
  /** Place of its request in the batch. */
  place: number
  requestId: string
  event: InboundEvent
  eventId: string
  key: Buffer
  comparable: Buffer
  traceparent: string | null
  receipt: 'accepted' | 'duplicate' | 'conflict'
  storedId: string
}

const drawn = new WeakMap<ReceivedRequest, string>()

// Once per request, so that a second try stores the same row and not a copy.
async function drawRequestIds(pool: Pool, batch: readonly ReceivedRequest[]): Promise<Map<ReceivedRequest, string>> {
  const missing = batch.filter((received) => !drawn.has(received))
  if (missing.length > 0) {
    const { rows } = await pool.query<{ id: string }>(`SELECT nextval('inbound_request_id_seq') AS id FROM generate_series(1, $1)`, [
      missing.length,
    ])
    missing.forEach((received, at) => drawn.set(received, rows[at]?.id ?? ''))
  }
  return new Map(batch.map((received) => [received, drawn.get(received) ?? '']))
}

function entriesOf({ request, events }: ReceivedRequest, requestId: string, place: number): Entry[] {
  return events.map(({ event, eventId }) => ({
    place,
    requestId,
    event,
    eventId,
    key: sha256(event.dedupeKey),
    comparable: sha256(event.comparable),
    traceparent: request.traceparent,
    receipt: 'duplicate',
    storedId: eventId,
  }))
}

async function storeEvents(client: PoolClient, entries: Entry[], maxTries: number): Promise<void> {
  const differing = await storeByKey(client, entries, maxTries, 'accepted')
  if (differing.length === 0) return
  // Same key, other content: an event of its own, under the key plus the digest of its content.
  for (const entry of differing) entry.key = sha256(Buffer.concat([entry.key, entry.comparable]))
  await storeByKey(client, differing, maxTries, 'conflict')
}

/** Gives every entry its receipt; answers those whose key is taken by other content. */
async function storeByKey(client: PoolClient, entries: Entry[], maxTries: number, fresh: 'accepted' | 'conflict'): Promise<Entry[]> {
  const groups = [...groupBy(entries, keyText).values()].sort(([a], [b]) => compareKeys(a, b))
  const leaders = groups.flatMap(([leader]) => (leader ? [leader] : []))
  const taken = await insertLeaders(client, leaders, maxTries, fresh)
  const differing: Entry[] = []
  for (const group of groups) {
    const leader = group[0]
    const older = leader && taken.get(keyText(leader))
    const content = older?.comparable ?? leader?.comparable
    const storedId = older?.eventId ?? leader?.eventId ?? ''
    for (const entry of group) {
      if (!content?.equals(entry.comparable)) differing.push(entry)
      else {
        entry.storedId = storedId
        entry.receipt = entry.eventId === storedId ? fresh : 'duplicate'
      }
    }
  }
  return differing
}

type Taken = Map<string, { eventId: string; comparable: Buffer }>

async function insertLeaders(client: PoolClient, leaders: Entry[], maxTries: number, fresh: 'accepted' | 'conflict'): Promise<Taken> {
  if (leaders.length === 0) return new Map()
  const { rows } = await client.query<{ event_id: string }>({
    name: 'inbox-insert-events',
    text: INSERT_EVENTS,
    values: [
      leaders.map((e) => e.eventId),
      leaders.map((e) => e.requestId),
      leaders.map((e) => e.event.channel),
      leaders.map((e) => e.event.topic),
      leaders.map((e) => e.event.resource),
      leaders.map((e) => e.event.sourceEventId),
      leaders.map((e) => e.key),
      leaders.map((e) => e.comparable),
      leaders.map((e) => e.event.orderKey),
      leaders.map((e) => e.event.ignore),
      leaders.map((e) => e.traceparent),
      maxTries,
      fresh === 'conflict',
    ],
  })
  const inserted = new Set(rows.map((row) => row.event_id))
  return readTaken(
    client,
    leaders.filter((e) => !inserted.has(e.eventId)),
  )
}

// Sorted by (channel, key) by the caller: two batches in opposite order would deadlock.
const INSERT_EVENTS = `
  INSERT INTO inbound_event (event_id, request_id, channel, topic, resource, source_event_id, dedupe_key, comparable, order_key, state, reason, ended_at,
                             traceparent, max_tries, conflict)
  SELECT event_id, request_id, channel, topic, resource, source_event_id, dedupe_key, comparable, order_key,
         CASE WHEN ignore IS NULL THEN 'pending' ELSE 'ignored' END, ignore, CASE WHEN ignore IS NOT NULL THEN hub_now() END, traceparent, $12, $13
  FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[], $8::bytea[], $9::text[], $10::text[], $11::text[])
    WITH ORDINALITY AS e(event_id, request_id, channel, topic, resource, source_event_id, dedupe_key, comparable, order_key, ignore, traceparent, place)
  ORDER BY place
  ON CONFLICT (channel, dedupe_key) DO NOTHING
  RETURNING event_id`

// A statement of its own, so a new snapshot: it sees the row whose commit the insert waited for.
async function readTaken(client: PoolClient, leaders: Entry[]): Promise<Taken> {
  if (leaders.length === 0) return new Map()
  const { rows } = await client.query<{ channel: string; dedupe_key: Buffer; event_id: string; comparable: Buffer }>({
    name: 'inbox-read-events',
    text: `SELECT e.channel, e.dedupe_key, e.event_id, e.comparable
           FROM unnest($1::text[], $2::bytea[]) AS k(channel, dedupe_key) JOIN inbound_event e USING (channel, dedupe_key)`,
    values: [leaders.map((e) => e.event.channel), leaders.map((e) => e.key)],
  })
  return new Map(rows.map((row) => [textOf(row.channel, row.dedupe_key), { eventId: row.event_id, comparable: row.comparable }]))
}

function receiptsOf({ verdict, events }: ReceivedRequest, entries: Entry[]): Stored & { verdict: Verdict } {
  if (events.length === 0) return { verdict, receipts: verdict === 'accepted' ? [] : [{ kind: 'refused', eventId: null }] }
  const kinds = new Set(entries.map((entry) => entry.receipt))
  return {
    verdict: kinds.has('conflict') ? 'conflict' : kinds.has('accepted') ? 'accepted' : 'duplicate',
    receipts: entries.map((entry) => ({ kind: entry.receipt, eventId: entry.storedId })),
  }
}

async function storeRequests(
  client: PoolClient,
  batch: readonly ReceivedRequest[],
  requestIds: Map<ReceivedRequest, string>,
  stored: { verdict: Verdict }[],
): Promise<void> {
  const bodies = batch.map(({ request }) => Buffer.from(request.body.buffer, request.body.byteOffset, request.body.byteLength))
  await client.query({
    name: 'inbox-insert-requests',
    text: INSERT_REQUESTS,
    values: [
      batch.map((received) => requestIds.get(received)),
      batch.map(({ request }) => request.channel),
      batch.map(({ request }) => request.path),
      stored.map(({ verdict }) => verdict),
      batch.map(({ request }) => JSON.stringify(request.headers)),
      bodies,
      bodies.map((body) => sha256(body)),
      bodies.map((body) => body.length),
      batch.map(({ request }) => request.sourceIp),
    ],
  })
}

// The conflict clause is for a second try after a commit whose outcome was unknown.
const INSERT_REQUESTS = `
  INSERT INTO inbound_request (id, channel, path, verdict, headers, body, body_sha256, body_bytes, source_ip)
  OVERRIDING SYSTEM VALUE
  SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::bytea[], $7::bytea[], $8::integer[], $9::text[])
  ON CONFLICT (id) DO NOTHING`

function groupBy<T>(items: readonly T[], by: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(by(item))
    if (group) group.push(item)
    else groups.set(by(item), [item])
  }
  return groups
}

const sha256 = (data: string | Buffer): Buffer => createHash('sha256').update(data).digest()
const textOf = (channel: string, key: Buffer): string => `${channel} ${key.toString('hex')}`
const keyText = (entry: Entry): string => textOf(entry.event.channel, entry.key)

function compareKeys(a: Entry | undefined, b: Entry | undefined): number {
  const [x, y] = [a ? keyText(a) : '', b ? keyText(b) : '']
  return x < y ? -1 : x > y ? 1 : 0
}
