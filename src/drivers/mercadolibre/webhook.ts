import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { Reading } from '../../core/inbound-event.ts'
import { keyOf, type WebhookKey } from '../../core/webhook-key.ts'
import type { WebhookReader, WebhookRequest } from '../../ports/marketplace.ts'
import { type ConnectedAccount, notificationEvent } from './notification.ts'

export interface WebhookParts {
  /** Read at every request: a getter may answer the accounts of this moment. */
  accounts: readonly ConnectedAccount[]
  /** Read at every request, as above. */
  secrets: readonly WebhookKey[]
  /** Told which key a request was accepted by, so that the last use of an old one shows. */
  onKeyUsed?: (keyId: string) => void
}

const MARKETPLACE = 'mercadolibre'
const HEX_SHA256 = /^[0-9a-f]{64}$/i

/**
 * `/webhooks/mercadolibre/<secret>`: MercadoLibre's own notifications. They are unsigned, so they are hints: the secret in the path says
 * only that the sender knows the callback, and whatever an event leads to is fetched with the seller's token.
 */
export function secretPathWebhooks(parts: WebhookParts): WebhookReader {
  return {
    // Any other answer is retried for an hour and counts towards switching the topic off.
    answersUnreadableWith200: true,
    read(request) {
      const secret = secretIn(request.path)
      if (secret === undefined) return { kind: 'refused', verdict: 'bad-signature', reason: 'the path carries no secret' }
      const key = keyOf(parts.secrets, request.receivedAtMs, (one) => sameText(secret, one.value))
      if (!key) return { kind: 'refused', verdict: 'bad-signature', reason: 'the secret in the path is wrong' }
      return readAs(key, request, parts)
    },
  }
}

/** `/webhooks/mercadolibre` with `X-Signature`, hex HMAC-SHA256 of the raw body: signing relays and existing set-ups. */
export function signedWebhooks(parts: WebhookParts): WebhookReader {
  return {
    answersUnreadableWith200: false,
    read(request) {
      const given = request.headers['x-signature']
      if (given === undefined || given === '') return { kind: 'refused', verdict: 'bad-signature', reason: 'header X-Signature is missing' }
      if (!HEX_SHA256.test(given)) {
        return { kind: 'refused', verdict: 'bad-signature', reason: 'header X-Signature is not 64 hexadecimal digits' }
      }
      const signature = Buffer.from(given, 'hex')
      const key = keyOf(parts.secrets, request.receivedAtMs, (one) =>
        timingSafeEqual(signature, createHmac('sha256', one.value).update(request.body).digest()),
      )
      if (!key) return { kind: 'refused', verdict: 'bad-signature', reason: 'X-Signature does not match the body' }
      return readAs(key, request, parts)
    },
  }
}

function readAs(key: WebhookKey, request: WebhookRequest, parts: WebhookParts): Reading {
  parts.onKeyUsed?.(key.keyId)
  const read = notificationEvent(request.body, parts.accounts)
  return read.kind === 'event' ? { kind: 'events', events: [read.event] } : { kind: 'refused', verdict: 'malformed', reason: read.reason }
}

function secretIn(path: string): string | undefined {
  const parts = path.split('/')
  return parts.length === 2 && parts[0] === MARKETPLACE && parts[1] !== '' ? parts[1] : undefined
}

function sameText(a: string, b: string): boolean {
  return timingSafeEqual(digest(a), digest(b))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
