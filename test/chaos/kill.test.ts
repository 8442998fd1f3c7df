import { describe, expect, test } from 'vitest'
import { killPlans } from './matrix-plans.ts'
import { POINTS, type RunRecord } from './plan.ts'
import { runCounted } from './run-all.ts'
import { witness } from './table.ts'

const plans = killPlans()
const PARALLEL = 2

test('every step of both journeys is killed at least once', () => {
  expect(plans.length).toBeGreaterThanOrEqual(20)
  expect(new Set(plans.map((plan) => plan.victim?.point))).toEqual(new Set(POINTS))
  expect(new Set(plans.map((plan) => plan.title)).size).toBe(plans.length)
})

describe('a node that is killed loses no order and doubles none', () => {
  let running: Promise<RunRecord[]> | undefined
  const recordOf = async (id: string): Promise<RunRecord | undefined> =>
    (await (running ??= runCounted(plans, { parallel: PARALLEL }))).find((record) => record.plan.id === id)

  test.for(plans)('$row $id: $title', { timeout: 900_000 }, async ({ id }) => {
    const record = await recordOf(id)
    expect(record?.result, record ? witness(record).join('\n') : 'never ran').toBe('green')
  })
})
