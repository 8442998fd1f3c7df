import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { connect, type Pool, transaction } from './pool.ts'
import { forgetRetired, type KeyRing, rotateDataKeys, sealer } from './sealed-column.ts'

const ring: KeyRing = { kekId: 'kek-1', key: randomBytes(32) }
const sealed = sealer(ring)
const place = { table: 'credential', row: 'paris:main', column: 'access_token' }

let database: TestDatabase
let pool: Pool
let owner: Pool

beforeAll(async () => {
  database = await cloneDatabase()
  pool = connect({ url: database.url, role: 'rosh_worker', max: 2, applicationName: 'sealed-test' })
  owner = connect({ url: database.migratorUrl, role: null, max: 1, applicationName: 'sealed-test-owner' })
})

afterAll(async () => {
  await Promise.all([pool.end(), owner.end()])
  await database.drop()
})

const newKey = () => transaction(pool, (client) => sealed.newDataKey(client, 'order'))

test('what was sealed opens again in its place, and no two sealings look alike', async () => {
  const keyId = await newKey()
  const [a, b] = [await sealed.seal(pool, keyId, place, 'Ñandú 🛵'), await sealed.seal(pool, keyId, place, 'Ñandú 🛵')]
  expect(a.equals(b)).toBe(false)
  expect(await sealed.open(pool, keyId, place, a)).toBe('Ñandú 🛵')
  expect(await sealed.open(pool, keyId, place, await sealed.seal(pool, keyId, place, ''))).toBe('')
})

test('a key made in a transaction seals within it', async () => {
  const value = await transaction(pool, async (client) => {
    const keyId = await sealed.newDataKey(client, 'credential')
    return sealed.open(client, keyId, place, await sealed.seal(client, keyId, place, 'secret'))
  })
  expect(value).toBe('secret')
})

test.each([
  ['table', { ...place, table: 'silver_order' }],
  ['row', { ...place, row: 'paris:other' }],
  ['column', { ...place, column: 'refresh_token' }],
])('a ciphertext moved to another %s does not open', async (_name, elsewhere) => {
  const keyId = await newKey()
  const value = await sealed.seal(pool, keyId, place, 'secret')
  await expect(sealed.open(pool, keyId, elsewhere, value)).rejects.toThrow(/unable to authenticate data/i)
})

test('a ciphertext under another key, changed by one bit, or cut does not open', async () => {
  const [keyId, other] = [await newKey(), await newKey()]
  const value = await sealed.seal(pool, keyId, place, 'secret')
  await expect(sealed.open(pool, other, place, value)).rejects.toThrow(/unable to authenticate data/i)
  for (let at = 0; at < value.length; at += 1) {
    const changed = Buffer.from(value)
    changed[at] = (changed[at] ?? 0) ^ 1
    await expect(sealed.open(pool, keyId, place, changed)).rejects.toThrow(/unable to authenticate data|unknown format/i)
  }
  for (const length of [0, 1, 28, value.length - 1])
    await expect(sealed.open(pool, keyId, place, value.subarray(0, length))).rejects.toThrow(/unable to authenticate data|unknown format/i)
})

test('a wrapped key that changes place with another opens nothing', async () => {
  const [keyId, other] = [await newKey(), await newKey()]
  const value = await sealed.seal(pool, keyId, place, 'secret')
  await owner.query('UPDATE data_key a SET wrapped = b.wrapped FROM data_key b WHERE a.id = $1 AND b.id = $2', [keyId, other])
  await expect(sealed.open(pool, keyId, place, value)).rejects.toThrow(/unable to authenticate data/i)
})

test('when the key is deleted the value is gone for good', async () => {
  const keyId = await newKey()
  const value = await sealed.seal(pool, keyId, place, 'secret')
  await owner.query('DELETE FROM data_key WHERE id = $1', [keyId])
  expect(await sealed.open(pool, keyId, place, value)).toBeNull()
  await expect(sealed.seal(pool, keyId, place, 'secret')).rejects.toThrow('does not exist')
})

test('rotation wraps every key anew, goes on where it was killed, and the old key is needed no more', async () => {
  await owner.query('DELETE FROM data_key')
  const keyIds = [await newKey(), await newKey(), await newKey()]
  const values = await Promise.all(keyIds.map((keyId) => sealed.seal(pool, keyId, place, keyId)))
  const next: KeyRing = { kekId: 'kek-2', key: randomBytes(32), retired: [ring] }
  expect(await rotateDataKeys(pool, next, 2)).toBe(2)
  const during = sealer(next)
  for (const [at, keyId] of keyIds.entries()) expect(await during.open(pool, keyId, place, values[at]!)).toBe(keyId)
  expect(await rotateDataKeys(pool, next, 2)).toBe(1)
  expect(await rotateDataKeys(pool, next, 2)).toBe(0)
  const after = sealer({ kekId: 'kek-2', key: next.key })
  for (const [at, keyId] of keyIds.entries()) expect(await after.open(pool, keyId, place, values[at]!)).toBe(keyId)
  await expect(sealed.open(pool, keyIds[0]!, place, values[0]!)).rejects.toThrow('kek-2, which is not configured')
})

test('the retired key is forgotten when the newest opens every data key by itself, whatever id they carry', async () => {
  await owner.query('DELETE FROM data_key')
  const next: KeyRing = { kekId: 'kek-2', key: randomBytes(32), retired: [ring] }
  let forgotten = 0
  const forget = (): void => void (forgotten += 1)
  const id = await newKey()
  expect(await forgetRetired(pool, next, forget)).toEqual({ id, kekId: ring.kekId })
  await rotateDataKeys(pool, next, 2)
  const namesake = sealer({ kekId: 'kek-2', key: randomBytes(32) })
  const strange = await transaction(pool, (client) => namesake.newDataKey(client, 'order'))
  expect(await forgetRetired(pool, next, forget)).toEqual({ id: strange, kekId: 'kek-2' })
  expect(forgotten).toBe(0)
  await owner.query('DELETE FROM data_key WHERE id = $1', [strange])
  expect(await forgetRetired(pool, next, forget)).toBeNull()
  expect(forgotten).toBe(1)
})

test('a key ring without a whole key is refused', () => {
  expect(() => sealer({ kekId: 'short', key: randomBytes(16) })).toThrow('key-encryption key short has 16 bytes')
  expect(() => sealer({ kekId: '', key: randomBytes(32) })).toThrow('needs an id')
})
