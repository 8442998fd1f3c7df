import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { credentialStore } from '../../src/drivers/postgres/credential-store.ts'
import { connect, type Pool, transaction } from '../../src/drivers/postgres/pool.ts'
import { sealer } from '../../src/drivers/postgres/sealed-column.ts'
import { cloneDatabase, type TestDatabase } from '../support/database.ts'

const CHANNELS = ['mercadolibre:1001', 'mercadolibre:1002']
const sealed = sealer({ kekId: 'k1', key: randomBytes(32) })
const pair = (channel: string) => ({
  accessToken: `canary-access-${channel}`,
  refreshToken: `canary-refresh-${channel}`,
  expiresAt: '2030-01-01T00:00:00.000Z',
})

let database: TestDatabase
let owner: Pool
let worker: Pool
beforeAll(async () => {
  database = await cloneDatabase()
  owner = connect({ url: database.migratorUrl, role: null, max: 1, applicationName: 'r16 owner' })
  worker = connect({ url: database.url, role: 'rosh_worker', max: 2, applicationName: 'r16' })
  await owner.query(`INSERT INTO channel (id, marketplace, account_id) SELECT c, 'mercadolibre', c FROM unnest($1::text[]) AS c`, [
    CHANNELS,
  ])
  for (const channel of CHANNELS) await credentialStore(worker, sealed).connect(channel, pair(channel))
})
afterAll(async () => {
  await Promise.all([owner.end(), worker.end()])
  await database.drop()
})

test('no token stands in the database, in text or in bytes', async () => {
  const { rows } = await owner.query<{ row: string }>(
    `SELECT credential::text AS row FROM credential UNION ALL SELECT data_key::text FROM data_key`,
  )
  const text = rows.map(({ row }) => row).join('\n')
  expect(rows).toHaveLength(4)
  expect(text).not.toContain('canary')
  expect(text).not.toContain(Buffer.from('canary').toString('hex'))
  expect(await credentialStore(worker, sealed).read('mercadolibre:1001')).toMatchObject(pair('mercadolibre:1001'))
})

test('the same token sealed twice is two texts', async () => {
  const place = { table: 'credential', row: 'x', column: 'access_token' }
  const [one, two] = await transaction(worker, async (client) => {
    const keyId = await sealed.newDataKey(client, 'credential')
    return [await sealed.seal(client, keyId, place, 'same'), await sealed.seal(client, keyId, place, 'same')]
  })
  expect(one.equals(two)).toBe(false)
})

test('a sealed token moved to another row, column or key does not open', async () => {
  const store = credentialStore(worker, sealed)
  const restore = async (sql: string): Promise<void> => {
    const { rows } = await owner.query('SELECT channel, key_id, access_token, refresh_token FROM credential')
    await owner.query(sql)
    await expect(store.read('mercadolibre:1001')).rejects.toThrow(/Unsupported state|unable to authenticate/i)
    for (const { channel, key_id, access_token, refresh_token } of rows)
      await owner.query('UPDATE credential SET key_id = $2, access_token = $3, refresh_token = $4 WHERE channel = $1', [
        channel,
        key_id,
        access_token,
        refresh_token,
      ])
  }
  const other = `(SELECT o.%s FROM credential o WHERE o.channel = 'mercadolibre:1002')`
  const at = `WHERE channel = 'mercadolibre:1001'`
  await restore(
    `UPDATE credential SET key_id = ${other.replace('%s', 'key_id')}, access_token = ${other.replace('%s', 'access_token')} ${at}`,
  )
  await restore(`UPDATE credential SET access_token = refresh_token ${at}`)
  await restore(`UPDATE credential SET key_id = ${other.replace('%s', 'key_id')} ${at}`)
  expect(await store.read('mercadolibre:1001')).toMatchObject(pair('mercadolibre:1001'))
})
