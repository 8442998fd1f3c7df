import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { InboundEvent, Reading } from '../../core/inbound-event.ts'
import { missedEvent } from './notification.ts'
import { secretPathWebhooks } from './webhook.ts'

const PATH_SECRET = 'a-path-secret-of-some-length'
const accounts = [
  { channel: 'mercadolibre:468424240', userId: '468424240', appId: '5503910054141466' },
  { channel: 'mercadolibre:123456789', userId: '123456789', appId: '1111111111111111111' },
]
const receivedAtMs = Date.parse('2026-11-23T12:00:00Z')
const unsigned = secretPathWebhooks({ accounts, secrets: [{ keyId: 'k1', value: PATH_SECRET }] })

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

describe('the traps of notification bodies', () => {
  test('`_id` may be missing, `id` may take its place', () => {
    expect(event(order({ _id: 'f9f0' })).sourceEventId).toBe('f9f0')
    expect(event(order({ id: 'aaa' })).sourceEventId).toBe('aaa')
    expect(event(order()).sourceEventId).toBeNull()
  })

  test('one `_id` under two topics is two events', () => {
    const one = event(order({ _id: 'same' }))
    const other = event(order({ _id: 'same', topic: 'shipments', resource: '/shipments/2195160686' }))
    expect(one.dedupeKey).not.toBe(other.dedupeKey)
  })

  test('a user id as text is the same user', () => {
    expect(event(order({ user_id: '468424240' })).dedupeKey).toBe(event(order()).dedupeKey)
    expect(event(order({ user_id: '468424240' })).comparable).toBe(event(order()).comparable)
  })

  test('`recieved` counts as received', () => {
    const misspelt = (nanos: string) => event({ ...order(), received: undefined, recieved: `2021-12-05T17:13:53.${nanos}Z` })
    expect(misspelt('617074685').dedupeKey).toBe(misspelt('617074685').dedupeKey)
    expect(misspelt('617074685').dedupeKey).not.toBe(misspelt('617074686').dedupeKey)
  })

  test('without any part of its own the key is made of the raw body', () => {
    const bare = (extra: string) => event(JSON.stringify({ ...order(), received: undefined, sent: undefined, extra }))
    expect(bare('a').dedupeKey).not.toBe(bare('b').dedupeKey)
    expect(bare('a').dedupeKey).toBe(bare('a').dedupeKey)
  })

  test('a retry is the same event: attempts and sent count for nothing', () => {
    const first = event(order())
    const retry = event(order({ attempts: 5, sent: '2026-10-30T17:19:20.129Z' }))
    expect([retry.dedupeKey, retry.comparable]).toEqual([first.dedupeKey, first.comparable])
  })

  test('the same key with other content can be told', () => {
    const first = event(order({ _id: 'x', actions: ['payments'] }))
    const other = event(order({ _id: 'x', actions: ['pack_order:false'] }))
    expect(other.dedupeKey).toBe(first.dedupeKey)
    expect(other.comparable).not.toBe(first.comparable)
  })

  test('a resource without its slash, or a claim in the older form, is normalised', () => {
    expect(event(order({ resource: 'orders/2195160686' })).resource).toBe('/orders/2195160686')
    for (const resource of ['post-purchase/v1/claims/52', 'v1/claims/52', '/claims/52']) {
      expect(event(order({ topic: 'claims', resource })).resource).toBe('/post-purchase/v1/claims/52')
    }
  })

  test('a 19-digit application id is compared digit by digit', () => {
    const body = (application: string) =>
      `{"resource":"/orders/1","user_id":123456789,"topic":"orders_v2","application_id":${application},"received":"x"}`
    expect(event(body('1111111111111111111'))).toMatchObject({ channel: 'mercadolibre:123456789', ignore: null })
    expect(event(body('1111111111111111112'))).toMatchObject({ ignore: 'foreign-account' })
  })

  test('topics are routed by their literal name; stock and unknown ones are kept and ignored', () => {
    expect(event(order({ topic: 'stock-location', resource: '/user-products/MLCU12/stock' })).ignore).toBe('irrelevant-topic')
    expect(event(order({ topic: 'stock_locations', resource: '/anything' })).ignore).toBe('irrelevant-topic')
    expect(event(order({ topic: 'messages', resource: 'a35cf79864a845ca9a3bf6aee59bb4d7' }))).toMatchObject({
      ignore: 'irrelevant-topic',
      resource: '/a35cf79864a845ca9a3bf6aee59bb4d7',
    })
  })

  test('a known topic with a resource outside the whitelist is malformed', () => {
    const resources = [
      '/orders/1/../../users/me',
      '/orders/1?x=1',
      'https://evil.test/orders/1',
      '/orders/$ID',
      '//orders/1',
      '/shipments/1',
      '/orders/１',
    ]
    for (const resource of resources) expect(read(order({ resource }))).toMatchObject({ kind: 'refused', verdict: 'malformed' })
  })

  test('a stranger is ignored, never refused', () => {
    expect(event(order({ user_id: 1 })).ignore).toBe('foreign-account')
    expect(event(order({ application_id: 1, resource: '/orders/1/../x' })).ignore).toBe('foreign-account')
  })

  test('what is stored holds neither NUL nor half a surrogate pair', () => {
    const odd = event('{"topic":"a\\u0000\\ud800","resource":"/x\\u0000","user_id":1,"application_id":2,"_id":"\\udfff"}')
    expect(odd.topic + odd.resource + odd.sourceEventId).toBe('a\u{fffd}\u{fffd}/x\u{fffd}\u{fffd}')
    expect(odd.dedupeKey.isWellFormed()).toBe(true)
  })
})

