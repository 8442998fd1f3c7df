import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.ts'
import type { CredentialStore, TokenPair } from '../../ports/credential-store.ts'
import { credentialStore } from './credential-store.ts'
import { applyGate, readGate } from './gate.ts'
import { connect, type Pool, transaction } from './pool.ts'
import { sealer } from './sealed-column.ts'

const CHANNEL = 'mercadolibre:1'
const LEASE_MS = 30_000

let database: TestDatabase
let pool: Pool
let owner: Pool
let store: CredentialStore

beforeAll(async () => {
  database = await cloneDatabase()
  pool = connect({ url: database.url, role: 'rosh_worker', max: 8, applicationName: 'credential-test' })
  owner = connect({ url: database.migratorUrl, role: null, max: 1, applicationName: 'credential-test-owner' })
  store = credentialStore(pool, sealer({ kekId: 'kek-1', key: randomBytes(32) }))
})

beforeEach(async () => {
  await owner.query('TRUNCATE channel, data_key CASCADE')
  await owner.query(`UPDATE hub_clock SET shift = '0'`)
  await owner.query(`INSERT INTO channel (id, marketplace, account_id) VALUES ($1, 'mercadolibre', '1')`, [CHANNEL])
})

afterAll(async () => {
  await Promise.all([pool.end(), owner.end()])
  await database.drop()
})

const aPair = (n: number) => ({
  accessToken: `APP_USR-access-${n}`,
  refreshToken: `TG-refresh-${n}`,
  expiresAt: '2026-12-01T06:00:00.000Z',
})

async function leased(seenVersion = 1): Promise<string> {
  const answer = await store.leaseRefresh(CHANNEL, seenVersion, LEASE_MS)
  if (answer.kind !== 'leased') throw new Error(`not leased: ${answer.kind}`)
  return answer.lease
}

async function later(seconds: number): Promise<void> {
  await owner.query(`UPDATE hub_clock SET shift = shift + $1 * interval '1 s'`, [seconds])
}

test('a connected account is read back, and a dump of its row shows no token', async () => {
  expect(await store.read(CHANNEL)).toBeNull()
  expect(await store.connect(CHANNEL, aPair(1))).toEqual({ ...aPair(1), version: 1 })
  expect(await store.read(CHANNEL)).toEqual({ ...aPair(1), version: 1 })
  const { rows } = await owner.query<{ dump: string }>(
    `SELECT c::text || k::text || encode(access_token, 'escape') || encode(refresh_token, 'escape') AS dump FROM credential c JOIN data_key k ON k.id = c.key_id`,
  )
  expect(rows[0]?.dump).not.toMatch(/APP_USR|TG-refresh/)
})

test('twenty callers at once cause one refresh, and all of them use its result', async () => {
  await store.connect(CHANNEL, aPair(1))
  let exchanges = 0
  const refresh = async (): Promise<TokenPair> => {
    for (;;) {
      const answer = await store.leaseRefresh(CHANNEL, 1, LEASE_MS)
      if (answer.kind === 'advanced') return answer.current
      if (answer.kind === 'reconnect-required') throw new Error('reconnect')
      if (answer.kind === 'busy') continue
      expect(answer.current.refreshToken).toBe('TG-refresh-1')
      expect(await store.markExchange(CHANNEL, answer.lease)).toBe(true)
      exchanges += 1
      return store.saveRefreshed(CHANNEL, answer.lease, aPair(2))
    }
  }
  const pairs = await Promise.all(Array.from({ length: 20 }, refresh))
  expect(exchanges).toBe(1)
  expect(new Set(pairs.map((p) => JSON.stringify(p)))).toEqual(new Set([JSON.stringify({ ...aPair(2), version: 2 })]))
  expect(await store.leaseRefresh(CHANNEL, 2, LEASE_MS)).toMatchObject({ kind: 'leased', current: { version: 2 } })
})

test('a crash between exchange and save ends in reconnect and a paused channel, not in a second exchange', async () => {
  await store.connect(CHANNEL, aPair(1))
  await store.markExchange(CHANNEL, await leased())
  expect(await store.leaseRefresh(CHANNEL, 1, LEASE_MS)).toEqual({ kind: 'busy' })
  await later(31)
  const answer = await store.leaseRefresh(CHANNEL, 1, LEASE_MS)
  expect(answer.kind).toBe('reconnect-required')
  expect(await readGate(pool, CHANNEL)).toMatchObject({ state: 'paused', pauseCause: 'credentials-rejected' })
  expect(await store.leaseRefresh(CHANNEL, 1, LEASE_MS)).toEqual(answer)
})

test('a crash before the exchange costs nothing: the next caller gets the lease', async () => {
  await store.connect(CHANNEL, aPair(1))
  const dead = await leased()
  await later(31)
  const next = await leased()
  expect(next).not.toBe(dead)
  expect(await store.markExchange(CHANNEL, dead)).toBe(false)
  expect(await store.markExchange(CHANNEL, next)).toBe(true)
})

