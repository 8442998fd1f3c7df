import { afterAll, beforeAll, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { type Rows, rowsOf } from '../../../test/support/rows.ts'
import { connect, type Pool } from './pool.ts'

let database: TestDatabase
let owner: Pool
let rows: Rows
beforeAll(async () => {
  database = await cloneDatabase()
  owner = connect({ url: database.migratorUrl, role: null, max: 2, applicationName: 'conservation-test' })
  rows = rowsOf(owner)
  await rows.channel('mercadolibre:1001')
})
afterAll(async () => {
  await owner.end()
  await database.drop()
})

const inbound = async (): Promise<unknown> =>
  (await owner.query(`SELECT taken::int, accounted::int FROM conservation WHERE flow = 'inbound'`)).rows[0]

test('a request that was accepted and has no event is red; refused ones and copies hold none', async () => {
  await rows.inbound()
  for (const verdict of ['duplicate', 'bad-signature', 'malformed']) await rows.request({ verdict })
  expect(await inbound()).toEqual({ taken: 1, accounted: 1 })
  await rows.request({ verdict: 'accepted' })
  expect(await inbound()).toEqual({ taken: 2, accounted: 1 })
})
