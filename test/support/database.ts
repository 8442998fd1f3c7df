import { createHash, randomBytes } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { ensureLogins, hubLogin, ownerLogin } from '../../src/drivers/postgres/cluster-logins.ts'
import { migrate } from '../../src/drivers/postgres/migrate.ts'
import { packageRoot } from '../../src/home.ts'
import { runVariable, serverOf, type TestServer } from './test-server.ts'

/** A migrated database of one's own. */
export type TestDatabase = {
  /** Login `rosh_login`, as the hub has it: member of the roles, owns nothing. */
  url: string
  /** Login `rosh_migrator`, which owns the database: for `hub_clock` and for looking at anything. */
  migratorUrl: string
  name: string
  /** Ends what is still connected and removes the database. The run's end does it too. */
  drop(): Promise<void>
}

/** Clones a database from the run's migrated template; about 60 ms, 1 to 3 s the first time in a run. */
export async function cloneDatabase(folder = runFolder()): Promise<TestDatabase> {
  const server = await serverOf(folder)
  const template = templateName(server)
  const name = `rosh_test_${server.run}_${randomBytes(5).toString('hex')}`
  await withSuperuser(server, async (client) => {
    // One at a time: two copies of one template at once only wait for each other's locks.
    await client.query('select pg_advisory_lock($1)', [cloneLock])
    const made = await client.query('select 1 from pg_database where datname = $1', [template])
    if (made.rowCount === 0) await makeTemplate(server, client, template)
    await copyDatabase(client, name, template)
  })
  return databaseOf(server, name)
}

/** An empty database of one's own, for tests of the migrations themselves. */
export async function emptyDatabase(folder = runFolder()): Promise<TestDatabase> {
  const server = await serverOf(folder)
  const name = `rosh_test_${server.run}_${randomBytes(5).toString('hex')}`
  await withSuperuser(server, async (client) => {
    await client.query('select pg_advisory_lock($1)', [cloneLock])
    await ensureLogins(server.superuserUrl, passwordsOf(server))
    await client.query(`create database ${name} owner ${ownerLogin}`)
  })
  return databaseOf(server, name)
}

const cloneLock = 7_264_538_212
const migrations = join(packageRoot, 'migrations')

function runFolder(): string {
  const folder = process.env[runVariable]
  if (folder === undefined)
    throw new Error(`${runVariable} is not set: a program outside of vitest calls setup() of test/support/global-setup.ts first`)
  return folder
}

function templateName(server: TestServer): string {
  return server.shared ? `rosh_test_${server.run}_template` : 'rosh_test_template'
}

async function makeTemplate(server: TestServer, client: pg.Client, template: string): Promise<void> {
  await ensureLogins(server.superuserUrl, passwordsOf(server))
  // Under another name until it is whole: a run that is killed here, or a bad migration, must not leave half a template.
  const unfinished = `${template}_unfinished`
  await client.query(`drop database if exists ${unfinished} with (force)`)
  await client.query(`create database ${unfinished} owner ${ownerLogin}`)
  if (existsSync(migrations) && readdirSync(migrations).some((name) => name.endsWith('.sql'))) {
    // The template bears a test database's name from the start: what only those may do is checked against it.
    await migrate({ url: databaseOf(server, unfinished).migratorUrl, folder: migrations, log: () => {} })
  }
  await client.query(`alter database ${unfinished} rename to ${template}`)
}

async function copyDatabase(client: pg.Client, name: string, template: string): Promise<void> {
  const { rows } = await client.query<{ version: number }>(`select current_setting('server_version_num')::int as version`)
  const strategy = (rows[0]?.version ?? 0) >= 150_000 ? ` strategy ${copyStrategy}` : ''
  await client.query(`create database ${name} template ${template} owner ${ownerLogin}${strategy}`)
}

// Measured: 40 ms a clone on PostgreSQL 15 where the default, wal_log, takes 250 ms; about half of it on 18.
const copyStrategy = 'file_copy'

function databaseOf(server: TestServer, name: string): TestDatabase {
  const { ownerPassword, hubPassword } = passwordsOf(server)
  return {
    url: urlOf(server, name, { user: hubLogin, password: hubPassword }),
    migratorUrl: urlOf(server, name, { user: ownerLogin, password: ownerPassword }),
    name,
    drop: () =>
      withSuperuser(server, async (client) => {
        await client.query(`drop database if exists ${name} with (force)`)
      }),
  }
}

function urlOf(server: TestServer, database: string, login: { user: string; password: string }): string {
  const url = new URL(server.superuserUrl)
  url.username = login.user
  url.password = login.password
  url.pathname = `/${database}`
  return url.href
}

// Derived, not drawn: two runs on one given server share its logins and must not change each other's passwords.
function passwordsOf(server: TestServer): { ownerPassword: string; hubPassword: string } {
  const derive = (login: string) => createHash('sha256').update(`${login} ${server.superuserUrl}`).digest('hex')
  return { ownerPassword: derive(ownerLogin), hubPassword: derive(hubLogin) }
}

async function withSuperuser(server: TestServer, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: server.superuserUrl, connectionTimeoutMillis: 10_000 })
  client.on('error', () => {})
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}
