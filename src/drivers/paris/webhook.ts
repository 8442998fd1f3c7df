import { createHmac, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { canonicalJson } from '../../core/desired.ts'
import type { Reading } from '../../core/inbound-event.ts'
import type { WebhookReader, WebhookRequest } from '../../ports/marketplace.ts'

/** One of the secrets in force; two overlap while one is replaced. */
export interface ParisSecret {
  keyId: string
  value: string
  notBeforeMs?: number
  notAfterMs?: number
}

export interface ParisWebhookParts {
  channel: string
  secrets: readonly ParisSecret[]
  /** How far a signed timestamp may lie from the receipt, either way; 300 s unless told. */
  toleranceMs?: number
}

const Event = z.object({
  event_id: z.string().min(1).max(200),
  source: z.literal('paris'),
  order_id: z.string().regex(/^[A-Za-z0-9_-]{1,80}$/),
  external_ref: z.string().max(200).nullable().optional(),
  status: z.string().min(1).max(80),
})

const HEX_SHA256 = /^[0-9a-f]{64}$/i
const TOLERANCE_MS = 300_000

/** `/webhooks/paris`. Standard Webhooks headers are preferred when present; else `X-Paris-Signature`. Total over every byte string. */
export function parisWebhooks(parts: ParisWebhookParts): WebhookReader {
  return { answersUnreadableWith200: false, read: (request) => read(request, parts) }
}

function read(request: WebhookRequest, parts: ParisWebhookParts): Reading {
  const refused = request.headers['webhook-signature'] === undefined ? verifyVendor(request, parts) : verifyStandard(request, parts)
  if (refused) return refused
  const event = Event.safeParse(jsonOf(request.body))
  if (!event.success) {
    const field = event.error.issues[0]?.path.join('.') || 'body'
    return { kind: 'refused', verdict: 'malformed', reason: `"${field}" is missing or no value of a Paris event` }
  }
  const { event_id, order_id } = event.data
  return {
    kind: 'events',
    events: [
      {
        channel: parts.channel,
        topic: 'order',
        resource: `/orders/${order_id}`,
        sourceEventId: event_id,
        dedupeKey: event_id,
        comparable: canonicalJson(event.data),
        orderKey: order_id,
        ignore: null,
      },
    ],
  }
}

function inForce(parts: ParisWebhookParts, atMs: number): ParisSecret[] {
  return parts.secrets.filter(
    (s) => atMs >= (s.notBeforeMs ?? Number.NEGATIVE_INFINITY) && atMs <= (s.notAfterMs ?? Number.POSITIVE_INFINITY),
  )
}

function verifyVendor(request: WebhookRequest, parts: ParisWebhookParts): Reading | undefined {
  const given = request.headers['x-paris-signature'] ?? ''
  const ok =
    HEX_SHA256.test(given) && inForce(parts, request.receivedAtMs).some((s) => same(hmac(s.value, request.body), Buffer.from(given, 'hex')))
  return ok
    ? undefined
    : { kind: 'refused', verdict: 'bad-signature', reason: 'X-Paris-Signature is not the hex HMAC-SHA256 of the body under our secret' }
}

function verifyStandard(request: WebhookRequest, parts: ParisWebhookParts): Reading | undefined {
  const { 'webhook-id': id = '', 'webhook-timestamp': timestamp = '', 'webhook-signature': signatures = '' } = request.headers
  const content = Buffer.concat([Buffer.from(`${id}.${timestamp}.`, 'utf8'), request.body])
  const wanted = inForce(parts, request.receivedAtMs).map((s) => hmac(standardKey(s.value), content))
  const given = signatures.split(' ').flatMap((one) => (one.startsWith('v1,') ? [Buffer.from(one.slice(3), 'base64')] : []))
  const signed = id !== '' && /^\d{1,12}$/.test(timestamp) && given.some((g) => wanted.some((w) => same(w, g)))
  if (!signed) return { kind: 'refused', verdict: 'bad-signature', reason: 'no signature of webhook-signature is ours' }
  const apartMs = Math.abs(Number(timestamp) * 1000 - request.receivedAtMs)
  if (apartMs <= (parts.toleranceMs ?? TOLERANCE_MS)) return undefined
  return { kind: 'refused', verdict: 'stale-timestamp', reason: `webhook-timestamp lies ${Math.round(apartMs / 1000)} s from our clock` }
}

// Standard Webhooks writes keys as `whsec_` and base64; a plain secret is taken as its bytes.
function standardKey(secret: string): string | Buffer {
  return secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : secret
}

function hmac(key: string | Buffer, content: Uint8Array): Buffer {
  return createHmac('sha256', key).update(content).digest()
}

function same(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    return undefined
  }
}