test('an exchange is not begun under a lease that ran out, nor twice under one', async () => {
  await store.connect(CHANNEL, aPair(1))
  const lease = await leased()
  expect(await store.markExchange(CHANNEL, lease)).toBe(true)
  expect(await store.markExchange(CHANNEL, lease)).toBe(false)
  await store.releaseRefresh(CHANNEL, lease)
  const slow = await leased()
  await later(31)
  expect(await store.markExchange(CHANNEL, slow)).toBe(false)
})

test('a holder that was only slow still saves its pair, and the account is whole again', async () => {
  await store.connect(CHANNEL, aPair(1))
  const lease = await leased()
  await store.markExchange(CHANNEL, lease)
  await later(31)
  await store.leaseRefresh(CHANNEL, 1, LEASE_MS)
  expect(await store.saveRefreshed(CHANNEL, lease, aPair(2))).toEqual({ ...aPair(2), version: 2 })
  expect((await readGate(pool, CHANNEL))?.state).toBe('closed')
})

test('a save that comes after a person reconnected changes nothing and answers what stands', async () => {
  await store.connect(CHANNEL, aPair(1))
  const lease = await leased()
  await store.markExchange(CHANNEL, lease)
  await store.connect(CHANNEL, aPair(9))
  expect(await store.saveRefreshed(CHANNEL, lease, aPair(2))).toEqual({ ...aPair(9), version: 2 })
  expect(await store.read(CHANNEL)).toEqual({ ...aPair(9), version: 2 })
})

test('a refused refresh gives the lease back and the token stays usable', async () => {
  await store.connect(CHANNEL, aPair(1))
  const lease = await leased()
  await store.markExchange(CHANNEL, lease)
  await store.releaseRefresh(CHANNEL, lease)
  expect(await store.leaseRefresh(CHANNEL, 1, LEASE_MS)).toMatchObject({ kind: 'leased' })
})

test('invalid_grant pauses the channel until a person connects the account again', async () => {
  await store.connect(CHANNEL, aPair(1))
  await store.requireReconnect(CHANNEL, await leased(), 'invalid_grant')
  expect(await readGate(pool, CHANNEL)).toMatchObject({ state: 'paused', pauseCause: 'credentials-rejected' })
  expect((await store.leaseRefresh(CHANNEL, 1, LEASE_MS)).kind).toBe('reconnect-required')
  await store.connect(CHANNEL, aPair(3))
  expect((await readGate(pool, CHANNEL))?.state).toBe('closed')
  expect(await store.leaseRefresh(CHANNEL, 2, LEASE_MS)).toMatchObject({ kind: 'leased', current: { accessToken: 'APP_USR-access-3' } })
})

test('a holder whose lease is gone cannot demand a reconnection', async () => {
  await store.connect(CHANNEL, aPair(1))
  const stale = await leased()
  await later(31)
  await leased()
  await store.requireReconnect(CHANNEL, stale, 'invalid_grant')
  expect((await readGate(pool, CHANNEL))?.state).toBe('closed')
})

test('connecting does not end a pause that something else made', async () => {
  await applyGate(pool, CHANNEL, { kind: 'pause', cause: 'channel-paused' })
  await store.connect(CHANNEL, aPair(1))
  expect(await readGate(pool, CHANNEL)).toMatchObject({ state: 'paused', pauseCause: 'channel-paused' })
})

test('the pair before the last one is kept, sealed', async () => {
  await store.connect(CHANNEL, aPair(1))
  await store.saveRefreshed(CHANNEL, await leased(), aPair(2))
  const { rows } = await owner.query<{ previous: Buffer }>('SELECT previous_tokens AS previous FROM credential')
  expect(rows[0]?.previous.length).toBeGreaterThan(100)
  expect(rows[0]?.previous.toString('latin1')).not.toContain('TG-refresh')
})

test('a connection waits for a refresh under way without holding what that one needs', async () => {
  await store.connect(CHANNEL, aPair(1))
  await transaction(pool, async (refreshing) => {
    await refreshing.query('SELECT FROM credential WHERE channel = $1 FOR UPDATE', [CHANNEL])
    const connected = store.connect(CHANNEL, aPair(2))
    await vi.waitUntil(async () => (await owner.query(`SELECT FROM pg_locks WHERE NOT granted`)).rowCount === 1, { timeout: 10_000 })
    await refreshing.query('SELECT FROM channel WHERE id = $1 FOR UPDATE NOWAIT', [CHANNEL])
    await refreshing.query('COMMIT')
    expect((await connected).version).toBe(2)
  })
})

test('an account that was never connected asks for connection', async () => {
  expect((await store.leaseRefresh(CHANNEL, 1, LEASE_MS)).kind).toBe('reconnect-required')
})
