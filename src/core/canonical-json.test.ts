import { expect, test } from 'vitest'
import { canonicalJson } from './canonical-json.ts'

test('equal contents have equal canonical text, whatever the order of their keys', () => {
  expect(canonicalJson({ b: [{ z: 1, a: 2 }], a: null })).toBe(canonicalJson({ a: null, b: [{ a: 2, z: 1 }] }))
})
