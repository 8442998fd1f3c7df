import { timingSafeEqual } from 'node:crypto'
import type { WebhookReader } from '../../../src/ports/marketplace.ts'
import { type MemoryWorld, memoryWorld } from '../memory-world.ts'
import type { Broken } from './broken.ts'

function reading(change: (reader: WebhookReader) => Partial<WebhookReader>): MemoryWorld {
  const world = memoryWorld()
  return { ...world, webhooks: world.webhooks.map((one) => ({ ...one, reader: { ...one.reader, ...change(one.reader) } })) }
}

function jsonOr(body: Uint8Array, fallback: unknown): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body))
  } catch {
    return fallback
  }
}

function depthOf(value: unknown): number {
  return Array.isArray(value) ? 1 + Math.max(0, ...value.map(depthOf)) : 0
}

/** For each promise of a WebhookReader, a reader that breaks it. */
export const BROKEN_WEBHOOKS: Broken<MemoryWorld>[] = [
  {
    breaks: 'WebhookReader: total, garbage is a refusal, never a throw',
    red: ['an authentic one that cannot be read is malformed', 'any bytes in the body are read without a throw'],
    make: () =>
      reading((reader) => ({
        read: (request) => {
          JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(request.body))
          return reader.read(request)
        },
      })),
  },
  {
    breaks: 'WebhookReader: total over deep nesting too',
    red: ['deep nesting, huge numbers and half surrogate pairs are read without a throw'],
    make: () =>
      reading((reader) => ({
        read: (request) => {
          const result = reader.read(request)
          if (result.kind === 'refused' && result.verdict === 'malformed') depthOf(jsonOr(request.body, null))
          return result
        },
      })),
  },
  {
    breaks: 'WebhookReader: total over odd headers too',
    red: ['any path and any headers are refused without a throw'],
    make: () =>
      reading((reader) => ({
        read: (request) => {
          timingSafeEqual(Buffer.from(Object.values(request.headers).join(' ')), Buffer.alloc(18))
          return reader.read(request)
        },
      })),
  },
  {
    breaks: 'WebhookReader: total over odd fields too',
    red: ['any change of a genuine body is read without a throw'],
    make: () =>
      reading((reader) => ({
        read: (request) => {
          const result = reader.read(request)
          if (result.kind === 'refused' && result.verdict === 'malformed') throw new TypeError('a field is odd')
          return result
        },
      })),
  },
  {
    breaks: 'WebhookReader: verifies',
    red: ['one whose secret or signature is wrong is refused as such'],
    make: () => {
      const world = memoryWorld()
      return {
        ...world,
        webhooks: world.webhooks.map((one) => ({ ...one, reader: { ...one.reader, read: (r) => one.reader.read(one.authentic(r.body)) } })),
      }
    },
  },
  {
    breaks: 'WebhookReader: garbage is a refusal',
    red: ['an authentic one that cannot be read is malformed'],
    make: () =>
      reading((reader) => ({
        read: (request) => {
          const result = reader.read(request)
          return result.kind === 'refused' && result.verdict === 'malformed' ? { kind: 'events', events: [] } : result
        },
      })),
  },
  {
    breaks: 'InboundEvent.dedupeKey: what makes two events of a channel the same',
    red: ['the same bytes twice are the same event with the same content'],
    make: () => {
      let arrivals = 0
      return reading((reader) => ({
        read: (request) => {
          const result = reader.read(request)
          arrivals += 1
          return result.kind === 'refused'
            ? result
            : { ...result, events: result.events.map((one) => ({ ...one, dedupeKey: `arrival ${arrivals}` })) }
        },
      }))
    },
  },
  {
    breaks: 'InboundEvent.dedupeKey: never built of parts that may all be missing',
    red: ['any change of a genuine body is read without a throw'],
    make: () =>
      reading((reader) => ({
        read: (request) => {
          const result = reader.read(request)
          return result.kind === 'refused' ? result : { ...result, events: result.events.map((one) => ({ ...one, dedupeKey: '' })) }
        },
      })),
  },
  {
    breaks: 'InboundEvent.channel: the account it is about',
    red: ['a genuine one is an event of this channel that points at something to fetch'],
    make: () =>
      reading((reader) => ({
        read: (request) => {
          const result = reader.read(request)
          return result.kind === 'refused'
            ? result
            : { ...result, events: result.events.map((one) => ({ ...one, channel: 'paris:another' })) }
        },
      })),
  },
]
