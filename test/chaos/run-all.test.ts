import { expect, test } from 'vitest'
import { Plan } from './plan.ts'
import { queuesOf } from './run-all.ts'

test('what measures memory runs when no other does, and nothing is left out', () => {
  const plan = (id: string, alone?: true): Plan => Plan.parse({ id, row: 'W7', title: id, script: 'matrix', seed: 1, alone })
  const plans = [plan('a'), plan('b', true), plan('c'), plan('d', true)]
  const { beside, alone } = queuesOf(plans)
  expect(beside).toEqual([0, 2].map((at) => [at, plans[at]]))
  expect(alone).toEqual([1, 3].map((at) => [at, plans[at]]))
})
