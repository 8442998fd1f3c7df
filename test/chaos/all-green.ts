import { beforeAll, expect, test } from 'vitest'
import type { Plan, RunRecord } from './plan.ts'
import { runCounted } from './run-all.ts'
import { witness } from './table.ts'

/** Scenarios wait for leases and settle windows, so some go at once; more than this slow each other down on two cores. */
const PARALLEL = 5

/** Runs the scenarios and asks of each, in a test of its own, that it was green. */
export function allGreen(plans: readonly Plan[]): void {
  let records: RunRecord[]
  beforeAll(async () => {
    const began = performance.now()
    records = await runCounted(plans, { parallel: PARALLEL })
    console.log(`${plans.length} scenarios in ${Math.round((performance.now() - began) / 1_000)} s`)
  }, 1_800_000)

  test.for(plans)('$row $id: $title', ({ id }) => {
    const record = records.find((one) => one.plan.id === id)
    expect(record?.result, record ? witness(record).join('\n') : 'never ran').toBe('green')
  })
}
