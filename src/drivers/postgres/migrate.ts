import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { SetupError } from '../../core/setup-error.ts'

export type MigrationRun = {
  /** Login that owns the database. */
  url: string
  /** Folder of the numbered `.sql` files. */
  folder: string
  log: (text: string) => void
}

/** A migration that cannot be applied; its text names the file and what to do. */
export class MigrationError extends SetupError {
  override readonly name = 'MigrationError'
}

/**
 * Applies every migration the database has not seen, in order, each in a transaction of its own, and returns their file names.
 * Two at once wait for each other; a killed run is simply run again. Throws a MigrationError when a merged migration was
 * edited, removed or numbered into the past, and when one fails; those before it stay applied.
 */
export async function migrate({ url, folder, log }: MigrationRun): Promise<string[]> {
  const migrations = readMigrations(folder)
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  client.on('error', () => {}) // the query that was running rejects with it
  await client.connect()
  try {
    // Without it a statement of a killed run goes on, and holds the lock, until it ends. Not every platform can do it.
    await client.query(`set client_connection_check_interval = '1s'`).catch(() => {})
    // Session level: it outlives the single transactions, and the server frees it when this process dies.
    await client.query('select pg_advisory_lock($1)', [lockKey])
    await client.query(bookkeeping)
    const pending = pendingOf(migrations, await appliedOf(client))
    for (const migration of pending) {
      await apply(client, migration)
      log(`applied ${migration.name}`)
    }
    return pending.map(({ name }) => name)
  } finally {
    await client.end()
  }
}

/** File names of the migrations that this database has not seen. Needs no right but to read the list of those applied. */
export async function pendingMigrations({ url, folder }: Omit<MigrationRun, 'log'>): Promise<string[]> {
  const migrations = readMigrations(folder)
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  client.on('error', () => {}) // the query that was running rejects with it
  await client.connect()
  try {
    const { rows } = await client.query<{ there: boolean }>(`select to_regclass('schema_migration') is not null as there`)
    return pendingOf(migrations, rows[0]?.there ? await appliedOf(client) : []).map(({ name }) => name)
  } finally {
    await client.end()
  }
}

type Migration = { version: number; name: string; sha256: string; sql: string }
type Applied = { version: number; name: string; sha256: string }

// Any constant of our own; advisory locks are per database.
const lockKey = 7_264_538_211

const bookkeeping = `create table if not exists schema_migration (
  version integer primary key,
  name text not null,
  sha256 text not null,
  applied_at timestamptz not null default statement_timestamp()
);
grant select on schema_migration to public`

function readMigrations(folder: string): Migration[] {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .toSorted()
  const migrations = names.map((name) => readMigration(folder, name))
  const twice = migrations.find(({ version }, index) => migrations[index - 1]?.version === version)
  if (twice) throw new MigrationError(`two migrations have the number of ${twice.name}: give the newer one the next free number`)
  return migrations
}

function readMigration(folder: string, name: string): Migration {
  const number = /^(\d{4})_[a-z0-9_]+\.sql$/.exec(name)?.[1]
  if (number === undefined) throw new MigrationError(`${name} is not named like 0001_what_it_does.sql`)
  // A checkout may have turned the line ends; that is no edit.
  const sql = readFileSync(join(folder, name), 'utf8').replaceAll('\r\n', '\n')
  if (/^\s*(begin|commit|rollback|start transaction)\s*;/im.test(sql)) {
    throw new MigrationError(`${name} begins or ends a transaction: it runs in one already, remove the statement`)
  }
  return { version: Number(number), name, sha256: createHash('sha256').update(sql).digest('hex'), sql }
}

async function appliedOf(client: pg.Client): Promise<Applied[]> {
  const { rows } = await client.query<Applied>('select version, name, sha256 from schema_migration order by version')
  return rows
}

function pendingOf(migrations: Migration[], applied: Applied[]): Migration[] {
  const files = new Map(migrations.map((migration) => [migration.version, migration]))
  for (const { version, name, sha256 } of applied) {
    const file = files.get(version)
    if (file === undefined) {
      throw new MigrationError(
        `the database has ${name}, which this release does not: it was migrated by a newer release, start that one (migrations only go forward)`,
      )
    }
    if (file.sha256 !== sha256) {
      throw new MigrationError(
        `${file.name} was edited after this database applied it${file.name === name ? '' : ` as ${name}`}: restore it and put the change into a new migration`,
      )
    }
  }
  const done = new Set(applied.map(({ version }) => version))
  const newest = applied.at(-1)
  const pending = migrations.filter(({ version }) => !done.has(version))
  const late = pending.find(({ version }) => newest !== undefined && version < newest.version)
  if (late && newest)
    throw new MigrationError(`${late.name} comes before ${newest.name}, which the database has already: give it the next free number`)
  return pending
}

async function apply(client: pg.Client, migration: Migration): Promise<void> {
  try {
    await client.query('begin')
    await client.query(migration.sql)
    await client.query('insert into schema_migration (version, name, sha256) values ($1, $2, $3)', [
      migration.version,
      migration.name,
      migration.sha256,
    ])
    await client.query('commit')
  } catch (error) {
    await client.query('rollback').catch(() => {}) // the connection may be what failed
    throw new MigrationError(`${migration.name}${placeOf(error, migration.sql)} failed: ${(error as Error).message}`, { cause: error })
  }
}

function placeOf(error: unknown, sql: string): string {
  const position = error instanceof pg.DatabaseError ? Number(error.position) : Number.NaN
  return Number.isInteger(position) ? `, line ${sql.slice(0, position).split('\n').length},` : ''
}
