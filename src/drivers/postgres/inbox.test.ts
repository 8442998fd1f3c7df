import { createHash } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.ts'
import type { InboundEvent, Verdict } from '../../core/inbound-event.ts'
import { InboxFull, type RawRequest } from '../../ports/inbox.ts'
import { postgresInbox, type PostgresInbox } from './inbox.ts'
import { connect, type Pool } from './pool.ts'

let database: TestDatabase
let ingest: Pool
let owner: Pool
let inbox: PostgresInbox

beforeAll(async () => {
  database = await cloneDatabase()
  ingest = connect({ url: database.url, role: 'rosh_ingest', max: 8, applicationName: 'inbox-test' })
  owner = connect({ url: database.migratorUrl, role: null, max: 2, applicationName: 'inbox-test-owner' })
  inbox = postgresInbox(ingest, { maxTries: 12 })
})

beforeEach(async () => {
  await owner.query('TRUNCATE channel, inbound_request CASCADE')
  await owner.query(
    `INSERT INTO channel (id, marketplace, account_id) VALUES ('paris:main', 'paris', 'main'), ('mercadolibre:1', 'mercadolibre', '1')`,
  )
})

afterAll(async () => {
  await Promise.all([ingest.end(), owner.end()])
  await database.drop()
})

function aRequest(body: string | Uint8Array = '{}', over: Partial<RawRequest> = {}): RawRequest {
  return {
    channel: 'paris:main',
    path: '/webhooks/paris',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? Buffer.from(body) : body,
    sourceIp: '127.0.0.1',
    traceparent: null,
    ...over,
  }
}

function anEvent(key: string, over: Partial<InboundEvent> = {}): InboundEvent {
  return {
    channel: 'paris:main',
    topic: 'order',
    resource: `/orders/${key}`,
    sourceEventId: key,
    dedupeKey: key,
    comparable: `content of ${key}`,
    orderKey: null,
    ignore: null,
    ...over,
  }
}

const send = (event: InboundEvent, body = '{}', verdict: Verdict = 'accepted') => inbox.record(aRequest(body), verdict, [event])

async function verdicts(): Promise<Record<string, number>> {
  const { rows } = await owner.query<{ verdict: string; n: number }>(
    'SELECT verdict, count(*)::int AS n FROM inbound_request GROUP BY verdict',
  )
  return Object.fromEntries(rows.map((row) => [row.verdict, row.n]))
}

async function eventCount(): Promise<number> {
  return (await owner.query<{ n: number }>('SELECT count(*)::int AS n FROM inbound_event')).rows[0]!.n
}

test('raw bytes, digest, verdict and work item are stored before the answer', async () => {
  const body = new Uint8Array([0x7b, 0x00, 0xff, 0xfe, 0x7d])
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const [receipt] = await inbox.record(aRequest(body, { traceparent }), 'accepted', [anEvent('a', { orderKey: 'P-1' })])
  expect(receipt).toMatchObject({ kind: 'accepted' })
  expect(receipt?.eventId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/)
  const { rows } = await owner.query(
    `SELECT r.body, r.body_sha256, r.body_bytes, r.verdict, r.channel, r.headers, e.event_id, e.state, e.order_key, e.max_tries, e.traceparent, e.conflict
     FROM inbound_event e JOIN inbound_request r ON r.id = e.request_id`,
  )
  expect(rows).toEqual([
    {
      body: Buffer.from(body),
      body_sha256: createHash('sha256').update(body).digest(),
      body_bytes: 5,
      verdict: 'accepted',
      channel: 'paris:main',
      headers: { 'content-type': 'application/json' },
      event_id: receipt?.eventId,
      state: 'pending',
      order_key: 'P-1',
      max_tries: 12,
      traceparent,
      conflict: false,
    },
  ])
})

test('a second copy is a duplicate that names the first, and both requests are kept', async () => {
  const [first] = await send(anEvent('a'))
  const [second] = await send(anEvent('a'), '{ }')
  expect(second).toEqual({ kind: 'duplicate', eventId: first?.eventId })
  expect(await verdicts()).toEqual({ accepted: 1, duplicate: 1 })
  expect(await eventCount()).toBe(1)
})

