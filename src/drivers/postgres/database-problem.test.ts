import { afterAll, beforeAll, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { grantRoles } from './cluster-logins.ts'
import { databaseProblem } from './database-problem.ts'
import { connect, type Role } from './pool.ts'
import { freePort } from './server-process.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await cloneDatabase()
})
afterAll(() => database.drop())

async function failureOf(url: string, role: Role | null, query: string): Promise<unknown> {
  const pool = connect({ url, role, max: 1, applicationName: 'database-problem-test' })
  try {
    return await pool.query(query).catch((error: unknown) => error)
  } finally {
    await pool.end()
  }
}

function elsewhere(change: { port?: string; hostname?: string; pathname?: string }): string {
  return Object.assign(new URL(database.url), change).href
}

const closedPort = async (): Promise<string> => String(await freePort())

test.each([
  [
    'a port where nothing listens',
    async () => failureOf(elsewhere({ port: await closedPort() }), null, 'SELECT 1'),
    /does not answer \(connect ECONNREFUSED .*DATABASE_URL/,
  ],
  [
    'localhost, which is two addresses',
    async () => failureOf(elsewhere({ hostname: 'localhost', port: await closedPort() }), null, 'SELECT 1'),
    /does not answer \(connect ECONNREFUSED /,
  ],
  [
    'a database that is not there',
    () => failureOf(elsewhere({ pathname: '/nowhere' }), null, 'SELECT 1'),
    /no such database; check DATABASE_URL/,
  ],
  [
    'a role that is not there',
    () => failureOf(database.url, 'rosh_nobody' as Role, 'SELECT 1'),
    /has not the hub's roles; run `rosh migrate`/,
  ],
  [
    'a right that is lacking',
    () => failureOf(database.url, 'rosh_reader', 'SELECT * FROM credential'),
    /lacks a right.*run `rosh migrate`/,
  ],
  ['a table that is not there', () => failureOf(database.url, null, 'SELECT FROM not_yet'), /has not the hub's tables; run `rosh migrate`/],
])('%s is named, with what mends it', async (_name, fail, problem) => {
  expect(databaseProblem(await fail())).toMatch(problem)
})

test.each([new Error('a bug'), new TypeError('x is not a function'), 'text', undefined])('%s is no trouble of the database', (error) => {
  expect(databaseProblem(error)).toBeUndefined()
})

test('a database that does not answer is not taken for one that refuses to grant', async () => {
  const failure = await grantRoles({ url: elsewhere({ port: await closedPort() }) }).catch((error: unknown) => error)
  expect(databaseProblem(failure)).toMatch(/does not answer/)
})
