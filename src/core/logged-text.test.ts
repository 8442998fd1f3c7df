import { expect, test } from 'vitest'
import { loggedIdentifier, loggedWord, PersonalText } from './logged-text.ts'

const kept = (value: unknown): unknown => (value instanceof PersonalText ? 'digest' : value)

test.each([
  ['ML-98345', 'ML-98345'],
  ['S00042', 'S00042'],
  ['odoo-42', 'odoo-42'],
  ['hub-5', 'hub-5'],
  ['outbox-17', 'outbox-17'],
  ['0192f3a1-7e0b-7c3a-9d52-7f4b1a2c3d4e', '0192f3a1-7e0b-7c3a-9d52-7f4b1a2c3d4e'],
  ['Camila Rojas', 'digest'],
  ['Camila', 'digest'],
  ['camila.rojas@example.cl', 'digest'],
  ['Av. Providencia 1234', 'digest'],
  ['+56 9 8765 4321', 'digest'],
  ['56987654321', 'digest'],
  ['12.345.678-9', 'digest'],
  ['12345678-K', 'digest'],
  ['S56987654321', 'digest'],
  [' ', 'string'],
  [{}, 'object'],
])('of %j, which the hub does not hold, the log keeps %j', (typed, expected) => {
  expect(kept(loggedIdentifier(typed, false))).toBe(expected)
})

test.each([
  ['2000001', '2000001'],
  ['ROSH-ORDER-0001', 'ROSH-ORDER-0001'],
  ['Camila Rojas', 'digest'],
  ['camila@example.cl', 'digest'],
])('of %j, which the hub holds something under, it keeps %j', (typed, expected) => {
  expect(kept(loggedIdentifier(typed, true))).toBe(expected)
})

test.each([
  ['mercadolibre:1001', 'mercadolibre:1001'],
  ['sku-unknown', 'sku-unknown'],
  ['2026-03-02T09:00:00Z', '2026-03-02T09:00:00Z'],
  ['2026-03-02T09:00:00+03:00', '2026-03-02T09:00:00+03:00'],
  ['2026-03-02', '2026-03-02'],
  ['24h', '24h'],
  ['odoo', 'odoo'],
  ['mercadolibre', 'mercadolibre'],
  ['paris:main', 'paris:main'],
  ['detailed', 'detailed'],
  ['archive', 'archive'],
  ['of Camila Rojas', 'digest'],
  ['camila@example.cl', 'digest'],
  ['Camila', 'digest'],
  ['12345678-5', 'digest'],
  ['+56912345678', 'digest'],
  ['mercadolibre:12345678-5', 'digest'],
  ['2026-03-02 (Camila Rojas)', 'digest'],
])('of the word %j it keeps %j', (typed, expected) => {
  expect(kept(loggedWord(typed))).toBe(expected)
})

test('what is personal is no part of any text that is made of it', () => {
  const personal = new PersonalText('Camila Rojas')
  expect([JSON.stringify({ personal }), String(personal), personal.reveal()]).toEqual([
    '{"personal":"[personal]"}',
    expect.not.stringContaining('Camila'),
    'Camila Rojas',
  ])
})
