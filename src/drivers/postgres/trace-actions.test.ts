import { afterAll, beforeAll, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { connect, type Pool } from './pool.ts'
import { actionsOn, readActions } from './trace-actions.ts'

let database: TestDatabase
let owner: Pool
beforeAll(async () => {
  database = await cloneDatabase()
  owner = connect({ url: database.migratorUrl, role: null, max: 1, applicationName: 'actions-test' })
})
afterAll(async () => {
  await owner.end()
  await database.drop()
})

test('what was done to a row is found by indexes alone, also where a drain did it to many', async () => {
  const plans: string[] = []
  const explaining = {
    query: async ({ text, values }: { text: string; values: unknown[] }): Promise<{ rows: unknown[] }> => {
      const { rows } = await owner.query<{ 'QUERY PLAN': string }>(`EXPLAIN (COSTS OFF) ${text}`, values)
      plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'))
      return { rows: [] }
    },
  } as unknown as Pool
  // The tables are empty here: which index could answer is what is asked.
  await owner.query('SET enable_seqscan = off')
  await readActions(explaining, '1')
  await actionsOn(explaining, [{ kind: 'delivery', id: '1' }])
  for (const plan of plans) {
    expect(plan).toContain('audit_changed')
    expect(plan).toContain('audit_target')
    expect(plan).not.toMatch(/Seq Scan on (audit|delivery|inbound_event|erp_quarantine)/)
  }
  expect(plans[0]).toContain('erp_quarantine_erp')
})
