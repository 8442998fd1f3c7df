import type { Reading, Verdict } from '../core/inbound-event.ts'
import type { Inbox, RawRequest } from '../ports/inbox.ts'
import type { WebhookReader } from '../ports/marketplace.ts'
import { currentTraceparent, withSpan } from '../telemetry.ts'

export interface HeardRequest {
  /** Path below `/webhooks/`, its secret segment included. */
  path: string
  /** Lower-case names. */
  headers: Readonly<Record<string, string>>
  body: Uint8Array
  sourceIp: string | null
  /** Milliseconds since the epoch. */
  receivedAtMs: number
}

export type Received =
  | { kind: 'stored'; eventId: string; duplicate: boolean }
  | { kind: 'refused'; verdict: Refusal; reason: string }
  /** Stored, unreadable, and answered as received: this sender would send it again for ever. */
  | { kind: 'unreadable'; reason: string }

export type Refusal = 'bad-signature' | 'stale-timestamp' | 'malformed' | 'too-large' | 'rate-limited'

/**
 * Verifies, reads and records one webhook; nothing else happens before the answer. What comes back is committed. Throws `InboxFull` when nothing
 * was stored: then nothing may be acknowledged.
 */
export async function receiveWebhook(request: HeardRequest, reader: WebhookReader, inbox: Inbox): Promise<Received> {
  return withSpan('receive webhook', { 'rosh.source': sourceOf(request.path) }, async () => {
    const reading = readJson(request, reader)
    if (reading.kind === 'refused') {
      await inbox.record(rawOf(request, null), reading.verdict, [])
      return refusalOf(reading.verdict, reading.reason, reader)
    }
    const raw = rawOf(request, reading.events[0]?.channel ?? null)
    const receipts = await inbox.record(raw, reading.events.length === 0 ? 'malformed' : 'accepted', reading.events)
    const stored = receipts.find((receipt) => receipt.eventId !== null)
    if (!stored?.eventId) return refusalOf('malformed', 'it holds nothing that can be stored as an event', reader)
    return { kind: 'stored', eventId: stored.eventId, duplicate: stored.kind === 'duplicate' }
  })
}

/** Records a request that was refused before its body was read. */
export async function recordRefusal(request: HeardRequest, verdict: Refusal, inbox: Inbox): Promise<void> {
  await inbox.record(rawOf(request, null), verdict, [])
}

// The reader judges first, so that a wrong content type never tells a stranger whether the secret was right.
function readJson(request: HeardRequest, reader: WebhookReader): Reading {
  const reading = reader.read(request)
  const contentType = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? ''
  if (reading.kind === 'refused' || contentType === '' || /^application\/([a-z0-9.-]+\+)?json$/.test(contentType)) return reading
  return { kind: 'refused', verdict: 'malformed', reason: 'the content type is not application/json' }
}

function refusalOf(verdict: Verdict & Refusal, reason: string, reader: WebhookReader): Received {
  return verdict === 'malformed' && reader.answersUnreadableWith200 ? { kind: 'unreadable', reason } : { kind: 'refused', verdict, reason }
}

/** Headers that say how a request was sent and signed. Whatever else came (cookies, credentials of proxies) is not kept. */
const KEPT = new Set([
  'content-type',
  'content-length',
  'content-encoding',
  'user-agent',
  'x-request-id',
  'traceparent',
  'webhook-id',
  'webhook-timestamp',
  'webhook-signature',
  'x-paris-signature',
  'x-signature',
])
const LONGEST_HEADER = 1_000

/** A sender that puts its secret where the signature belongs must not have it kept where readers see it. */
const SIGNATURES: Readonly<Record<string, RegExp>> = {
  'x-paris-signature': /^[0-9a-f]{64}$/i,
  'x-signature': /^[0-9a-f]{64}$/i,
  'webhook-signature': /^v1a?,[A-Za-z0-9+/]{43,88}={0,2}( v1a?,[A-Za-z0-9+/]{43,88}={0,2})*$/,
}

function rawOf({ path, headers, body, sourceIp }: HeardRequest, channel: string | null): RawRequest {
  const kept = Object.entries(headers).filter(([name]) => KEPT.has(name))
  return {
    channel,
    path: storedPath(path),
    headers: Object.fromEntries(kept.map(([name, value]) => [name, keptValue(name, value)])),
    body,
    sourceIp,
    traceparent: currentTraceparent() ?? null,
  }
}

function keptValue(name: string, value: string): string {
  const form = SIGNATURES[name]
  return form && !form.test(value) ? `(${value.length} characters that are no signature)` : value.slice(0, LONGEST_HEADER)
}

const sourceOf = (path: string): string => path.split('/')[0] ?? ''

// The secret segment proves the sender, so it is stored nowhere.
function storedPath(path: string): string {
  return path.includes('/') ? `/webhooks/${sourceOf(path)}/***` : `/webhooks/${path}`
}
