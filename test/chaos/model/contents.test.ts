import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalJson } from '../../../src/core/canonical-json.ts'
import { referenceOf } from '../../../src/core/desired.ts'
import { addDecimals } from '../../../src/core/drift.ts'
import { outboxIdOf, readIdentifier } from '../../../src/core/identifier.ts'
import { isPositive, isWholePositive, majorFrom, minorFrom, quantityFrom } from '../../../src/core/money.ts'

describe('canonical JSON', () => {
  const shuffled = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(shuffled)
    if (value === null || typeof value !== 'object') return value
    return Object.fromEntries(
      Object.entries(value)
        .reverse()
        .map(([key, one]) => [key, shuffled(one)]),
    )
  }

  test('survives the way to text and back, and is the same for every order of keys', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value)
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
        expect(canonicalJson(JSON.parse(text))).toBe(text)
        expect(canonicalJson(shuffled(value))).toBe(text)
      }),
      { numRuns: 300 },
    )
  })

  test('tells two contents apart that differ', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        const same = canonicalJson(one) === canonicalJson(other)
        if (same) expect(JSON.parse(canonicalJson(one))).toEqual(JSON.parse(canonicalJson(other)))
        else expect(JSON.parse(canonicalJson(one))).not.toEqual(JSON.parse(canonicalJson(other)))
      }),
    )
  })
})

describe('identifiers', () => {
  const aRowId = fc.bigInt({ min: 1n, max: 10n ** 18n - 1n }).map(String)
  const noise = fc.constantFrom('', ' ', '\u200b', '\t', '\u202e')

  test('what the hub prints finds its row again, however it was pasted', () => {
    const table = fc.constantFrom('delivery' as const, 'inbound_event' as const)
    fc.assert(
      fc.property(table, aRowId, noise, noise, fc.boolean(), (of, id, before, after, upper) => {
        const printed = outboxIdOf(of, id)
        const read = readIdentifier(before + (upper ? printed.toUpperCase() : printed) + after)
        expect([read.deliveryId, read.inboundId]).toEqual(of === 'delivery' ? [id, null] : [null, id])
      }),
    )
  })

  test('the reference a target shows is looked up as it stands, whatever its generation', () => {
    const order = fc.record({ origin: fc.constantFrom('odoo', 'mercadolibre:1001'), orderKey: fc.integer({ min: 1 }).map(String) })
    fc.assert(
      fc.property(order, fc.integer({ min: 1, max: 9 }), (of, generation) => {
        const reference = referenceOf(of, generation)
        expect(readIdentifier(reference).lookUps[0]).toEqual({ value: reference.toUpperCase(), rank: 1, kinds: null })
        const other = referenceOf(of, generation + 1)
        expect(other).not.toBe(reference)
      }),
    )
  })
})

describe('money and quantities', () => {
  const aDecimal = fc
    .tuple(fc.boolean(), fc.nat({ max: 999_999 }), fc.nat({ max: 9_999 }), fc.nat({ max: 4 }))
    .map(
      ([minus, whole, fraction, digits]) =>
        `${minus ? '-' : ''}${whole}${digits > 0 ? `.${String(fraction).padStart(4, '0').slice(0, digits)}` : ''}`,
    )

  test('an amount survives a JSON number', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e12, max: 1e12 }), fc.constantFrom('CLP', 'USD', 'EUR', 'JPY'), (minor, currency) => {
        expect(minorFrom(JSON.parse(JSON.stringify(majorFrom(minor, currency))) as number, currency)).toBe(minor + 0)
      }),
    )
  })

  test('a quantity has one spelling', () => {
    fc.assert(
      fc.property(aDecimal, (text) => {
        const once = quantityFrom(text)
        expect(once).toBeDefined()
        expect(quantityFrom(once ?? '')).toBe(once)
        expect(Number(once)).toBe(Number(text) + 0)
        if (isWholePositive(once ?? '')) expect(isPositive(once ?? '')).toBe(true)
        expect(isPositive(once ?? '')).toBe(Number(text) > 0)
      }),
    )
  })

  test('decimals add up exactly, in every order', () => {
    const scaled = (text: string): bigint => BigInt(Math.round(Number(text) * 10_000))
    fc.assert(
      fc.property(
        fc.array(
          aDecimal.map((text) => quantityFrom(text) ?? '0'),
          { minLength: 1, maxLength: 6 },
        ),
        (parts) => {
          const sum = addDecimals(parts)
          expect(addDecimals([...parts].reverse())).toBe(sum)
          expect(scaled(sum)).toBe(parts.map(scaled).reduce((a, b) => a + b, 0n))
        },
      ),
    )
  })
})
