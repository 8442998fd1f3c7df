import { describe, expect, test } from 'vitest'
import { allGreen } from './all-green.ts'
import { FAULT_NAMES } from './faults.ts'
import { gatePlans, killPlans } from './matrix-plans.ts'
import { POINTS } from './plan.ts'

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
