import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { emptyDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { MigrationError, migrate } from './migrate.ts'

let database: TestDatabase
let folder: string

beforeEach(async () => {
  database = await emptyDatabase()
  folder = mkdtempSync(join(tmpdir(), 'rosh-migrations-'))
  write('0001_shelf.sql', 'create table shelf (id int);')
  write('0002_book.sql', 'create table book (id int);\ninsert into book values (1);')
})

afterEach(async () => {
  rmSync(folder, { recursive: true })
  await database.drop()
})

const write = (name: string, sql: string) => writeFileSync(join(folder, name), sql)
const run = () => migrate({ url: database.migratorUrl, folder, log: () => {} })

async function ask(sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: database.migratorUrl })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows
  } finally {
    await client.end()
  }
}

test('each migration is applied once, in order', async () => {
  expect(await run()).toEqual(['0001_shelf.sql', '0002_book.sql'])
  expect(await run()).toEqual([])
  write('0003_loan.sql', 'create table loan (id int);')
  expect(await run()).toEqual(['0003_loan.sql'])
  expect(await ask('select version, name from schema_migration order by version')).toEqual([
    { version: 1, name: '0001_shelf.sql' },
    { version: 2, name: '0002_book.sql' },
    { version: 3, name: '0003_loan.sql' },
  ])
})

test('two runs at once apply each migration once', async () => {
  const applied = await Promise.all([run(), run(), run()])
  expect(applied.flat().toSorted()).toEqual(['0001_shelf.sql', '0002_book.sql'])
  expect(await ask('select count(*)::int as books from book')).toEqual([{ books: 1 }])
})

test('a failed migration names its file and line, leaves nothing of itself and keeps those before it', async () => {
  write('0002_book.sql', 'create table book (id int);\n\nselect no_such_thing;')
  await expect(run()).rejects.toThrow(/0002_book\.sql, line 3, failed: column "no_such_thing" does not exist/)
  expect(await ask(`select to_regclass('book') as book, to_regclass('shelf')::text as shelf`)).toEqual([{ book: null, shelf: 'shelf' }])
  write('0002_book.sql', 'create table book (id int);')
  expect(await run()).toEqual(['0002_book.sql'])
})

test('an edited migration is refused', async () => {
  await run()
  write('0001_shelf.sql', 'create table shelf (id bigint);')
  await expect(run()).rejects.toBeInstanceOf(MigrationError)
  await expect(run()).rejects.toThrow('0001_shelf.sql was edited after this database applied it: restore it')
})

test('other line ends are no edit', async () => {
  await run()
  write('0002_book.sql', 'create table book (id int);\r\ninsert into book values (1);')
  expect(await run()).toEqual([])
})

test('a migration that is missing from the release is refused', async () => {
  await run()
  unlinkSync(join(folder, '0002_book.sql'))
  await expect(run()).rejects.toThrow('the database has 0002_book.sql, which this release does not')
})

test('a migration numbered into the past is refused', async () => {
  unlinkSync(join(folder, '0001_shelf.sql'))
  await run()
  write('0001_late.sql', 'select 1;')
  await expect(run()).rejects.toThrow('0001_late.sql comes before 0002_book.sql')
})

test.each([
  ['book.sql', 'select 1;', 'book.sql is not named like'],
  ['0002_twice.sql', 'select 1;', 'two migrations have the number of 0002_twice.sql'],
  ['0003_own_transaction.sql', 'select 1;\nCOMMIT;', '0003_own_transaction.sql begins or ends a transaction'],
])('%s is refused before anything is applied', async (name, sql, message) => {
  write(name, sql)
  await expect(run()).rejects.toThrow(message)
  expect(await ask(`select to_regclass('shelf') as shelf`)).toEqual([{ shelf: null }])
})

test('a run that is killed midway is simply run again', async () => {
  write('0002_book.sql', 'create table book (id int);\nselect pg_sleep(60);')
  const program = `import { migrate } from ${JSON.stringify(join(import.meta.dirname, 'migrate.ts'))}
await migrate(${JSON.stringify({ url: database.migratorUrl, folder })})`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program.replace('})', ', log: () => {} })')], { stdio: 'ignore' })
  const exited = new Promise((resolve) => child.once('exit', resolve))
  await expect
    .poll(() => ask(`select count(*)::int as n from pg_stat_activity where query like '%pg_sleep(60)%' and pid <> pg_backend_pid()`), {
      timeout: 20_000,
    })
    .toEqual([{ n: 1 }])
  child.kill('SIGKILL')
  await exited
  write('0002_book.sql', 'create table book (id int);')
  expect(await run()).toEqual(['0002_book.sql'])
})
