import { expect, test } from 'vitest'
import { readSince } from './since.ts'

test.each([
  ['24h', { kind: 'window', ms: 86_400_000 }],
  [' 7D ', { kind: 'window', ms: 604_800_000 }],
  ['90m', { kind: 'window', ms: 5_400_000 }],
  ['2026-11-23', { kind: 'instant', iso: '2026-11-23T00:00:00.000Z' }],
  ['2026-11-23T10:00:00-03:00', { kind: 'instant', iso: '2026-11-23T13:00:00.000Z' }],
])('%s is a time', (typed, since) => expect(readSince(typed)).toEqual(since))

test.each(['', 'yesterday', '0h', '999w', '-3d', '2026-13-45', '7 parsecs', "1h'; drop"])('%j is none', (typed) => {
  expect(readSince(typed)).toBeUndefined()
})