describe('the missed feed', () => {
  const row = (over: Record<string, unknown> = {}) => ({
    ...order({ _id: '5da8', attempts: 5 }),
    request: { url: 'https://x', headers: {}, data: JSON.stringify(order({ user_id: '468424240', actions: ['payments'] })) },
    response: { req_time: 498, http_code: 200, body: '', headers: {} },
    ...over,
  })

  test('the outer record counts, and what its inner text alone says is filled in', () => {
    const read = missedEvent(row(), accounts)
    const posted = event(order({ _id: '5da8', actions: ['payments'] }))
    expect(read).toEqual({ kind: 'event', event: posted })
  })

  test('an inner text that is no JSON spoils nothing', () => {
    for (const data of ['', '{', 7, null]) expect(missedEvent(row({ request: { data } }), accounts).kind).toBe('event')
    expect(missedEvent('x', accounts).kind).toBe('malformed')
  })
})

const samples = new URL('../../../../shared/payloads/', import.meta.url)
describe.skipIf(!existsSync(samples))("the vendor's published samples", () => {
  const file = (name: string) => readFileSync(new URL(name, samples), 'utf8')

  test('all 17 notifications are read, and no two share a key', () => {
    const raw = file('ml-notifications-official-examples.json')
    const bodies = JSON.parse(raw) as { application_id: number; user_id: number | string; topic: string; resource: string }[]
    const own = bodies.map((one) => ({ channel: 'mercadolibre:x', userId: String(one.user_id), appId: String(one.application_id) }))
    const reader = secretPathWebhooks({ accounts: own, secrets: [{ keyId: 'k', value: 's' }] })
    const readings = bodies.map((one) =>
      reader.read({ path: 'mercadolibre/s', headers: {}, body: bytes(JSON.stringify(one)), receivedAtMs }),
    )
    const events = readings.flatMap((one) => (one.kind === 'events' ? one.events : []))
    expect(bodies).toHaveLength(17)
    // The one with a placeholder inside a known topic is refused.
    expect(readings.filter((one) => one.kind === 'refused')).toHaveLength(1)
    expect(new Set(events.map((one) => one.dedupeKey)).size).toBe(16)
  })

  test('both rows of the missed feed are read', () => {
    const { messages } = JSON.parse(file('ml-missed_feeds-official-example.json')) as { messages: unknown[] }
    expect(messages.map((row) => missedEvent(row, accounts).kind)).toEqual(['event', 'event'])
  })
})
