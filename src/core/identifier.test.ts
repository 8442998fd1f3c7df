import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readIdentifier } from './identifier.ts'

const values = (typed: unknown, rank?: number): string[] =>
  readIdentifier(typed)
    .lookUps.filter((l) => rank === undefined || l.rank === rank)
    .map((l) => l.value)

test.each([
  [' ml-98345 ', 'ML-98345', ['ML-98345', '98345']],
  ['12345', '12345', ['12345', 'ML-12345', 'PARIS-12345', 'ODOO-12345']],
  ['PARIS-9F2A', 'PARIS-9F2A', ['PARIS-9F2A', '9F2A']],
  ['ML98345', 'ML98345', ['ML98345', '98345', 'ML-98345']],
  ['odoo-42', 'ODOO-42', ['ODOO-42', '42']],
  ['odoo-42-g2', 'ODOO-42-G2', ['ODOO-42-G2', '42', 'ODOO-42']],
  ['S00042', 'S00042', ['S00042']],
  ['s42', 'S42', ['S42', 'S00042']],
  ['#2000001234567890', '2000001234567890', ['2000001234567890', 'ML-2000001234567890', 'PARIS-2000001234567890', 'ODOO-2000001234567890']],
  [2000001234567890, '2000001234567890', ['2000001234567890', 'ML-2000001234567890', 'PARIS-2000001234567890', 'ODOO-2000001234567890']],
  ['ROSH-ORDER-0001', 'ROSH-ORDER-0001', ['ROSH-ORDER-0001']],
  ['ML-\u200b98345\u0000', 'ML-98345', ['ML-98345', '98345']],
])('%j is looked up as %s', (typed, text, looked) => {
  expect(readIdentifier(typed).text).toBe(text)
  expect(values(typed)).toEqual(looked)
})

test('what was typed ranks before what it may stand for', () => {
  expect(values('ML-98345', 1)).toEqual(['ML-98345'])
  expect(readIdentifier('ML-98345').lookUps[1]).toEqual({
    value: '98345',
    rank: 2,
    kinds: ['marketplace-order', 'pack', 'shipment', 'bare'],
  })
})

test('rows of ours are named by table and number', () => {
  expect(readIdentifier('outbox-017')).toMatchObject({ deliveryId: '17', inboundId: null })
  expect(readIdentifier('Inbound-9')).toMatchObject({ deliveryId: null, inboundId: '9' })
  expect(readIdentifier('hub-5')).toMatchObject({ orderRowId: '5' })
  expect(readIdentifier('019AB000-0000-7000-8000-000000000009').eventId).toBe('019ab000-0000-7000-8000-000000000009')
  expect(readIdentifier('outbox-99999999999999999999')).toMatchObject({ deliveryId: null })
})

test('near misses swap two neighbours or drop one character', () => {
  expect(readIdentifier('ML-98354').variants).toEqual(expect.arrayContaining(['ML-98345', 'ML-9835']))
  expect(readIdentifier('abc').variants).toEqual([])
})

test.each([[''], ['   '], [null], [undefined], [{}], [[]], ['\u202e\u200b']])('%j names nothing', (typed) => {
  expect(readIdentifier(typed)).toMatchObject({ text: '', lookUps: [] })
})

test('it never throws, and every value is well-formed, upper case and at most 200 characters', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 600 }), fc.anything()), (typed) => {
      const { text, lookUps, variants } = readIdentifier(typed)
      expect(text.length).toBeLessThanOrEqual(200)
      for (const value of [text, ...lookUps.map((l) => l.value), ...variants]) expect(value).not.toMatch(/\p{Cc}/u)
      expect(text.isWellFormed()).toBe(true)
      expect(variants.length).toBeLessThanOrEqual(48)
    }),
  )
})
