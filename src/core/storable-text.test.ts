import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { shortened, storableJson, storableText } from './storable-text.ts'

const anyText = fc.string({ unit: 'binary' })

describe('text that a database takes', () => {
  test('holds no NUL and no half of a pair, and a whole pair stays', () => {
    expect(storableText('a\0b\ud83dc\u{1f4a5}')).toBe('a\ufffdb\ufffdc\u{1f4a5}')
  })

  test('a cut through a pair leaves the pair out', () => {
    expect(shortened('x\u{1f4a5}y', 2)).toBe('x')
    expect(shortened('x\u{1f4a5}y', 3)).toBe('x\u{1f4a5}')
  })

  test('whatever is cut where, is no longer than told and well formed', () => {
    fc.assert(
      fc.property(anyText, fc.nat(20), (text, longest) => {
        const cut = shortened(text, longest)
        expect(cut.length).toBeLessThanOrEqual(longest)
        expect(cut.isWellFormed()).toBe(true)
      }),
    )
  })
})

describe('JSON text', () => {
  test.each([
    [String.raw`"a\u0000b"`, 'a\ufffdb'],
    [String.raw`"\ud83d\ude00"`, '\u{1f600}'],
    [String.raw`"\ud83d"`, '\ufffd'],
    [String.raw`"\ude00\ud83d"`, '\ufffd\ufffd'],
    [String.raw`"\\u0000"`, String.raw`\u0000`],
    [String.raw`"\\\u0000"`, '\\\ufffd'],
    [String.raw`"\"\uD800"`, '"\ufffd'],
  ])('%s is read as storable text', (json, read) => {
    expect(JSON.parse(storableJson(json))).toBe(read)
  })

  test('says the same as before but for what no database takes', () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: 'binary' }), (json) => {
        const wanted = JSON.parse(json, (_key, value: unknown) => (typeof value === 'string' ? storableText(value) : value)) as unknown
        // Keys are made storable too, so only their values are held against each other.
        const leaves = (value: unknown): unknown[] =>
          typeof value === 'object' && value !== null ? Object.values(value).flatMap(leaves) : [value]
        fc.pre(!/\\ud[89a-f]|\\u0000/i.test(json) || Object.keys(Object(JSON.parse(json))).length === 0)
        expect(leaves(JSON.parse(storableJson(json)))).toEqual(leaves(wanted))
      }),
    )
  })
})
