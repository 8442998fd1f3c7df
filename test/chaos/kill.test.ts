import { describe, expect, test } from 'vitest'
import { gatePlans, killPlans } from './matrix-plans.ts'
import { POINTS, type RunRecord } from './plan.ts'
import { runAll } from './run-all.ts'
import { witness } from './table.ts'

const plans = killPlans()
const PARALLEL = 2

test('the gate has at least 120 scenarios, and no two of one id', () => {
  const gate = gatePlans()
  expect(gate.length).toBeGreaterThanOrEqual(120)
  expect(new Set(gate.map((plan) => plan.id)).size).toBe(gate.length)
})

test('every step of both journeys is killed at least once', () => {
  expect(plans.length).toBeGreaterThanOrEqual(20)
  expect(new Set(plans.map((plan) => plan.victim?.point))).toEqual(new Set(POINTS))
  expect(new Set(plans.map((plan) => plan.title)).size).toBe(plans.length)
})

/** A run counts only if its kill came with an order in hand: one whose kill did not come is made again, twice at most. */
async function countedRuns(): Promise<RunRecord[]> {
  let records = await runAll(plans, { parallel: PARALLEL })
  for (let again = 0; again < 2; again++) {
    const uncounted = records.filter((record) => record.problems.some((problem) => problem.startsWith('did not fire')))
    if (uncounted.length === 0) break
    const repeated = await runAll(
      uncounted.map((record) => record.plan),
      { parallel: PARALLEL },
    )
    records = records.map((record) => repeated.find((one) => one.plan.id === record.plan.id) ?? record)
  }
  return records
}

describe('a node that is killed loses no order and doubles none', () => {
  let running: Promise<RunRecord[]> | undefined
  const recordOf = async (id: string): Promise<RunRecord | undefined> =>
    (await (running ??= countedRuns())).find((record) => record.plan.id === id)

  test.for(plans)('$row $id: $title', { timeout: 900_000 }, async ({ id }) => {
    const record = await recordOf(id)
    expect(record?.result, record ? witness(record).join('\n') : 'never ran').toBe('green')
  })
})
