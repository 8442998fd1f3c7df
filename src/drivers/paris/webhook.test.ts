import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Reading } from '../../core/inbound-event.ts'
import type { WebhookKey } from '../../core/webhook-key.ts'
import { parisWebhooks } from './webhook.ts'

const SECRET = 'paris-test-secret'
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const VECTOR = '{"event_id":"e-1","external_ref":"odoo-42","order_id":"p-1","source":"paris","status":"delivered"}'
const VECTOR_SIGNATURE = 'c3610a943070d33a1c2ea5f2afe0eab5e21a8790f99736c33e8b200f9b493ace'
const NOW_MS = 1_780_000_000_000

function reader(over: { secrets?: WebhookKey[]; toleranceMs?: number; onKeyUsed?: (keyId: string) => void } = {}) {
  return parisWebhooks({ channel: 'paris:main', secrets: [{ keyId: 'k1', value: SECRET }], ...over })
}

interface Sent {
  headers?: Record<string, string>
  receivedAtMs?: number
  over?: Parameters<typeof reader>[0]
}

function read(body: string | Uint8Array, { headers, receivedAtMs = NOW_MS, over }: Sent = {}): Reading {
  const raw = typeof body === 'string' ? bytes(body) : body
  return reader(over).read({ path: 'paris', headers: headers ?? vendor(raw), body: raw, receivedAtMs })
}

function vendor(body: Uint8Array, secret = SECRET): Record<string, string> {
  return { 'x-paris-signature': createHmac('sha256', secret).update(body).digest('hex') }
}

function standard(body: string, { id = 'e-1', atMs = NOW_MS, key = SECRET as string | Buffer } = {}): Record<string, string> {
  const timestamp = String(Math.floor(atMs / 1000))
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
}

const verdict = (reading: Reading): string => (reading.kind === 'events' ? 'accepted' : reading.verdict)

describe('X-Paris-Signature', () => {
  test('the published vector is an event that points at its order', () => {
    expect(read(VECTOR, { headers: { 'x-paris-signature': VECTOR_SIGNATURE } })).toEqual({
      kind: 'events',
      events: [
        {
          channel: 'paris:main',
          topic: 'order',
          resource: '/orders/p-1',
          sourceEventId: 'e-1',
          dedupeKey: 'event/e-1',
          comparable: VECTOR,
          orderKey: 'p-1',
          ignore: null,
        },
      ],
    })
  })

  test('a missing, short, long, upper-case, prefixed or non-ASCII header is refused', () => {
    const signature = VECTOR_SIGNATURE
    const odd = [
      '',
      signature.slice(1),
      `${signature}0`,
      signature.toUpperCase(),
      `sha256=${signature}`,
      `ñ${signature.slice(1)}`,
      'ÿ'.repeat(64),
    ]
    for (const header of odd) expect(verdict(read(VECTOR, { headers: { 'x-paris-signature': header } }))).toBe('bad-signature')
    expect(verdict(read(VECTOR, { headers: {} }))).toBe('bad-signature')
  })

  test('one changed byte of the body is refused', () => {
    const changed = VECTOR.replace('delivered', 'deliverec')
    expect(verdict(read(changed, { headers: { 'x-paris-signature': VECTOR_SIGNATURE } }))).toBe('bad-signature')
  })

  test('an empty secret verifies nothing', () => {
    const headers = vendor(bytes(VECTOR), '')
    expect(verdict(read(VECTOR, { headers, over: { secrets: [{ keyId: 'k', value: '' }] } }))).toBe('bad-signature')
  })
})