test('a hundred copies at once make one event, whether they share a batch or not', async () => {
  const other = postgresInbox(ingest, { maxTries: 12 })
  const receipts = await Promise.all(
    Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? inbox : other).record(aRequest(`{"attempts":${i}}`), 'accepted', [anEvent('w1')])),
  )
  expect(receipts.flat().filter((r) => r.kind === 'accepted')).toHaveLength(1)
  expect(new Set(receipts.flat().map((r) => r.eventId)).size).toBe(1)
  expect(await verdicts()).toEqual({ accepted: 1, duplicate: 99 })
})

test('one key with two contents is a conflict: an event of its own, and its copies are duplicates of it', async () => {
  const [first] = await send(anEvent('a'))
  const [second] = await send(anEvent('a', { comparable: 'something else' }))
  const [again] = await send(anEvent('a', { comparable: 'something else' }))
  const [third] = await send(anEvent('a', { comparable: 'a third thing' }))
  expect(second?.kind).toBe('conflict')
  expect(third?.kind).toBe('conflict')
  expect(new Set([first?.eventId, second?.eventId, third?.eventId]).size).toBe(3)
  expect(again).toEqual({ kind: 'duplicate', eventId: second?.eventId })
  expect(await verdicts()).toEqual({ accepted: 1, conflict: 2, duplicate: 1 })
  const { rows } = await owner.query('SELECT conflict, state FROM inbound_event ORDER BY id')
  expect(rows).toEqual([
    { conflict: false, state: 'pending' },
    { conflict: true, state: 'pending' },
    { conflict: true, state: 'pending' },
  ])
})

test('one key with two contents in one batch is accepted once, in conflict once', async () => {
  const receipts = await Promise.all([
    send(anEvent('a')),
    send(anEvent('a', { comparable: 'x' })),
    send(anEvent('a', { comparable: 'x' })),
    send(anEvent('a')),
  ])
  expect(receipts.flat().map((r) => r.kind)).toEqual(['accepted', 'conflict', 'duplicate', 'duplicate'])
  expect(receipts[2]?.[0]?.eventId).toBe(receipts[1]?.[0]?.eventId)
})

test('the same key at two channels is two events', async () => {
  const receipts = await Promise.all([send(anEvent('a')), send(anEvent('a', { channel: 'mercadolibre:1' }))])
  expect(receipts.flat().map((r) => r.kind)).toEqual(['accepted', 'accepted'])
})

test('a request with several events answers each of them', async () => {
  await send(anEvent('a'))
  const receipts = await inbox.record(aRequest(), 'accepted', [anEvent('a'), anEvent('b')])
  expect(receipts.map((r) => r.kind)).toEqual(['duplicate', 'accepted'])
  expect(await verdicts()).toEqual({ accepted: 2 })
})

test('an event that nothing will be done with is kept, with the reason', async () => {
  await send(anEvent('a', { ignore: 'irrelevant-topic' }))
  const { rows } = await owner.query('SELECT state, reason, ended_at IS NOT NULL AS ended FROM inbound_event')
  expect(rows).toEqual([{ state: 'ignored', reason: 'irrelevant-topic', ended: true }])
})

test.each(['bad-signature', 'stale-timestamp', 'malformed', 'too-large', 'rate-limited'] as const)(
  'a %s request leaves its row and no event',
  async (verdict) => {
    const receipts = await inbox.record(aRequest('whatever', { channel: null }), verdict, [])
    expect(receipts).toEqual([{ kind: 'refused', eventId: null }])
    expect(await verdicts()).toEqual({ [verdict]: 1 })
    expect(await eventCount()).toBe(0)
  },
)

test('what PostgreSQL cannot hold is refused alone, its bytes are kept, and its neighbours are accepted', async () => {
  const receipts = await Promise.all([
    send(anEvent('a')),
    inbox.record(aRequest('the bad one'), 'accepted', [anEvent('b', { resource: '/orders/\u0000' })]),
    inbox.record(aRequest('too long'), 'accepted', [anEvent('c', { sourceEventId: randomText(9_000) })]),
    inbox.record(aRequest('nowhere'), 'accepted', [anEvent('d', { channel: 'nobody' })]),
    send(anEvent('e')),
  ])
  expect(receipts.flat().map((r) => r.kind)).toEqual(['accepted', 'refused', 'refused', 'refused', 'accepted'])
  expect(await verdicts()).toEqual({ accepted: 2, malformed: 3 })
  const { rows } = await owner.query<{ body: Buffer }>(`SELECT body FROM inbound_request WHERE verdict = 'malformed' ORDER BY id`)
  expect(rows.map((row) => row.body.toString()).sort()).toEqual(['nowhere', 'the bad one', 'too long'])
})

