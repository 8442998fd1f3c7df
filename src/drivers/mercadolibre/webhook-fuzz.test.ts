import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Reading } from '../../core/inbound-event.ts'
import { secretPathWebhooks, signedWebhooks } from './webhook.ts'

const PATH_SECRET = 'a-path-secret-of-some-length'
const accounts = [
  { channel: 'mercadolibre:468424240', userId: '468424240', appId: '5503910054141466' },
  { channel: 'mercadolibre:123456789', userId: '123456789', appId: '1111111111111111111' },
]
const receivedAtMs = Date.parse('2026-11-23T12:00:00Z')
const unsigned = secretPathWebhooks({ accounts, secrets: [{ keyId: 'k1', value: PATH_SECRET }] })

const signed = signedWebhooks({ accounts, secrets: [{ keyId: 'k1', value: 'a-signing-secret-of-some-length' }] })
const bytes = (text: string) => new TextEncoder().encode(text)
const order = (over: Record<string, unknown> = {}) => ({
  resource: '/orders/2195160686',
  user_id: 468424240,
  topic: 'orders_v2',
  application_id: 5503910054141466,
  attempts: 1,
  sent: '2026-10-30T16:19:20.129Z',
  received: '2026-10-30T16:19:20.106Z',
  ...over,
})

function read(body: unknown, secret = PATH_SECRET): Reading {
  const raw = typeof body === 'string' ? bytes(body) : bytes(JSON.stringify(body))
  return unsigned.read({ path: `mercadolibre/${secret}`, headers: {}, body: raw, receivedAtMs })
}

describe('any bytes', () => {
  const isReading = (reading: Reading) =>
    reading.kind === 'events' ? reading.events.every((one) => one.dedupeKey.length > 2) : reading.reason.length > 0

  test('random bytes are read without a throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (body) => {
        expect(isReading(unsigned.read({ path: `mercadolibre/${PATH_SECRET}`, headers: {}, body, receivedAtMs }))).toBe(true)
      }),
    )
  })

  test('any JSON value in any field is read without a throw', () => {
    const anything = fc.oneof(
      fc.json().map((text) => JSON.parse(text) as unknown),
      fc.string({ unit: 'binary' }),
      fc.double(),
      fc.constant(undefined),
    )
    const names = [
      'topic',
      'resource',
      'user_id',
      'application_id',
      '_id',
      'id',
      'received',
      'recieved',
      'actions',
      '__proto__',
      'constructor',
    ]
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), anything), (over) => {
        expect(isReading(read({ ...order(), ...over }))).toBe(true)
      }),
    )
  })

  test('any path and any header are read without a throw', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (path, signature) => {
        const request = { path, headers: { 'x-signature': signature }, body: bytes('{}'), receivedAtMs }
        expect(unsigned.read(request).kind).toBe('refused')
        expect(signed.read(request).kind).toBe('refused')
      }),
    )
  })

  test('deep nesting, huge numbers and prototype keys are read without a throw', () => {
    const deep = (depth: number) => `{"a":${'['.repeat(depth)}${']'.repeat(depth)},${JSON.stringify(order()).slice(1)}`
    const bodies = [
      ...[100, 1_000, 3_000, 5_000, 8_000, 20_000, 300_000].map(deep),
      `{"topic":${'9'.repeat(5_000)}}`,
      '{"__proto__":{"topic":"orders_v2"}}',
      '1e999',
      '"\\ud800"',
      '{"topic":"orders_v2","resource":"/orders/1","user_id":1e400,"application_id":-0}',
    ]
    for (const body of bodies) expect(isReading(read(body))).toBe(true)
  })
})
