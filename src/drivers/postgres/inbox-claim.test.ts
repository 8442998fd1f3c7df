import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.ts'
import type { ClaimedEvent } from '../../ports/inbox.ts'
import { applyGate, readGate } from './gate.ts'
import { postgresInbox, type PostgresInbox } from './inbox.ts'
import { connect, type Pool } from './pool.ts'

let database: TestDatabase
let ingest: Pool
let worker: Pool
let owner: Pool
let door: PostgresInbox
let inbox: PostgresInbox

beforeAll(async () => {
  database = await cloneDatabase()
  ingest = connect({ url: database.url, role: 'rosh_ingest', max: 2, applicationName: 'claim-test-ingest' })
  worker = connect({ url: database.url, role: 'rosh_worker', max: 8, applicationName: 'claim-test' })
  owner = connect({ url: database.migratorUrl, role: null, max: 2, applicationName: 'claim-test-owner' })
  door = postgresInbox(ingest, { maxTries: 12 })
  inbox = postgresInbox(worker, { maxTries: 12 })
})

beforeEach(async () => {
  await owner.query('TRUNCATE channel, inbound_request CASCADE')
  await owner.query(`UPDATE hub_clock SET shift = '0'`)
  await owner.query(
    `INSERT INTO channel (id, marketplace, account_id, bucket_size, bucket_tokens) VALUES ('paris:main', 'paris', 'main', 1000, 1000), ('mercadolibre:1', 'mercadolibre', '1', 1000, 1000)`,
  )
})

afterAll(async () => {
  await Promise.all([ingest.end(), worker.end(), owner.end()])
  await database.drop()
})

const LEASE_MS = 30_000
let serial = 0

/** Stores an event of the resource and answers its id. */
async function arrive(resource: string, channel = 'paris:main'): Promise<string> {
  serial += 1
  const key = `${resource} ${serial}`
  const [receipt] = await door.record(
    { channel, path: '/webhooks/paris', headers: {}, body: Buffer.from(key), sourceIp: null, traceparent: null },
    'accepted',
    [{ channel, topic: 'order', resource, sourceEventId: key, dedupeKey: key, comparable: key, orderKey: null, ignore: null }],
  )
  return receipt?.eventId ?? ''
}

const claim = (limit = 10, channel = 'paris:main') => inbox.claim(channel, limit, LEASE_MS)

async function claimOne(): Promise<ClaimedEvent> {
  const [event] = await claim(1)
  if (!event) throw new Error('nothing to claim')
  return event
}

async function later(seconds: number): Promise<void> {
  await owner.query(`UPDATE hub_clock SET shift = shift + $1 * interval '1 s'`, [seconds])
}

async function row(eventId: string): Promise<Record<string, unknown>> {
  const { rows } = await owner.query(
    'SELECT state, reason, cause, tries, lease, unfinished, unfinished_alone FROM inbound_event WHERE event_id = $1',
    [eventId],
  )
  return rows[0] as Record<string, unknown>
}

const none = { kind: 'none' } as const

test('due events of one channel are claimed in order, each under a lease of its own', async () => {
  const ids = [await arrive('/orders/1'), await arrive('/orders/2')]
  await arrive('/orders/3', 'mercadolibre:1')
  const events = await claim()
  expect(events.map((e) => e.eventId)).toEqual(ids)
  expect(new Set(events.map((e) => e.lease)).size).toBe(2)
  expect(events[0]).toMatchObject({
    channel: 'paris:main',
    topic: 'order',
    resource: '/orders/1',
    tries: 0,
    traceparent: null,
  })
  expect(await claim()).toEqual([])
})

test('claims at once never give one event twice', async () => {
  for (let i = 0; i < 60; i += 1) await arrive(`/orders/${i}`)
  const claimed = (await Promise.all(Array.from({ length: 8 }, () => claim(10)))).flat()
  expect(claimed).toHaveLength(60)
  expect(new Set(claimed.map((e) => e.eventId)).size).toBe(60)
})

test('of several due events of one resource the newest is claimed and the older ones end as coalesced', async () => {
  const ids = [await arrive('/orders/1'), await arrive('/orders/1'), await arrive('/orders/1')]
  const other = await arrive('/orders/2')
  expect(new Set((await claim()).map((e) => e.eventId))).toEqual(new Set([ids[2], other]))
  expect(await row(ids[0]!)).toMatchObject({ state: 'ignored', reason: 'coalesced' })
  expect(await row(ids[1]!)).toMatchObject({ state: 'ignored', reason: 'coalesced' })
})

