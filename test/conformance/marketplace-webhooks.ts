import fc from 'fast-check'
import { expect } from 'vitest'
import type { Reading } from '../../src/core/inbound-event.ts'
import type { MarketplaceWorld, WebhookWorld } from './marketplace-world.ts'
import { describe, test } from './suite.ts'

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const isWhole = (reading: Reading): boolean =>
  reading.kind === 'events'
    ? reading.events.every((one) => one.dedupeKey.length > 2 && one.comparable.length > 0 && !/\0/.test(one.topic + one.resource))
    : reading.reason.length > 0

export function readsWebhooks(there: () => MarketplaceWorld): void {
  const each = async (check: (webhooks: WebhookWorld, world: MarketplaceWorld) => void | Promise<void>): Promise<void> => {
    const world = there()
    for (const webhooks of world.webhooks) await check(webhooks, world)
  }

  describe('its webhooks', () => {
    test('a genuine one is an event of this channel that points at something to fetch', () =>
      each(({ reader, authentic, body }, world) => {
        const reading = reader.read(authentic(body(world.unknownPointer)))
        expect(reading).toMatchObject({ kind: 'events', events: [{ channel: world.marketplace.channel, ignore: null }] })
      }))

    test('the same bytes twice are the same event with the same content', () =>
      each(({ reader, authentic, body }, world) => {
        const read = () => reader.read(authentic(body(world.unknownPointer)))
        expect(read()).toEqual(read())
      }))

    test('one whose secret or signature is wrong is refused as such', () =>
      each(({ reader, forged, body }, world) => {
        expect(reader.read(forged(body(world.unknownPointer)))).toMatchObject({ kind: 'refused', verdict: 'bad-signature' })
      }))

    test('an authentic one that cannot be read is malformed', () =>
      each(({ reader, authentic }) => {
        for (const body of ['', '<html>', '[', 'null', '[]', '7', '"x"', '{}', '{"a":1']) {
          expect(reader.read(authentic(text(body)))).toMatchObject({ kind: 'refused', verdict: 'malformed' })
        }
      }))

    test('any bytes in the body are read without a throw', () =>
      each(({ reader, authentic }) => {
        const property = fc.property(fc.uint8Array({ maxLength: 200 }), (body) => {
          expect(isWhole(reader.read(authentic(body)))).toBe(true)
        })
        fc.assert(property)
      }))

    test('any change of a genuine body is read without a throw', () =>
      each(({ reader, authentic, body }, world) => {
        const genuine = JSON.parse(new TextDecoder().decode(body(world.unknownPointer))) as Record<string, unknown>
        const value = fc.oneof(fc.string({ unit: 'binary' }), fc.double(), fc.jsonValue({ maxDepth: 3 }), fc.constant(undefined))
        const names = fc.constantFrom(...Object.keys(genuine), '__proto__', 'constructor', 'extra')
        fc.assert(
          fc.property(fc.dictionary(names, value), (over) => {
            expect(isWhole(reader.read(authentic(text(JSON.stringify({ ...genuine, ...over })))))).toBe(true)
          }),
        )
      }))

    test('deep nesting, huge numbers and half surrogate pairs are read without a throw', () =>
      each(({ reader, authentic }) => {
        const nested = [1_000, 5_000, 100_000].map((depth) => `${'['.repeat(depth)}${']'.repeat(depth)}`)
        for (const body of [...nested, '1e999', '"\\ud800"', '{"\\u0000":"\\udfff"}', `{"id":${'9'.repeat(10_000)}}`]) {
          expect(isWhole(reader.read(authentic(text(body))))).toBe(true)
        }
      }))

    test('any path and any headers are refused without a throw', () =>
      each(({ reader, authentic }) => {
        const genuine = authentic(text('{}'))
        const odd = fc.string({ unit: 'binary' })
        fc.assert(
          fc.property(
            odd,
            fc.dictionary(fc.oneof(fc.constantFrom(...Object.keys(genuine.headers), 'x-signature'), odd), odd),
            (path, headers) => {
              expect(reader.read({ ...genuine, path, headers }).kind).toBe('refused')
            },
          ),
        )
      }))
  })
}
