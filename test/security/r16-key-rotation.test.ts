import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sealerOf } from '../../src/accounts.ts'
import { type Config, loadConfig } from '../../src/config.ts'
import { credentialStore } from '../../src/drivers/postgres/credential-store.ts'
import { connect, type Pool, transaction } from '../../src/drivers/postgres/pool.ts'
import { type Sealer, sealer } from '../../src/drivers/postgres/sealed-column.ts'
import { addHomeKey, homeKeys, packageRoot } from '../../src/home.ts'
import { cloneDatabase, type TestDatabase } from '../support/database.ts'
import { until } from '../support/running-hub.ts'

const CHANNEL = 'mercadolibre:1001'
const PAIR = { accessToken: 'access-1', refreshToken: 'refresh-1', expiresAt: '2030-01-01T00:00:00.000Z' }
const KEYS = 300

let database: TestDatabase
let home: string
let config: Config
let owner: Pool
let worker: Pool
/** As a process that runs all the while has it. */
let running: Sealer

beforeAll(async () => {
  database = await cloneDatabase()
  home = mkdtempSync(join(tmpdir(), 'rosh-r16-'))
  writeFileSync(join(home, 'hub.yaml'), '{}')
  config = loadConfig(variables(), { demo: false })
  owner = connect({ url: database.migratorUrl, role: null, max: 2, applicationName: 'r16 owner' })
  worker = connect({ url: database.url, role: 'rosh_worker', max: 2, applicationName: 'r16' })
  running = sealerOf(config)
  await owner.query(`INSERT INTO channel (id, marketplace, account_id) VALUES ($1, 'mercadolibre', '1001')`, [CHANNEL])
  await credentialStore(worker, running).connect(CHANNEL, PAIR)
  await transaction(worker, async (client) => {
    for (let i = 1; i < KEYS; i += 1) await running.newDataKey(client, 'order')
  })
})
afterAll(async () => {
  await Promise.all([owner?.end(), worker?.end()])
  await database?.drop()
  rmSync(home, { recursive: true, force: true })
})

const variables = () => ({ ROSH_HOME: home, ROSH_CONFIG: join(home, 'hub.yaml'), DATABASE_URL: database.url })
const environment = () => ({ PATH: process.env.PATH, ...variables() })
const program = join(packageRoot, 'src', 'main.ts')
const rotateKeys = (...more: string[]) =>
  spawnSync(process.execPath, [program, 'rotate-keys', ...more], { env: environment(), encoding: 'utf8' })
const secretsFile = (): string => join(home, 'secrets.json')
const nextKeyId = (): string => `home-${Number(homeKeys(home)[0]?.id.replace('home-', '')) + 1}`
const keyOfHome = (): string => homeKeys(home)[0]?.key ?? ''

async function under(): Promise<Record<string, number>> {
  const { rows } = await owner.query<{ kek_id: string; n: number }>('SELECT kek_id, count(*)::int AS n FROM data_key GROUP BY 1')
  return Object.fromEntries(rows.map(({ kek_id, n }) => [kek_id, n]))
}

test('a rotation lets no second one begin; killed midway it goes on when it is run again, and a process that runs all the while reads throughout', async () => {
  const oldKey = keyOfHome()
  // The lock on one row in the middle holds the rotation there, until it is killed.
  const held = await owner.connect()
  await held.query('SET idle_in_transaction_session_timeout = 0')
  await held.query('BEGIN')
  await held.query(`SELECT FROM data_key WHERE id = (SELECT id FROM data_key ORDER BY id OFFSET ${KEYS / 2} LIMIT 1) FOR UPDATE`)
  const first = spawn(process.execPath, [program, 'rotate-keys'], { env: environment(), stdio: 'ignore' })
  await until(async () => (await under())['home-2'] === KEYS / 2, 50_000)
  // Stopped, it keeps its lock for as long as it likes.
  first.kill('SIGSTOP')
  const file = readFileSync(secretsFile(), 'utf8')
  const second = rotateKeys()
  expect({ status: second.status, error: second.stderr }).toMatchObject({
    status: 1,
    error: expect.stringContaining('under way') as string,
  })
  expect(readFileSync(secretsFile(), 'utf8')).toBe(file)
  first.kill('SIGKILL')
  await new Promise((resolve) => first.once('close', resolve))
  await held.query('ROLLBACK')
  held.release()
  // The statement that waited for the row may still have been done.
  expect((await under())['home-1']).toBeGreaterThanOrEqual(KEYS / 2 - 1)
  expect(await credentialStore(worker, running).read(CHANNEL)).toMatchObject(PAIR)
  await transaction(worker, (client) => running.newDataKey(client, 'order'))

  const again = rotateKeys('--json')
  expect(again.stderr).not.toContain('rror')
  expect(JSON.parse(again.stdout)).toMatchObject({ key: 'home-2' })
  expect(await under()).toEqual({ 'home-2': KEYS + 1 })
  expect(await credentialStore(worker, running).read(CHANNEL)).toMatchObject(PAIR)
  expect(readFileSync(secretsFile(), 'utf8')).not.toContain(oldKey)
})

test('a new rotation gives a new key, and the audit log names it', async () => {
  const before = keyOfHome()
  expect(rotateKeys().status).toBe(0)
  expect(keyOfHome()).not.toBe(before)
  expect(await under()).toEqual({ 'home-3': KEYS + 1 })
  expect(await credentialStore(worker, running).read(CHANNEL)).toMatchObject(PAIR)
  const { rows } = await owner.query(`SELECT count(*)::int AS n FROM audit WHERE body LIKE '%rosh rotate-keys%' AND phase = 'intent'`)
  expect(rows).toEqual([{ n: 4 }])
})

// What two rotations from different files leave behind, or one whose file did not survive a power cut: the id is known, the key is not.
async function wrappedElsewhere(kekId: string): Promise<void> {
  const elsewhere = sealer({ kekId, key: randomBytes(32) })
  await transaction(worker, (client) => elsewhere.newDataKey(client, 'order'))
}

test('no key takes the id of one that this home does not hold', async () => {
  const next = nextKeyId()
  await wrappedElsewhere(next)
  const file = readFileSync(secretsFile(), 'utf8')
  const refused = rotateKeys()
  expect({ status: refused.status, error: refused.stderr }).toMatchObject({ status: 1, error: expect.stringContaining(next) as string })
  expect(readFileSync(secretsFile(), 'utf8')).toBe(file)
  await owner.query('DELETE FROM data_key WHERE kek_id = $1', [next])
})

test('a data key under an id of this home that another key bears keeps the rotation from going on', async () => {
  const [oldKey, next] = [keyOfHome(), nextKeyId()]
  addHomeKey(home)
  await wrappedElsewhere(next)
  const refused = rotateKeys()
  expect({ status: refused.status, error: refused.stderr }).toMatchObject({
    status: 1,
    error: expect.stringContaining('does not hold') as string,
  })
  expect(readFileSync(secretsFile(), 'utf8')).toContain(oldKey)
  await owner.query('DELETE FROM data_key WHERE id = (SELECT max(id) FROM data_key)')
  expect(rotateKeys().status).toBe(0)
  expect(Object.keys(await under())).toEqual([next])
  expect(readFileSync(secretsFile(), 'utf8')).not.toContain(oldKey)
})