test('an event waits while another of its resource is being fetched', async () => {
  await arrive('/orders/1')
  const first = await claimOne()
  const second = await arrive('/orders/1')
  expect(await claim()).toEqual([])
  await inbox.end(first, { state: 'ignored', reason: 'unchanged' })
  expect((await claim()).map((e) => e.eventId)).toEqual([second])
})

test('a thousand events of one resource do not keep the others waiting', async () => {
  await owner.query(
    `WITH r AS (INSERT INTO inbound_request (path, verdict, headers, body_sha256, body_bytes) VALUES ('/x', 'accepted', '{}', ''::bytea, 0) RETURNING id)
     INSERT INTO inbound_event (event_id, request_id, channel, topic, resource, dedupe_key, comparable, max_tries)
     SELECT gen_random_uuid(), r.id, 'paris:main', 'order', '/orders/hot', sha256(n::text::bytea), sha256(n::text::bytea), 12 FROM r, generate_series(1, 1000) n`,
  )
  const cold = await arrive('/orders/cold')
  const [hot] = await claim(20)
  expect(hot?.resource).toBe('/orders/hot')
  expect((await claim(20)).map((e) => e.eventId)).toEqual([cold])
})

test('a finish with an old lease changes nothing', async () => {
  const id = await arrive('/orders/1')
  const stale = await claimOne()
  await later(31)
  const fresh = await claimOne()
  expect(fresh.eventId).toBe(id)
  expect(await inbox.end(stale, { state: 'dead', cause: 'inbound-dead', gate: { kind: 'pause', cause: 'credentials-rejected' } })).toBe(
    false,
  )
  expect(await row(id)).toMatchObject({ state: 'pending', lease: fresh.lease })
  expect((await readGate(worker, 'paris:main'))?.state).toBe('closed')
  expect(await inbox.end(fresh, { state: 'ignored', reason: 'unchanged' })).toBe(true)
  expect(await inbox.end(fresh, { state: 'ignored', reason: 'unchanged' })).toBe(false)
})

test('a failed fetch waits out its delay and counts when it says so', async () => {
  const id = await arrive('/orders/1')
  await inbox.end(await claimOne(), { state: 'pending', delayMs: 60_000, counted: true, cause: 'inbound-failing', gate: none })
  expect(await claim()).toEqual([])
  expect(await row(id)).toMatchObject({ state: 'pending', tries: 1, cause: 'inbound-failing', unfinished: 0, lease: null })
  await later(61)
  const again = await claimOne()
  expect(again.tries).toBe(1)
  await inbox.end(again, { state: 'pending', delayMs: 0, counted: false, cause: 'rate-limited', gate: none })
  expect(await row(id)).toMatchObject({ tries: 1 })
})

test('a dead event keeps its cause and is not claimed again', async () => {
  const id = await arrive('/orders/1')
  await inbox.end(await claimOne(), { state: 'dead', cause: 'unmapped-status', gate: { kind: 'healthy' } })
  expect(await row(id)).toMatchObject({ state: 'dead', cause: 'unmapped-status', reason: null, tries: 1 })
  await later(100_000)
  expect(await claim()).toEqual([])
})

const claimSuspect = (channel = 'paris:main') => inbox.claimSuspect(channel, LEASE_MS)

test('an event claimed three times without a finish is a suspect, claimed alone, and dies of poison after two more', async () => {
  const poison = await arrive('/orders/poison')
  for (let i = 0; i < 3; i += 1) {
    expect(await inbox.suspects()).toEqual([])
    expect((await claim()).map((e) => e.eventId)).toEqual([poison])
    await later(31)
  }
  const healthy = await arrive('/orders/1')
  expect((await claim()).map((e) => e.eventId)).toEqual([healthy])
  for (let i = 0; i < 2; i += 1) {
    expect(await inbox.suspects()).toEqual(['paris:main'])
    expect(await claimSuspect()).toMatchObject({ eventId: poison })
    expect([await inbox.suspects(), await claimSuspect()]).toEqual([[], null])
    await later(31)
  }
  expect(await inbox.suspects()).toEqual([])
  expect(await row(poison)).toMatchObject({ state: 'dead', cause: 'poison', lease: null })
})

