import { expect, test } from 'vitest'
import { bodyBudget } from './body-budget.ts'

test('a source has its share, all have the whole, and what is given back is there again', () => {
  const budget = bodyBudget({ most: 10, mostPerSource: 6 })
  expect([budget.take('a', 6), budget.take('a', 1)]).toEqual([true, false])
  expect([budget.take('b', 4), budget.take('c', 1)]).toEqual([true, false])
  budget.give('a', 6)
  expect([budget.take('c', 6), budget.take('a', 1)]).toEqual([true, false])
  budget.give('b', 4)
  expect([budget.take('b', 3), budget.take('a', 1)]).toEqual([true, true])
})
