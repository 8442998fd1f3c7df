import { createHash, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import type { InboundEvent, Reading } from '../../core/inbound-event.ts'
import { storableJson } from '../../core/storable-text.ts'
import { keyOf, type WebhookKey } from '../../core/webhook-key.ts'
import type { WebhookReader, WebhookRequest } from '../../ports/marketplace.ts'

const Body = z.object({
  // Segments between single dots, as Odoo's own names are: what is read becomes a path, and `..` has no place in one.
  _model: z
    .string()
    .max(100)
    .regex(/^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$/),
  _id: z.number().int().positive(),
  write_date: z.string().max(40).optional(),
})

const COLLECTED = new Set(['sale.order', 'stock.picking', 'stock.quant'])

export interface OdooWebhookParts {
  /** Secrets of the path. Read at every request: a getter may answer those of this moment. */
  secrets: readonly WebhookKey[]
  /** Told which key a request was accepted by, so that the last use of an old one shows. */
  onKeyUsed?: (keyId: string) => void
}

/**
 * Odoo's automation webhook (17 and later): unsigned, sent once, several equal ones for one action. Only a hint to collect: the secret in
 * the path proves the sender, and of the body only the pointer is used.
 */
export function odooWebhookReader(parts: OdooWebhookParts): WebhookReader {
  return {
    answersUnreadableWith200: true,
    read: (request) => read(request, parts),
  }
}

function read(request: WebhookRequest, parts: OdooWebhookParts): Reading {
  const [, secret = ''] = request.path.split('/')
  const key = keyOf(parts.secrets, request.receivedAtMs, (one) => sameText(secret, one.value))
  if (!key) return { kind: 'refused', verdict: 'bad-signature', reason: 'the secret in the path is not ours' }
  parts.onKeyUsed?.(key.keyId)
  const body = Body.safeParse(jsonOf(request.body))
  if (body.success) return { kind: 'events', events: [eventOf(body.data, request.receivedAtMs)] }
  const field = body.error.issues[0]?.path.join('.') || 'body'
  return { kind: 'refused', verdict: 'malformed', reason: `"${field}" is missing or no value of an Odoo automation webhook` }
}

function eventOf({ _model, _id, write_date }: z.infer<typeof Body>, receivedAtMs: number): InboundEvent {
  const pointer = `${_model}/${_id}`
  // Without a version only copies of the same second are the same: a later change must wake the collector again.
  const moment = write_date || `received:${Math.floor(receivedAtMs / 1000)}`
  return {
    channel: 'odoo',
    topic: _model,
    resource: `/${pointer}`,
    sourceEventId: null,
    dedupeKey: `${pointer}/${moment}`,
    comparable: pointer,
    orderKey: _model === 'sale.order' ? String(_id) : null,
    ignore: COLLECTED.has(_model) ? null : 'irrelevant-topic',
  }
}

function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(storableJson(new TextDecoder('utf-8', { fatal: true }).decode(body)))
  } catch {
    return undefined
  }
}

// Digests have one length, so the comparison tells nothing of the secret's.
function sameText(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}
