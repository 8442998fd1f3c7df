import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { canonicalJson } from '../../core/canonical-json.ts'
import type { Reading } from '../../core/inbound-event.ts'
import { keyOf, type WebhookKey } from '../../core/webhook-key.ts'
import type { WebhookReader, WebhookRequest } from '../../ports/marketplace.ts'
import { PARIS_ID } from './order.ts'

export interface ParisWebhookParts {
  channel: string
  /** Read at every request: a getter may answer the keys of this moment. */
  secrets: readonly WebhookKey[]
  /** How far a signed timestamp may lie from the receipt, either way; 300 s unless told. */
  toleranceMs?: number
  /** Told which key a request was accepted by, so that the last use of an old one shows. */
  onKeyUsed?: (keyId: string) => void
}

const TOLERANCE_MS = 300_000

/** `/webhooks/paris`. Standard Webhooks headers are preferred when present; else `X-Paris-Signature`. Total over every byte string. */
export function parisWebhooks(parts: ParisWebhookParts): WebhookReader {
  return { answersUnreadableWith200: false, read: (request) => read(request, parts) }
}

type Verified = { kind: 'verified'; keyId: string; webhookId: string | null } | Extract<Reading, { kind: 'refused' }>

function read(request: WebhookRequest, parts: ParisWebhookParts): Reading {
  const isStandard = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].some((name) => Object.hasOwn(request.headers, name))
  const verified = isStandard ? verifyStandard(request, parts) : verifyVendor(request, parts)
  if (verified.kind === 'refused') return verified
  parts.onKeyUsed?.(verified.keyId)
  return eventIn(request.body, parts.channel, verified.webhookId)
}

const HEX_SHA256 = /^[0-9a-f]{64}$/

// No timestamp is signed here: a captured request stays valid, and only its event id tells it from a new one.
function verifyVendor(request: WebhookRequest, parts: ParisWebhookParts): Verified {
  const given = headerOf(request, 'x-paris-signature')
  if (given === '') return badSignature('header X-Paris-Signature is missing')
  if (!HEX_SHA256.test(given)) return badSignature('header X-Paris-Signature is not 64 lower-case hexadecimal digits')
  const signature = Buffer.from(given, 'hex')
  const key = keyOf(parts.secrets, request.receivedAtMs, (one) => timingSafeEqual(signature, hmac(one.value, request.body)))
  return key
    ? { kind: 'verified', keyId: key.keyId, webhookId: null }
    : badSignature('X-Paris-Signature is not of this body under our secret')
}

const SIGNATURE_V1 = /^v1,([A-Za-z0-9+/]{43}=)$/
const MOST_SIGNATURES = 20
const WEBHOOK_ID = /^[\x21-\x2d\x2f-\x7e]{1,256}$/

/** Standard Webhooks 1.0.0: the signed content is `id.timestamp.body`, so an id holds no full stop. */
function verifyStandard(request: WebhookRequest, parts: ParisWebhookParts): Verified {
  const id = headerOf(request, 'webhook-id')
  const timestamp = headerOf(request, 'webhook-timestamp')
  if (!WEBHOOK_ID.test(id)) return badSignature('header webhook-id is missing, or holds a full stop or what is no printable ASCII')
  if (!/^\d{1,12}$/.test(timestamp)) return badSignature('header webhook-timestamp is not in whole seconds since 1970')
  const given = headerOf(request, 'webhook-signature')
    .split(' ')
    .slice(0, MOST_SIGNATURES)
    .flatMap((one) => SIGNATURE_V1.exec(one)?.[1] ?? [])
    .map((base64) => Buffer.from(base64, 'base64'))
  const content = Buffer.concat([Buffer.from(`${id}.${timestamp}.`, 'utf8'), request.body])
  const key = keyOf(parts.secrets, request.receivedAtMs, (one) => {
    const wanted = hmac(standardKey(one.value), content)
    // 43 base64 digits may end in bits that are dropped, never in another length.
    return given.filter((signature) => timingSafeEqual(signature, wanted)).length > 0
  })
  if (!key) return badSignature('no signature in webhook-signature is of this request under our secret')
  const apartMs = Math.abs(Number(timestamp) * 1000 - request.receivedAtMs)
  if (apartMs <= (parts.toleranceMs ?? TOLERANCE_MS)) return { kind: 'verified', keyId: key.keyId, webhookId: id }
  return { kind: 'refused', verdict: 'stale-timestamp', reason: `webhook-timestamp lies ${Math.round(apartMs / 1000)} s from our clock` }
}

function headerOf({ headers }: WebhookRequest, name: string): string {
  return Object.hasOwn(headers, name) ? (headers[name] ?? '') : ''
}

const WHSEC = /^whsec_([A-Za-z0-9+/]+={0,2})$/

// A plain secret is taken as its bytes.
function standardKey(secret: string): string | Buffer {
  const base64 = WHSEC.exec(secret)?.[1]
  return base64 === undefined ? secret : Buffer.from(base64, 'base64')
}

function hmac(key: string | Buffer, content: Uint8Array): Buffer {
  return createHmac('sha256', key).update(content).digest()
}

function badSignature(reason: string): Verified {
  return { kind: 'refused', verdict: 'bad-signature', reason }
}

/** `external_ref` and `status` are not read: the event points at an order, and what is fetched there counts. */
const Event = z.looseObject({
  event_id: z.string().max(200).nullish(),
  source: z.literal('paris'),
  order_id: z.string().regex(PARIS_ID),
})

// A database takes no NUL and no half of a surrogate pair, and an id that people read holds no control character.
const CONTROL = /[\p{Cc}\p{Cs}]/u

function eventIn(body: Uint8Array, channel: string, webhookId: string | null): Reading {
  let event: z.infer<typeof Event>
  let comparable: string
  try {
    const parsed = Event.safeParse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)))
    if (!parsed.success) return malformed(`field ${parsed.error.issues[0]?.path.join('.') || '(body)'} is missing or wrong`)
    event = parsed.data
    comparable = canonicalJson(event)
  } catch (error) {
    // A RangeError is a body nested deeper than the stack goes; the others are no JSON or no UTF-8.
    if (error instanceof RangeError) return malformed('the body is nested too deep')
    if (error instanceof SyntaxError || error instanceof TypeError) return malformed('the body is not JSON in UTF-8')
    throw error
  }
  const { event_id: id, order_id: orderKey } = event
  if (id && CONTROL.test(id)) return malformed('field event_id holds a control character')
  const dedupeKey = id ? `event/${id}` : webhookId ? `webhook/${webhookId}` : `body/${createHash('sha256').update(body).digest('hex')}`
  const resource = `/orders/${orderKey}`
  const sourceEventId = id || webhookId
  return { kind: 'events', events: [{ channel, topic: 'order', resource, sourceEventId, dedupeKey, comparable, orderKey, ignore: null }] }
}

function malformed(reason: string): Reading {
  return { kind: 'refused', verdict: 'malformed', reason }
}