describe('Standard Webhooks', () => {
  const SPEC_SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
  const spec = {
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  }
  const specSent = { headers: spec, receivedAtMs: 1_614_265_330_000, over: { secrets: [{ keyId: 'k', value: SPEC_SECRET }] } }

  test('the vector of the specification verifies; its body is then no event of Paris', () => {
    expect(verdict(read('{"test": 2432232314}', specSent))).toBe('malformed')
    expect(verdict(read('{"test": 2432232315}', specSent))).toBe('bad-signature')
    for (const change of [{ 'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJeK' }, { 'webhook-timestamp': '1614265331' }])
      expect(verdict(read('{"test": 2432232314}', { ...specSent, headers: { ...spec, ...change } }))).toBe('bad-signature')
  })

  test('a whsec secret and a plain one both verify', () => {
    expect(verdict(read(VECTOR, { headers: standard(VECTOR) }))).toBe('accepted')
    const key = Buffer.from(SPEC_SECRET.slice(6), 'base64')
    expect(verdict(read(VECTOR, { headers: standard(VECTOR, { key }), over: specSent.over }))).toBe('accepted')
  })

  test('one valid signature among several is enough', () => {
    const { 'webhook-signature': right, ...others } = standard(VECTOR)
    const wrong = `v1,${Buffer.alloc(32, 1).toString('base64')}`
    const lists = [`${wrong} ${right}`, `v1a,AAAA ${right}`, `${right} ${wrong}`, `v1,short  v1,%%% ${right}`]
    for (const list of lists) expect(verdict(read(VECTOR, { headers: { ...others, 'webhook-signature': list } }))).toBe('accepted')
    for (const list of [wrong, `v1a,${right?.slice(3)}`, 'v1', ''])
      expect(verdict(read(VECTOR, { headers: { ...others, 'webhook-signature': list } }))).toBe('bad-signature')
  })

  test('they are preferred: a right X-Paris-Signature does not save a wrong one of theirs', () => {
    const both = { ...standard(VECTOR, { key: 'another' }), ...vendor(bytes(VECTOR)) }
    expect(verdict(read(VECTOR, { headers: both }))).toBe('bad-signature')
    expect(verdict(read(VECTOR, { headers: { 'webhook-id': 'e-1', ...vendor(bytes(VECTOR)) } }))).toBe('bad-signature')
  })

  test('300 seconds either way are let through and not one more, and the tolerance is a setting', () => {
    for (const seconds of [-300, -240, 0, 240, 300])
      expect(verdict(read(VECTOR, { headers: standard(VECTOR, { atMs: NOW_MS + seconds * 1000 }) }))).toBe('accepted')
    for (const seconds of [-360, -301, 301, 360, -1_000_000])
      expect(verdict(read(VECTOR, { headers: standard(VECTOR, { atMs: NOW_MS + seconds * 1000 }) }))).toBe('stale-timestamp')
    const strict = { headers: standard(VECTOR, { atMs: NOW_MS - 11_000 }), over: { toleranceMs: 10_000 } }
    expect(verdict(read(VECTOR, strict))).toBe('stale-timestamp')
  })

  test('an id with a full stop or a control character, and a timestamp that is no whole number, are refused', () => {
    for (const id of ['e.1', 'e\u00001', 'e 1', ''])
      expect(verdict(read(VECTOR, { headers: standard(VECTOR, { id }) }))).toBe('bad-signature')
    for (const timestamp of ['', '1.5', '-1', '1e9', ' 1', '9'.repeat(13)]) {
      const signature = createHmac('sha256', SECRET).update(`e-1.${timestamp}.${VECTOR}`).digest('base64')
      const headers = { 'webhook-id': 'e-1', 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
      expect(verdict(read(VECTOR, { headers }))).toBe('bad-signature')
    }
  })
})

describe('two keys', () => {
  const OLD = { keyId: 'old', value: 'the-old-secret', notAfterMs: NOW_MS }
  const NEW = { keyId: 'new', value: 'the-new-secret', notBeforeMs: NOW_MS - 1_000 }
  const secrets = [OLD, NEW]

  test('both verify while they overlap, and which one was used is told', () => {
    const used: string[] = []
    const over = { secrets, onKeyUsed: (keyId: string) => void used.push(keyId) }
    for (const { value } of secrets) {
      expect(verdict(read(VECTOR, { headers: vendor(bytes(VECTOR), value), over }))).toBe('accepted')
      expect(verdict(read(VECTOR, { headers: standard(VECTOR, { key: value }), over }))).toBe('accepted')
    }
    expect(used).toEqual(['old', 'old', 'new', 'new'])
  })

  test('the old one dies on time and the new one does not live early', () => {
    const at = (value: string, receivedAtMs: number) =>
      verdict(read(VECTOR, { headers: vendor(bytes(VECTOR), value), receivedAtMs, over: { secrets } }))
    expect([at(OLD.value, NOW_MS), at(OLD.value, NOW_MS + 1)]).toEqual(['accepted', 'bad-signature'])
    expect([at(NEW.value, NOW_MS - 1_000), at(NEW.value, NOW_MS - 1_001)]).toEqual(['accepted', 'bad-signature'])
  })
})

describe('the event', () => {
  const event = (over: Record<string, unknown> = {}) => JSON.stringify({ ...(JSON.parse(VECTOR) as object), ...over })
  const only = (reading: Reading) => (reading.kind === 'events' ? reading.events[0] : undefined)

  test('external_ref chooses nothing, however odd it is', () => {
    for (const external_ref of ['odoo-7', '', null, 7, { a: 1 }, 'x'.repeat(5_000)])
      expect(only(read(event({ external_ref })))).toMatchObject({ resource: '/orders/p-1', orderKey: 'p-1' })
  })

  test('the same id with another content is comparable as another one, another key order is not', () => {
    expect(only(read(event({ status: 'shipped' })))?.comparable).not.toBe(only(read(VECTOR))?.comparable)
    const { event_id, ...rest } = JSON.parse(VECTOR) as Record<string, unknown>
    expect(only(read(JSON.stringify({ ...rest, event_id })))).toEqual(only(read(VECTOR)))
  })

  test('without an event id the webhook-id is the key, and without that the bytes', () => {
    const body = event({ event_id: null })
    const bare = only(read(body, { headers: standard(body, { id: 'msg_1' }) }))
    expect(bare).toMatchObject({ sourceEventId: 'msg_1', dedupeKey: 'webhook/msg_1' })
    expect(only(read(VECTOR, { headers: standard(VECTOR, { id: 'msg_1' }) }))).toMatchObject({ dedupeKey: 'event/e-1' })
  })

  test('without an event id the bytes are the key of a request that X-Paris-Signature signs', () => {
    const [one, same, other] = [event({ event_id: null }), event({ event_id: null }), event({ event_id: '', status: 'shipped' })].map(
      (body) => only(read(body)),
    )
    expect(one).toMatchObject({ sourceEventId: null, dedupeKey: expect.stringMatching(/^body\/[0-9a-f]{64}$/) })
    expect([same?.dedupeKey === one?.dedupeKey, other?.dedupeKey === one?.dedupeKey]).toEqual([true, false])
  })

  test('another source, and an order id that is none, are malformed', () => {
    const odd = [
      { source: 'ripley' },
      { order_id: '../users' },
      { order_id: '' },
      { order_id: 7 },
      { event_id: 7 },
      { event_id: 'a\u0000b' },
    ]
    for (const over of odd) expect(verdict(read(event(over)))).toBe('malformed')
  })

  test('any signed JSON value in any field is read without a throw', () => {
    const value = fc.oneof(fc.string({ unit: 'binary' }), fc.double(), fc.jsonValue({ maxDepth: 3 }), fc.constant(undefined))
    const names = fc.constantFrom('event_id', 'source', 'order_id', 'external_ref', 'status', '__proto__', 'constructor', 'toString')
    fc.assert(
      fc.property(fc.dictionary(names, value), (over) => {
        const reading = read(event(over))
        const pointers = reading.kind === 'events' ? reading.events.map((one) => one.resource) : []
        expect(pointers.every((pointer) => /^\/orders\/[A-Za-z0-9_-]{1,80}$/.test(pointer))).toBe(true)
      }),
    )
  })

  test('any bytes, any headers and any depth are read without a throw', () => {
    const names = fc.oneof(
      fc.constantFrom('x-paris-signature', 'webhook-id', 'webhook-timestamp', 'webhook-signature', '__proto__'),
      fc.string(),
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.dictionary(names, fc.string({ unit: 'binary' })), (body, headers) => {
        expect(verdict(read(body, { headers }))).toBe('bad-signature')
        expect(['malformed', 'accepted']).toContain(verdict(read(body)))
      }),
    )
    for (const depth of [1_000, 10_000, 300_000]) {
      const deep = `${VECTOR.slice(0, -1)},"deep":${'['.repeat(depth)}${']'.repeat(depth)}}`
      expect(['malformed', 'accepted']).toContain(verdict(read(deep)))
    }
  })
})