test('a suspect that finishes once is a suspect no more', async () => {
  const id = await arrive('/orders/1')
  for (let i = 0; i < 3; i += 1) {
    await claim()
    await later(31)
  }
  const suspect = await claimSuspect()
  if (suspect === null) throw new Error('no suspect')
  await inbox.end(suspect, { state: 'pending', delayMs: 0, counted: false, cause: 'inbound-waiting', gate: none })
  expect(await row(id)).toMatchObject({ unfinished: 0, unfinished_alone: 0 })
  expect((await claim()).map((e) => e.eventId)).toEqual([id])
})

test('a suspect of a channel whose gate is shut waits, and its process works on', async () => {
  await arrive('/orders/1')
  for (let i = 0; i < 3; i += 1) {
    await claim()
    await later(31)
  }
  await applyGate(worker, 'paris:main', { kind: 'pause', cause: 'credentials-rejected' })
  expect([await inbox.suspects(), await claimSuspect()]).toEqual([[], null])
})

test.each([
  ['paused', { kind: 'pause', cause: 'credentials-rejected' }],
  ['rate-limited', { kind: 'limit', forMs: 60_000 }],
] as const)('nothing is claimed from a channel that is %s, and the others go on', async (_name, effect) => {
  await arrive('/orders/1')
  const other = await arrive('/orders/2', 'mercadolibre:1')
  await applyGate(worker, 'paris:main', effect)
  expect(await claim()).toEqual([])
  expect((await claim(10, 'mercadolibre:1')).map((e) => e.eventId)).toEqual([other])
})

test('an open circuit lets one probe through, and its success the rest', async () => {
  for (let i = 0; i < 5; i += 1) await arrive(`/orders/${i}`)
  for (let i = 0; i < 5; i += 1) await applyGate(worker, 'paris:main', { kind: 'failure' })
  expect(await claim()).toEqual([])
  await later(6)
  const [probe, ...more] = await claim()
  expect(more).toEqual([])
  expect(await claim()).toEqual([])
  await inbox.end(probe!, { state: 'pending', delayMs: 0, counted: true, cause: 'inbound-failing', gate: { kind: 'healthy' } })
  expect(await claim()).toHaveLength(5)
})

test('a paused channel of a key lets one probe through, and its answer the rest', async () => {
  for (let i = 0; i < 3; i += 1) await arrive(`/orders/${i}`)
  await applyGate(worker, 'paris:main', { kind: 'pause', cause: 'credentials-rejected' }, false)
  await later(6)
  const [probe, ...more] = await claim()
  expect([probe?.probe, more]).toEqual([true, []])
  const refused = { kind: 'pause', cause: 'credentials-rejected' } as const
  await inbox.end(probe!, { state: 'pending', delayMs: 0, counted: false, cause: 'inbound-failing', gate: refused })
  expect(await claim()).toEqual([])
  await later(10)
  await inbox.end(await claimOne(), { state: 'pending', delayMs: 0, counted: true, cause: 'inbound-failing', gate: { kind: 'healthy' } })
  expect(await claim()).toHaveLength(3)
})

test('a suspect of a paused channel of a key may be its probe', async () => {
  await arrive('/orders/1')
  for (let i = 0; i < 3; i += 1) {
    await claim()
    await later(31)
  }
  await applyGate(worker, 'paris:main', { kind: 'pause', cause: 'credentials-rejected' }, false)
  await later(6)
  expect([await inbox.suspects(), (await claimSuspect())?.probe]).toEqual([['paris:main'], true])
})

test('only the probe that fails puts the next probe off', async () => {
  for (let i = 0; i < 5; i += 1) await arrive(`/orders/${i}`)
  const underWay = await claim(3)
  for (let i = 0; i < 5; i += 1) await applyGate(worker, 'paris:main', { kind: 'failure' })
  const failed = { state: 'pending', delayMs: 0, counted: false, cause: 'inbound-failing', gate: { kind: 'failure' } } as const
  for (const event of underWay) await inbox.end(event, failed)
  expect((await readGate(worker, 'paris:main'))?.failures).toBe(5)
  await later(6)
  await inbox.end(await claimOne(), failed)
  expect((await readGate(worker, 'paris:main'))?.failures).toBe(6)
})

test('a worker may not forge what arrived, and the door may not touch what was stored', async () => {
  await arrive('/orders/1')
  await expect(ingest.query(`UPDATE inbound_event SET state = 'applied'`)).rejects.toThrow('permission denied')
  await expect(ingest.query('DELETE FROM inbound_request')).rejects.toThrow('permission denied')
  await expect(worker.query('UPDATE inbound_request SET body = NULL')).rejects.toThrow('permission denied')
})
