import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { tools } from '../../src/apps/mcp-server/tools.ts'
import { readIdentifier } from '../../src/core/identifier.ts'
import { untrustedText } from '../../src/core/untrusted.ts'
import { retryAfterMs } from '../../src/drivers/http.ts'
import { secretPathWebhooks, signedWebhooks } from '../../src/drivers/mercadolibre/webhook.ts'
import { odooWebhookReader } from '../../src/drivers/odoo/webhook.ts'
import { parisWebhooks } from '../../src/drivers/paris/webhook.ts'
import type { WebhookReader } from '../../src/ports/marketplace.ts'

// A fixed seed, so that what was found once is found again, and a fresh one, so that something new is tried at every run. fast-check prints the seed
// of a failure; what it finds becomes a fixture below.
const seeds = { fixed: 20_261_125, fresh: Date.now() % 2 ** 31 }
const RUNS = 1_500

const KEY = 'a key of this test, thirty-two long!'
const secrets = [{ keyId: 'k1', value: KEY }]
const accounts = [{ channel: 'mercadolibre:1001', userId: '1001', appId: '77' }]
const hex = (body: Uint8Array): string => createHmac('sha256', KEY).update(body).digest('hex')

interface DoorOf {
  reader: WebhookReader
  path: string
  genuine: string
  headers: (body: Uint8Array) => Record<string, string>
  /** What it ignores is kept as it came, for people to read, and never fetched. */
  keepsIgnored?: true
}

const doors: Record<string, DoorOf> = {
  paris: {
    reader: parisWebhooks({ channel: 'paris:main', secrets }),
    path: 'paris',
    genuine: '{"event_id":"e-1","order_id":"p-1","source":"paris","status":"delivered"}',
    headers: (body) => ({ 'x-paris-signature': hex(body) }),
  },
  'mercadolibre signed': {
    reader: signedWebhooks({ accounts, secrets }),
    path: 'mercadolibre',
    keepsIgnored: true,
    genuine:
      '{"_id":"f9f0","resource":"/orders/2195160686","user_id":1001,"topic":"orders_v2","application_id":77,"sent":"2026-10-30T16:19:20.129Z"}',
    headers: (body) => ({ 'x-signature': hex(body) }),
  },
  'mercadolibre by path': {
    reader: secretPathWebhooks({ accounts, secrets }),
    path: `mercadolibre/${KEY}`,
    keepsIgnored: true,
    genuine:
      '{"_id":"f9f0","resource":"/orders/2195160686","user_id":1001,"topic":"orders_v2","application_id":77,"sent":"2026-10-30T16:19:20.129Z"}',
    headers: () => ({}),
  },
  odoo: {
    reader: odooWebhookReader({ secrets }),
    path: `odoo/${KEY}`,
    genuine: '{"_model":"sale.order","_id":42,"write_date":"2026-11-23 10:00:00"}',
    headers: () => ({}),
  },
}

// Bytes of nothing, and a genuine body with a few of its bytes put out of place.
const bodiesOf = (genuine: string) =>
  fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.array(fc.tuple(fc.nat(genuine.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }).map((changes) => {
      const bytes = Buffer.from(genuine)
      for (const [at, value] of changes) bytes[at] = value
      return new Uint8Array(bytes)
    }),
    fc.json({ maxDepth: 6 }).map((text) => new TextEncoder().encode(text)),
  )

describe.each(Object.entries(seeds))('with the %s seed', (_name, seed) => {
  const options = { seed, numRuns: RUNS }

  test.each(Object.entries(doors))(
    '%s reads or refuses whatever comes, and what it makes of it points at a resource',
    (_door, { reader, path, genuine, headers, keepsIgnored }) => {
      fc.assert(
        fc.property(bodiesOf(genuine), fc.nat(), (body, receivedAtMs) => {
          const reading = reader.read({ path, headers: headers(body), body, receivedAtMs })
          const events = reading.kind === 'events' ? reading.events : []
          const made = events.filter(({ ignore }) => !keepsIgnored || ignore === null)
          expect(made.every(({ resource }) => /^\/[a-z]/.test(resource) && !/[\s?#]|\.\./.test(resource))).toBe(true)
          expect(events.every(({ resource }) => resource.length <= 400 && !/\p{Cc}/u.test(resource))).toBe(true)
        }),
        options,
      )
    },
  )

  test.each(Object.entries(doors))(
    '%s takes nothing that was not signed, whatever the headers are',
    (_door, { reader, path, genuine, headers }) => {
      const bare = Object.keys(headers(new Uint8Array())).length === 0
      fc.assert(
        fc.property(
          fc.dictionary(
            fc.oneof(fc.constantFrom('x-signature', 'x-paris-signature', 'webhook-signature', '__proto__'), fc.string()),
            fc.string({ unit: 'binary' }),
          ),
          (given) => {
            const wrong = bare ? `${path}x` : path
            expect(reader.read({ path: wrong, headers: given, body: Buffer.from(genuine), receivedAtMs: 0 }).kind).toBe('refused')
          },
        ),
        options,
      )
    },
  )

  test('an identifier, a text, a Retry-After of any kind are read without a throw', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 400 }), fc.anything()), (value) => {
        const { text } = readIdentifier(value)
        expect(text.length).toBeLessThanOrEqual(200)
        expect(untrustedText(value, 50)?.text ?? '').not.toMatch(/[<>\p{Cc}\u2028\u202e]/u)
        if (typeof value === 'string') expect(retryAfterMs(value, 0) ?? 0).toBeGreaterThanOrEqual(0)
      }),
      options,
    )
  })

  test.each(tools.map((tool) => [tool.name, tool] as const))('%s refuses arguments of any kind without a throw', (_tool, { input }) => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.oneof(fc.constantFrom(...Object.keys(input.shape), 'x', '__proto__'), fc.string()), fc.anything()),
        (args) => {
          const parsed = input.safeParse(args)
          const strange = Object.keys(args).some((key) => !Object.hasOwn(input.shape, key))
          expect(parsed.success && strange).toBe(false)
        },
      ),
      { ...options, numRuns: 300 },
    )
  })
})

test('what once broke a reader is read', () => {
  const fixtures = [
    '',
    '[',
    'null',
    '"',
    '{"_model":',
    `${'['.repeat(100_000)}`,
    '{"__proto__":{"a":1}}',
    '\ud800',
    '{"_id":1e400}',
    '{"_model":" ale.order","_id":42}',
    '{"_model":"sale..rder","_id":42}',
    '\u0000',
  ]
  for (const { reader, path, headers } of Object.values(doors))
    for (const fixture of fixtures) {
      const body = Buffer.from(fixture)
      expect(reader.read({ path, headers: headers(body), body, receivedAtMs: 0 }).kind).toBe('refused')
    }
})
