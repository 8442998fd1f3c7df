import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NumericId, parseLossless } from './lossless-json.ts'

describe('lossless JSON', () => {
  test('a 19-digit id keeps every digit', () => {
    expect(parseLossless('{"application_id":1111111111111111111}')).toEqual({ application_id: '1111111111111111111' })
  })

  test('a safe whole number and a fraction stay numbers', () => {
    expect(parseLossless('[2000009047722568,12990.5,-3]')).toEqual([2000009047722568, 12990.5, -3])
  })

  test('every whole number reads back as its digits', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }), (value) => {
        expect(String(parseLossless(String(value)))).toBe(String(value))
      }),
    )
  })

  test('an id for a path is digits and nothing else', () => {
    expect(NumericId.parse(parseLossless('2000009047722568'))).toBe('2000009047722568')
    for (const bad of ['"1/../2"', '1.5', '""', 'null', '1e300']) expect(NumericId.safeParse(parseLossless(bad)).success).toBe(false)
  })
})
