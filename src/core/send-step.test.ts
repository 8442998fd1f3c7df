import { expect, test } from 'vitest'
import { idempotencyKey, refusedLines, stepIfAble } from './send-step.ts'

test('what a target cannot do is unsupported', () => {
  expect(stepIfAble(true, 'update')).toEqual({ kind: 'send', operation: 'update' })
  expect(stepIfAble(false, 'update')).toEqual({ kind: 'unsupported', operation: 'update' })
})

test.each([
  ['2', false, undefined],
  ['0.5', true, undefined],
  ['0.5', false, 'unsupported-by-target'],
  ['0', true, 'unsupported-by-target'],
])('a line of %s pieces, fractions taken: %s, is refused as %s', (quantity, fractionalQuantity, cause) => {
  const lines = [{ lineId: '1', sku: 'CUP', quantity, unitPriceMinor: null }]
  const step = refusedLines({ fractionalQuantity }, { lines })
  expect(step?.kind === 'refused' ? step.cause : undefined).toBe(cause)
})

test('an order without lines is refused', () => {
  expect(refusedLines({ fractionalQuantity: false }, { lines: [] })).toMatchObject({ cause: 'erp-order-invalid' })
})

test('a key repeats a create in any version and nothing else', () => {
  const of = (version: number) => ({ channel: 'paris:main', desired: { origin: 'odoo', orderKey: '42' }, generation: 2, version })
  expect([idempotencyKey(of(1), 'create'), idempotencyKey(of(2), 'create')]).toEqual(Array(2).fill('paris:main/odoo/42/g2'))
  expect([idempotencyKey(of(1), 'update'), idempotencyKey(of(2), 'cancel')]).toEqual([
    'paris:main/odoo/42/g2/update/v1',
    'paris:main/odoo/42/g2/cancel/v2',
  ])
})
