import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cloneDatabase, emptyDatabase, type TestDatabase } from '../../test/support/database.ts'
import { loadConfig } from '../config.ts'
import type { CliContext } from './context.ts'
import { startDatabase } from './database.ts'

let home: string
let migrated: TestDatabase
let empty: TestDatabase
const context: CliContext = { env: {}, signal: new AbortController().signal, print: () => {}, progress: () => {} }

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'rosh-database-'))
  migrated = await cloneDatabase()
  empty = await emptyDatabase()
})
afterAll(async () => {
  await Promise.all([migrated?.drop(), empty?.drop()])
  await rm(home, { recursive: true })
})

const configOf = (variables: Record<string, string>) => loadConfig({ ROSH_HOME: home, ...variables }, { demo: false })

test('a login that owns nothing starts on a schema that is up to date', async () => {
  expect(await startDatabase(configOf({ DATABASE_URL: migrated.url }), context)).toEqual({
    url: migrated.url,
    embedded: false,
    applied: [],
  })
})

test('a login that owns nothing is told which login brings an old schema up to date', async () => {
  await expect(startDatabase(configOf({ DATABASE_URL: empty.url }), context)).rejects.toMatchObject({
    code: 'not-migrated',
    exitCode: 2,
    message: expect.stringMatching(/0001_.*MIGRATOR_DATABASE_URL/s),
  })
})

test('the owner’s login migrates, and the hub’s own owns nothing of it', async () => {
  const config = configOf({ DATABASE_URL: empty.url, MIGRATOR_DATABASE_URL: empty.migratorUrl })
  const started = await startDatabase(config, context)
  expect(started.url).toBe(empty.url)
  expect(started.applied[0]).toMatch(/^0001_/)
  const client = new pg.Client({ connectionString: empty.url })
  await client.connect()
  const { rows } = await client.query(`SELECT count(*)::int AS owned FROM pg_tables WHERE tableowner = session_user`)
  await client.query('SET ROLE rosh_worker')
  await client.end()
  expect(rows).toEqual([{ owned: 0 }])
})

test('the owner’s login alone is refused by name', () => {
  expect(() => configOf({ MIGRATOR_DATABASE_URL: empty.migratorUrl })).toThrow(/DATABASE_URL: needed because MIGRATOR_DATABASE_URL is set/)
})
