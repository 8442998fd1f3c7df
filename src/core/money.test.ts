import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decimalText, isPositive, isWholePositive, majorFrom, minorFrom, quantityFrom } from './money.ts'

test.each([
  ['12990', 'CLP', 12_990],
  ['12990.00', 'CLP', 12_990],
  ['12990.5', 'CLP', undefined],
  [129.9, 'USD', 12_990],
  ['-3.05', 'USD', -305],
  ['1e3', 'CLP', undefined],
  ['', 'CLP', undefined],
  ['99999999999999999', 'USD', undefined],
  ['-0', 'CLP', 0],
])('%s %s is %s minor units', (amount, currency, minor) => {
  expect(minorFrom(amount, currency)).toBe(minor)
})

test('an amount survives the way to text and back, in every currency', () => {
  fc.assert(
    fc.property(fc.integer({ min: -1e12, max: 1e12 }), fc.constantFrom('CLP', 'USD', 'PYG', 'EUR'), (minor, currency) => {
      expect(minorFrom(decimalText(minor, currency), currency)).toBe(minor + 0)
    }),
  )
  expect(majorFrom(12_990, 'USD')).toBe(129.9)
})

test.each([
  [2, '2'],
  ['0.50', '0.5'],
  ['007', '7'],
  [-1, '-1'],
  ['-0.0', '0'],
  ['x', undefined],
  [Number.NaN, undefined],
  [0.1, '0.1'],
])('the quantity %s is %s', (value, text) => {
  expect(quantityFrom(value)).toBe(text)
})

test('only whole pieces above zero are whole and positive', () => {
  expect(['1', '20'].every(isWholePositive)).toBe(true)
  expect(['0', '0.5', '-1', '01', '1e3', '1234567890'].some(isWholePositive)).toBe(false)
  expect(['0.5', '1'].every(isPositive)).toBe(true)
  expect(['0', '-1', '-0.5'].some(isPositive)).toBe(false)
})
