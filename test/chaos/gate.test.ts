import { describe, expect, test } from 'vitest'
import { gatePlans } from './matrix-plans.ts'
import type { RunRecord } from './plan.ts'
import { runAll } from './run-all.ts'
import { witness } from './table.ts'

const plans = gatePlans()
const PARALLEL = 3

test('the gate has at least 120 scenarios, and no two of one id', () => {
  expect(plans.length).toBeGreaterThanOrEqual(120)
  expect(new Set(plans.map((plan) => plan.id)).size).toBe(plans.length)
})

describe('whatever is hit while whatever else fails, no order is lost and none is doubled', () => {
  let running: Promise<RunRecord[]> | undefined
  const recordOf = async (id: string): Promise<RunRecord | undefined> =>
    (await (running ??= runAll(plans, { parallel: PARALLEL }))).find((record) => record.plan.id === id)

  test.for(plans)('$row $id: $title', { timeout: 900_000 }, async ({ id }) => {
    const record = await recordOf(id)
    expect(record?.result, record ? witness(record).join('\n') : 'never ran').toBe('green')
  })
})
