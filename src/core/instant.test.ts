import { expect, test } from 'vitest'
import { isoInstant } from './instant.ts'

test.each([
  ['2026-11-23T10:00:00Z', '2026-11-23T10:00:00.000Z'],
  ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
  ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
  ['0000-12-31T23:59:59Z', undefined],
  ['+010000-01-01T00:00:00Z', undefined],
  ['-000001-01-01T00:00:00Z', undefined],
  ['2026-13-45T00:00:00Z', undefined],
])('%s is the instant %s', (text, iso) => {
  expect(isoInstant(Date.parse(text))).toBe(iso)
})
