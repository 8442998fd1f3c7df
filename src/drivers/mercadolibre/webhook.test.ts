import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { InboundEvent, Reading } from '../../core/inbound-event.ts'
import { secretPathWebhooks, signedWebhooks } from './webhook.ts'

const PATH_SECRET = 'a-path-secret-of-some-length'
const SIGNING_SECRET = 'a-signing-secret-of-some-length'
const accounts = [
  { channel: 'mercadolibre:468424240', userId: '468424240', appId: '5503910054141466' },
  { channel: 'mercadolibre:123456789', userId: '123456789', appId: '1111111111111111111' },
]
const receivedAtMs = Date.parse('2026-11-23T12:00:00Z')
const unsigned = secretPathWebhooks({ accounts, secrets: [{ keyId: 'k1', value: PATH_SECRET }] })
const signed = signedWebhooks({ accounts, secrets: [{ keyId: 'k1', value: SIGNING_SECRET }] })

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

function event(body: unknown): InboundEvent {
  const reading = read(body)
  if (reading.kind !== 'events' || !reading.events[0]) throw new Error(`no event: ${JSON.stringify(reading)}`)
  return reading.events[0]
}

describe('the unsigned path', () => {
  test('an order notification becomes an event that names its order', () => {
    expect(event(order())).toMatchObject({
      channel: 'mercadolibre:468424240',
      topic: 'orders_v2',
      resource: '/orders/2195160686',
      orderKey: '2195160686',
      sourceEventId: null,
      ignore: null,
    })
  })

  test('a wrong, an empty or a missing secret is a bad signature', () => {
    for (const path of ['mercadolibre/wrong', 'mercadolibre/', 'mercadolibre', `paris/${PATH_SECRET}`, `mercadolibre/${PATH_SECRET}/x`]) {
      const reading = unsigned.read({ path, headers: {}, body: bytes(JSON.stringify(order())), receivedAtMs })
      expect(reading).toMatchObject({ kind: 'refused', verdict: 'bad-signature' })
    }
  })

  test('of two secrets each works inside its own time and is named', () => {
    const used: string[] = []
    const reader = secretPathWebhooks({
      accounts,
      secrets: [
        { keyId: 'old', value: 'old-secret', notAfterMs: receivedAtMs },
        { keyId: 'new', value: 'new-secret', notBeforeMs: receivedAtMs },
      ],
      onKeyUsed: (keyId) => used.push(keyId),
    })
    const at = (secret: string, ms: number) =>
      reader.read({ path: `mercadolibre/${secret}`, headers: {}, body: bytes(JSON.stringify(order())), receivedAtMs: ms }).kind
    expect([at('old-secret', receivedAtMs), at('new-secret', receivedAtMs)]).toEqual(['events', 'events'])
    expect([at('old-secret', receivedAtMs + 1), at('new-secret', receivedAtMs - 1)]).toEqual(['refused', 'refused'])
    expect(used).toEqual(['old', 'new'])
  })

  test('an unreadable body is answered 200, since any other answer is retried', () => {
    expect(unsigned.answersUnreadableWith200).toBe(true)
    expect(read('<html>')).toMatchObject({ kind: 'refused', verdict: 'malformed' })
  })
})

describe('the signed path', () => {
  const sign = (body: Uint8Array, secret = SIGNING_SECRET) => createHmac('sha256', secret).update(body).digest('hex')
  const readSigned = (body: Uint8Array, signature?: string) =>
    signed.read({ path: 'mercadolibre', headers: signature === undefined ? {} : { 'x-signature': signature }, body, receivedAtMs })

  test('a body signed with the secret is read, in either letter case', () => {
    const body = bytes(JSON.stringify(order()))
    expect(readSigned(body, sign(body)).kind).toBe('events')
    expect(readSigned(body, sign(body).toUpperCase()).kind).toBe('events')
  })

  test('one byte changed, another secret, and every odd header are refused without a throw', () => {
    const body = bytes(JSON.stringify(order()))
    const good = sign(body)
    const odd = [
      undefined,
      '',
      good.slice(1),
      `${good}0`,
      'é'.repeat(64),
      'z'.repeat(64),
      `sha256=${good}`,
      ` ${good}`,
      sign(body, 'other'),
    ]
    for (const signature of odd) expect(readSigned(body, signature)).toMatchObject({ kind: 'refused', verdict: 'bad-signature' })
    expect(readSigned(bytes(`${JSON.stringify(order())} `), good)).toMatchObject({ verdict: 'bad-signature' })
  })

  test('a signed body that cannot be read is malformed and not answered 200', () => {
    const body = bytes('[]')
    expect(readSigned(body, sign(body))).toMatchObject({ kind: 'refused', verdict: 'malformed' })
    expect(signed.answersUnreadableWith200).toBe(false)
  })
})