test('batches with the same keys in opposite order do not deadlock', async () => {
  const keys = Array.from({ length: 150 }, (_, i) => `k${i}`)
  const inboxes = Array.from({ length: 4 }, () => postgresInbox(ingest, { maxTries: 12 }))
  const receipts = await Promise.all(
    inboxes.flatMap((one, i) => (i % 2 === 0 ? keys : keys.toReversed()).map((key) => one.record(aRequest(), 'accepted', [anEvent(key)]))),
  )
  expect(receipts.flat().filter((r) => r.kind === 'accepted')).toHaveLength(150)
  const { rows } = await owner.query<{ n: number }>('SELECT deadlocks::int AS n FROM pg_stat_database WHERE datname = current_database()')
  expect(rows[0]?.n).toBe(0)
})

test('a flush wakes listeners once', async () => {
  const listener = await owner.connect()
  let wakes = 0
  listener.on('notification', () => {
    wakes += 1
  })
  await listener.query('LISTEN rosh_inbound')
  await Promise.all(Array.from({ length: 50 }, (_, i) => send(anEvent(`n${i}`))))
  await send(anEvent('n0'))
  await send(anEvent('quiet', { ignore: 'irrelevant-topic' }))
  await listener.query('SELECT 1')
  expect(wakes).toBe(1)
  listener.release(true)
})

test('a full queue and a database that refuses both say that nothing was stored', async () => {
  const small = postgresInbox(ingest, { maxTries: 12, maxWaitingRows: 1 })
  const settled = await Promise.allSettled(['a', 'b', 'c'].map((key) => small.record(aRequest(), 'accepted', [anEvent(key)])))
  expect(settled.filter((s) => s.status === 'rejected' && s.reason instanceof InboxFull)).toHaveLength(2)
  expect(await eventCount()).toBe(1)
  const readOnly = connect({ url: database.url, role: 'rosh_reader', max: 1, applicationName: 'inbox-test-reader' })
  await expect(postgresInbox(readOnly, { maxTries: 12 }).record(aRequest(), 'accepted', [anEvent('z')])).rejects.toBeInstanceOf(InboxFull)
  await readOnly.end()
})

test('what waited in vain for a connection is refused after one wait: others wait behind it', async () => {
  const full = connect({ url: database.url, role: 'rosh_ingest', max: 1, applicationName: 'inbox-test-full' })
  full.options.connectionTimeoutMillis = 20
  const held = await full.connect()
  const wait = vi.spyOn(full, 'connect')
  await expect(postgresInbox(full, { maxTries: 12 }).record(aRequest(), 'accepted', [anEvent('a')])).rejects.toBeInstanceOf(InboxFull)
  expect(wait).toHaveBeenCalledTimes(1)
  held.release()
  await full.end()
})

test('drain waits for what was recorded', async () => {
  const receipts = ['a', 'b', 'c'].map((key) => send(anEvent(key)))
  await inbox.drain()
  expect(await eventCount()).toBe(3)
  await Promise.all(receipts)
})

test('when the connection breaks at COMMIT, the request is acknowledged only after it was found stored, and once', async () => {
  // The first COMMIT goes through and its answer is lost.
  const lossy = connect({ url: database.url, role: 'rosh_ingest', max: 2, applicationName: 'inbox-test-lossy' })
  let lost = 0
  lossy.on('connect', (client) => {
    const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>
    Object.assign(client, {
      query: async (...args: unknown[]) => {
        const answer = await query(...args)
        if (args[0] === 'COMMIT' && lost === 0) {
          lost += 1
          throw new Error('Connection terminated unexpectedly')
        }
        return answer
      },
    })
  })
  const [receipt] = await postgresInbox(lossy, { maxTries: 12 }).record(aRequest(), 'accepted', [anEvent('a')])
  expect(lost).toBe(1)
  expect(receipt?.kind).toBe('accepted')
  const { rows } = await owner.query('SELECT event_id FROM inbound_event')
  expect(rows).toEqual([{ event_id: receipt?.eventId }])
  expect(await verdicts()).toEqual({ accepted: 1 })
  await lossy.end()
})

function randomText(bytes: number): string {
  return Array.from({ length: bytes / 64 }, (_, i) => createHash('sha256').update(String(i)).digest('hex')).join('')
}
