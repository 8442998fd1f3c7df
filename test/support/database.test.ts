import pg from 'pg'
import { expect, test } from 'vitest'
import { grantRoles } from '../../src/drivers/postgres/cluster-logins.ts'
import { cloneDatabase } from './database.ts'

async function ask(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows
  } finally {
    await client.end()
  }
}

test('two clones are migrated and see nothing of each other', async () => {
  const [one, two] = await Promise.all([cloneDatabase(), cloneDatabase()])
  await ask(one.migratorUrl, 'create table only_here (id int)')
  expect(one.name).toMatch(/^rosh_test_/)
  expect(await ask(two.migratorUrl, `select to_regclass('only_here') as found`)).toEqual([{ found: null }])
  expect(await ask(two.migratorUrl, 'select count(*)::int > 0 as migrated from schema_migration')).toEqual([{ migrated: true }])
  await Promise.all([one.drop(), two.drop()])
})

test('the login of the hub owns nothing and takes each role', async () => {
  const database = await cloneDatabase()
  const owned = await ask(database.url, `select count(*)::int as tables from pg_class where relowner = current_user::regrole`)
  expect(owned).toEqual([{ tables: 0 }])
  for (const role of ['rosh_ingest', 'rosh_worker', 'rosh_operator', 'rosh_reader', 'rosh_auditor']) {
    await ask(database.url, `set role ${role}`)
  }
  await expect(ask(database.url, 'create table mine (id int)')).rejects.toThrow(/permission denied/)
  await expect(ask(database.url, `set role rosh_migrator`)).rejects.toThrow(/permission denied/)
  await database.drop()
})

test('only a test database may shift the clock of the hub', async () => {
  const database = await cloneDatabase()
  await ask(database.migratorUrl, `update hub_clock set shift = interval '1 hour'`)
  expect(await ask(database.url, `select hub_now() > now() + interval '59 minutes' as shifted`)).toEqual([{ shifted: true }])
  await database.drop()
})

test('a dropped database is gone although somebody was connected', async () => {
  const database = await cloneDatabase()
  const client = new pg.Client({ connectionString: database.url })
  client.on('error', () => {})
  await client.connect()
  await database.drop()
  await expect(ask(database.migratorUrl, 'select 1')).rejects.toThrow(/does not exist/)
  await client.end()
})

test('the owner makes another login a member of the roles, and a login that may not is told who can', async () => {
  const database = await cloneDatabase()
  await ask(database.migratorUrl, `create role rosh_test_guest login password 'guest'`)
  const guest = new URL(database.migratorUrl)
  guest.username = 'rosh_test_guest'
  guest.password = 'guest'
  await expect(grantRoles({ url: guest.href })).rejects.toThrow(
    /let an administrator grant rosh_ingest, .* to the login of the database URL/,
  )
  await expect(ask(guest.href, 'set role rosh_reader')).rejects.toThrow(/permission denied/)
  await grantRoles({ url: database.migratorUrl, login: 'rosh_test_guest' })
  await ask(guest.href, 'set role rosh_reader')
  await ask(database.migratorUrl, 'drop role rosh_test_guest')
  await database.drop()
})
