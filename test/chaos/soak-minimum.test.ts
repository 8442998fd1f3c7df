import { expect, test } from 'vitest'
import { shortfallsOf } from './soak-minimum.ts'

test('a soak of half an hour carries 5,000 orders and 200 kills, a shorter or longer one its share', () => {
  expect(shortfallsOf({ minutes: 30, orders: 5_000, kills: 200 })).toEqual([])
  expect(shortfallsOf({ minutes: 30, orders: 4_999, kills: 199 })).toEqual([
    '4999 orders settled, and 30 min must carry 5000',
    '199 kills met work under way, and 30 min must carry 200',
  ])
  expect(shortfallsOf({ minutes: 1, orders: 166, kills: 6 })).toEqual([])
  expect(shortfallsOf({ minutes: 1, orders: 165, kills: 5 })).toHaveLength(2)
  expect(shortfallsOf({ minutes: 60, orders: 5_000, kills: 200 })).toHaveLength(2)
})

test('not one kill proves nothing, however short the soak', () => {
  expect(shortfallsOf({ minutes: 1, orders: 166, kills: 0 })).toHaveLength(1)
})
