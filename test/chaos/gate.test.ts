import { beforeAll, describe, expect, test } from 'vitest'
import { FAULT_NAMES } from './faults.ts'
import { gatePlans, killPlans } from './matrix-plans.ts'
import { type Plan, POINTS, type RunRecord } from './plan.ts'
import { runCounted } from './run-all.ts'
import { witness } from './table.ts'

/** Scenarios wait for leases and settle windows, so some go at once; more than this slow each other down on two cores. */
const PARALLEL = 5

const gate = gatePlans()
const kills = killPlans()

test('the gate has at least 120 scenarios, no two of one id, and every fault', () => {
  expect(gate.length).toBeGreaterThanOrEqual(120)
  expect(new Set(gate.map((plan) => plan.id)).size).toBe(gate.length)
  expect(gate.flatMap((plan) => plan.faults)).toEqual(expect.arrayContaining(FAULT_NAMES))
})

test('every step of both journeys is killed at least once', () => {
  expect(kills.length).toBeGreaterThanOrEqual(20)
  expect(new Set(kills.map((plan) => plan.victim?.point))).toEqual(new Set(POINTS))
  expect(new Set(kills.map((plan) => plan.title)).size).toBe(kills.length)
})

describe('a node that is killed loses no order and doubles none', () => {
  allGreen(kills)
})

describe('every two of failpoint, hit, action, fault and marketplace profile meet, and no order is lost or doubled', () => {
  allGreen(gate)
})

function allGreen(plans: readonly Plan[]): void {
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
