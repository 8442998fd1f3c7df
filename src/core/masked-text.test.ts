import { expect, test } from 'vitest'
import { withoutContacts, withoutValues } from './masked-text.ts'

const BUYER = ['María Pérez', '+56 9 8765 4321', 'maria.perez@example.cl', 'Av. Ñuñoa 123, Depto "B"', '12.345.678-5', 'Ana', 'de']

test.each([
  ['{"input":"María Pérez"}', '{"input":"[personal]"}'],
  ['{"input":"Mar\\u00eda P\\u00E9rez"}', '{"input":"[personal]"}'],
  ['"{\\"input\\":\\"Mar\\\\u00eda P\\\\u00e9rez\\"}"', '"{\\"input\\":\\"[personal]\\"}"'],
  ['MARIA PEREZ and maria  perez', '[personal] and [personal]'],
  ['Mari\u0301a Pe\u0301rez', '[personal]'],
  ['<b>Mar&iacute;a</b> Mar&#237;a P&#xe9;rez', '<b>[personal]</b> [personal]'],
  ['the customer Pérez has no VAT', 'the customer [personal] has no VAT'],
  ['phone +56 9 8765 4321 is bad', 'phone [personal] is bad'],
  ['maria.perez@example.cl is bad', '[personal] is bad'],
  ['{"street":"Av. \\u00d1u\\u00f1oa 123, Depto \\"B\\"","city":"x"}', '{"street":"[personal]","city":"x"}'],
  ['{"street":"av. nunoa 123"}', '{"street":"[personal]"}'],
  ['rut 12.345.678-5', 'rut [personal]'],
  ['Ana is blocked, banana is not', '[personal] is blocked, banana is not'],
  ['unknown sku of de', 'unknown sku of de'],
  ['nothing of a buyer', 'nothing of a buyer'],
  ['', ''],
])('%j is kept as %j', (text, kept) => {
  expect(withoutValues(text, BUYER)).toBe(kept)
})

test('a name that was cut off with the text goes too', () => {
  expect(withoutValues('x'.repeat(490) + ' María Pér', BUYER)).toBe('x'.repeat(490) + ' [personal]')
  expect(withoutValues('x'.repeat(491) + ' maria.per', BUYER)).toBe('x'.repeat(491) + ' [personal]')
})

test('a name that was sent shortened goes as well', () => {
  const long = 'Camila '.repeat(60).trim()
  expect(withoutValues(`buyer ${long.slice(0, 200)}!`, [long])).not.toContain('Camila')
})

test.each([
  ['call Maria, +56 9 8765 4321', 'call Maria, [personal]'],
  ['+56987654321', '[personal]'],
  ['her phone is 9 8765 4321.', 'her phone is [personal].'],
  ['987654321', '[personal]'],
  ['rut 12.345.678-5, or 12345678-5, or 11111111-1', 'rut [personal], or [personal], or [personal]'],
  ['20.347.878-k', '[personal]'],
  ['write to maria.perez+x@mail.example.cl, please', 'write to [personal], please'],
  ['order 2000003508419013 of pack 2000000089077943', 'order 2000003508419013 of pack 2000000089077943'],
  ['odoo-42, S00042, ML-98345, hub-5, outbox-987654321', 'odoo-42, S00042, ML-98345, hub-5, outbox-987654321'],
  ['SKU 12345678-9', 'SKU 12345678-9'],
  ['since 2026-03-02T09:00:00Z', 'since 2026-03-02T09:00:00Z'],
  ['the SKU was mapped, retry 3 of 12', 'the SKU was mapped, retry 3 of 12'],
])('of the words %j the contacts go: %j', (text, kept) => {
  expect(withoutContacts(text)).toBe(kept)
})
