import { createHash, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import type { WebhookReader } from '../../ports/marketplace.ts'

const Event = z.object({ id: z.string().regex(/^[\w-]{1,80}$/), order: z.string().regex(/^\d{1,20}$/) })

/** Webhooks of a marketplace in memory: `{"id","order"}`, and the secret in the header `x-memory-secret`. */
export function memoryWebhooks(channel: string, secret: string): WebhookReader {
  return {
    answersUnreadableWith200: false,
    read({ headers, body }) {
      if (!timingSafeEqual(digest(headers['x-memory-secret'] ?? ''), digest(secret)))
        return { kind: 'refused', verdict: 'bad-signature', reason: 'the secret is wrong' }
      const event = Event.safeParse(jsonIn(body))
      if (!event.success) return { kind: 'refused', verdict: 'malformed', reason: 'the body is no event' }
      const { id, order } = event.data
      return {
        kind: 'events',
        events: [
          {
            channel,
            topic: 'order',
            resource: `/orders/${order}`,
            sourceEventId: id,
            dedupeKey: `event/${id}`,
            comparable: order,
            orderKey: order,
            ignore: null,
          },
        ],
      }
    },
  }
}

function jsonIn(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    return undefined
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
