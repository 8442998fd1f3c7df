import { expect, test } from 'vitest'
import { odooWebhookReader } from './webhook.ts'

const reader = odooWebhookReader({ secrets: [{ keyId: 'k1', value: 'a-long-secret' }] })
const read = (body: unknown, over: { path?: string; receivedAtMs?: number } = {}) =>
  reader.read({
    path: over.path ?? 'odoo/a-long-secret',
    headers: {},
    body: body instanceof Uint8Array ? body : new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body)),
    receivedAtMs: over.receivedAtMs ?? 1_000,
  })
const eventOf = (body: unknown, receivedAtMs = 1_000) => {
  const reading = read(body, { receivedAtMs })
  if (reading.kind !== 'events') throw new Error(reading.reason)
  return reading.events[0]
}

test('a webhook is a pointer and nothing else', () => {
  const body = {
    _action: 'Send',
    _id: 42,
    _model: 'sale.order',
    write_date: '2026-11-23 10:00:00.123456',
    state: 'cancel',
    amount_total: 1,
  }
  expect(eventOf(body)).toEqual({
    channel: 'odoo',
    topic: 'sale.order',
    resource: '/sale.order/42',
    sourceEventId: null,
    dedupeKey: 'sale.order/42/2026-11-23 10:00:00.123456',
    comparable: 'sale.order/42',
    orderKey: '42',
    ignore: null,
  })
})

test('the equal posts of one action are one event, and a later change is another', () => {
  const body = { _id: 42, _model: 'sale.order' }
  expect(eventOf(body, 1_000)?.dedupeKey).toBe(eventOf(body, 1_900)?.dedupeKey)
  expect(eventOf(body, 1_000)?.dedupeKey).not.toBe(eventOf(body, 2_000)?.dedupeKey)
})

test('deliveries and stock are hints too, other models are kept and ignored', () => {
  expect(eventOf({ _id: 8, _model: 'stock.picking' })).toMatchObject({ orderKey: null, ignore: null })
  expect(eventOf({ _id: 8, _model: 'stock.quant' })).toMatchObject({ ignore: null })
  expect(eventOf({ _id: 8, _model: 'res.partner' })).toMatchObject({ ignore: 'irrelevant-topic' })
})

test('another secret is refused before the body is looked at', () => {
  for (const path of ['odoo/other', 'odoo/', 'odoo', '', 'odoo/a-long-secret2']) {
    expect(read({ _id: 42, _model: 'sale.order' }, { path })).toMatchObject({ kind: 'refused', verdict: 'bad-signature' })
  }
  const unset = odooWebhookReader({ secrets: [{ keyId: 'k1', value: '' }] })
  expect(unset.read({ path: 'odoo/', headers: {}, body: new Uint8Array(), receivedAtMs: 0 })).toMatchObject({ verdict: 'bad-signature' })
})

test('two secrets overlap, each in its time, and the one used is told', () => {
  const used: string[] = []
  const secrets = [
    { keyId: 'old', value: 'the-old-secret', notAfterMs: 1_000 },
    { keyId: 'new', value: 'the-new-secret' },
  ]
  const two = odooWebhookReader({ secrets, onKeyUsed: (keyId) => void used.push(keyId) })
  const body = new TextEncoder().encode('{"_id":42,"_model":"sale.order"}')
  const at = (secret: string, receivedAtMs: number) => two.read({ path: `odoo/${secret}`, headers: {}, body, receivedAtMs }).kind
  expect([at('the-old-secret', 1_000), at('the-new-secret', 1_000), at('the-old-secret', 1_001)]).toEqual(['events', 'events', 'refused'])
  expect(used).toEqual(['old', 'new'])
})

test.each([
  '',
  'nonsense',
  '[]',
  'null',
  '{"_model":"sale.order"}',
  '{"_id":"42","_model":"sale.order"}',
  '{"_id":-1,"_model":"x"}',
  new Uint8Array([0xff, 0xfe]),
])('garbage is a refusal, never a throw (%#)', (body) => {
  expect(read(body)).toMatchObject({ kind: 'refused', verdict: 'malformed' })
  expect(reader.answersUnreadableWith200).toBe(true)
})
