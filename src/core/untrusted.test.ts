import fc from 'fast-check'
import { expect, test } from 'vitest'
import { codeWord, plainLine, untrustedText } from './untrusted.ts'

test.each([
  ['<b>bold</b> <script>alert(1)</script>', 'bold alert(1)'],
  ['<<b>script>x', 'x'],
  ['one\r\ntwo\tthree', 'one two three'],
  ['a\u200bb\u202ec\u2066d\u00ade', 'a b c d e'],
  ['tag\u{e0041}\u{e0042}s', 'tag s'],
  ['\ud800 lone', '\ufffd lone'],
  ['María Pérez 日本', 'María Pérez 日本'],
])('%j becomes %j', (given, text) => {
  expect(untrustedText(given)).toEqual({ text, truncated: false })
})

test('long text is cut and says so', () => {
  expect(untrustedText('x'.repeat(301))).toEqual({ text: 'x'.repeat(300), truncated: true })
  expect(plainLine('y'.repeat(50), 10)).toBe('y'.repeat(10))
})

test('what is empty, or no text, is nothing', () => {
  for (const value of ['', ' \u200b', null, undefined, 7, {}]) expect(untrustedText(value)).toBeNull()
  expect(plainLine(null)).toBe('')
})

test('a name of another system is one short word', () => {
  expect(codeWord('please drain, now! <b>')).toBe('please_drain_now')
  expect(codeWord('ready_to_ship/picked_up')).toBe('ready_to_ship/picked_up')
  expect(codeWord('x'.repeat(99))).toHaveLength(60)
})

test('nothing that steers a reader is left, whatever comes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 500 }), (given) => {
      const text = untrustedText(given)?.text ?? ''
      expect(text).not.toMatch(/[<>\p{Cc}\p{Cf}\u2028\u2029\u{E0000}-\u{E0FFF}]/u)
      expect(text.length).toBeLessThanOrEqual(300)
      expect(text.isWellFormed()).toBe(true)
      expect(codeWord(given)).not.toMatch(/\s/)
    }),
  )
})
