import { beforeAll, describe, expect, test } from 'vitest'
import { gatePlans } from './matrix-plans.ts'
import type { RunRecord } from './plan.ts'
import { runCounted } from './run-all.ts'
import { witness } from './table.ts'

const plans = gatePlans()
/** Half of a scenario is waiting: for leases, settle windows and back-offs. Beside it, another test file runs. */
const PARALLEL = 4

test('the gate has at least 120 scenarios, no two of one id, and every fault', () => {
  expect(plans.length).toBeGreaterThanOrEqual(120)
  expect(new Set(plans.map((plan) => plan.id)).size).toBe(plans.length)
  expect(new Set(plans.flatMap((plan) => plan.faults)).size).toBe(30)
})

describe('every two of failpoint, hit, action, fault and marketplace profile meet, and no order is lost or doubled', () => {
  let records: RunRecord[]
  beforeAll(async () => {
    records = await runCounted(plans, { parallel: PARALLEL })
  }, 1_800_000)

  test.for(plans)('$row $id: $title', ({ id }) => {
    const record = records.find((one) => one.plan.id === id)
    expect(record?.result, record ? witness(record).join('\n') : 'never ran').toBe('green')
  })
})
