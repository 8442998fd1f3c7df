import { expect, test } from 'vitest'
import type { Row } from './tables.ts'
import { lineAmounts, roundTo } from './taxes.ts'

const row = (values: Record<string, number | boolean | string>): Row => ({ id: 1, create_date: 0, write_date: 0, ...values })
const onTop = row({ amount: 19, price_include: false })
const included = row({ amount: 19, price_include: true })
const total = (price: number, tax: Row, quantity = 1) =>
  lineAmounts(row({ price_unit: price, product_uom_qty: quantity }), [tax], 0).price_total

test('rounding is half away from zero', () => {
  expect([2.5, -2.5, 4936.2, 1.4999].map((value) => roundTo(value, 0))).toEqual([3, -3, 4936, 1])
  expect(roundTo(1.005, 2)).toBe(1.01)
})

test('a gross price with the tax on top is 19 % too much', () => {
  expect(total(12990, onTop, 2)).toBe(30916)
})

test('a net price misses the gross one by a peso now and then, the included tax never does', () => {
  const prices = Array.from({ length: 60 }, (_, index) => 990 + index * 1000)
  const off = prices.map((price) => Math.abs(total(roundTo(price / 1.19, 0), onTop) - price))
  expect(Math.max(...off)).toBe(1)
  expect(prices.map((price) => total(price, included))).toEqual(prices)
})

test('a section has no amount', () => {
  expect(lineAmounts(row({ display_type: 'line_section', price_unit: 5, product_uom_qty: 1 }), [onTop], 0).price_total).toBe(0)
})
