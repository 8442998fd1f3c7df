import { createHmac } from 'node:crypto'
import { z } from 'zod'
import { VERDICTS } from '../../../src/core/inbound-event.ts'
import { secretPathWebhooks, signedWebhooks } from '../../../src/drivers/mercadolibre/webhook.ts'
import { odooWebhookReader } from '../../../src/drivers/odoo/webhook.ts'
import { parisWebhooks } from '../../../src/drivers/paris/webhook.ts'
import type { WebhookReader, WebhookRequest } from '../../../src/ports/marketplace.ts'
import { holdsDigits, holdsStorable } from '../content.ts'
import { type Door, holds, type Input, type Judgement, sample } from '../door.ts'

const KEY = 'a-key-of-the-fuzzed-door-0123456789'
const PATH_SECRET = 'a-path-secret-of-the-fuzzed-door'
const NOW_MS = 1_780_000_000_000
const accounts = [{ channel: 'mercadolibre:1001', userId: '1001', appId: '1111111111111111111' }]
const secrets = [{ keyId: 'k1', value: KEY }]

export type Readers = Record<'mercadolibre' | 'mercadolibre-signed' | 'paris' | 'paris-standard' | 'odoo', WebhookReader>

const paris = parisWebhooks({ channel: 'paris:main', secrets })
export const READERS: Readers = {
  mercadolibre: secretPathWebhooks({ accounts, secrets: [{ keyId: 'k1', value: PATH_SECRET }] }),
  'mercadolibre-signed': signedWebhooks({ accounts, secrets }),
  paris,
  'paris-standard': paris,
  odoo: odooWebhookReader({ secrets: [{ keyId: 'k1', value: PATH_SECRET }] }),
}

const notification = {
  _id: 'f2b1-1',
  topic: 'orders_v2',
  resource: '/orders/2000009047722568',
  user_id: 1001,
  application_id: 0,
  attempts: 1,
  sent: '2026-10-30T16:19:20.129Z',
  received: '2026-10-30T16:19:20.106Z',
}
// A number of 19 digits cannot be written as one in this language.
const notificationText = JSON.stringify(notification).replace('"application_id":0', '"application_id":1111111111111111111')
const parisEvent = { event_id: 'e-1', source: 'paris', order_id: 'p-1', external_ref: 'odoo-42', status: 'delivered' }
const odooEvent = { _model: 'sale.order', _id: 42, write_date: '2026-11-23 10:00:00', _action: 'Send (#7)' }
const BODIES: Record<keyof Readers, string> = {
  mercadolibre: notificationText,
  'mercadolibre-signed': notificationText,
  paris: JSON.stringify(parisEvent),
  'paris-standard': JSON.stringify(parisEvent),
  odoo: JSON.stringify(odooEvent),
}

/** The parsers, each reached with a good signature; and the verifiers, with a good body. `readers`: a test may plant a mistake in them. */
export function webhooksDoor(readers: Readers = READERS): Door {
  const names = Object.keys(BODIES) as (keyof Readers)[]
  return {
    name: 'webhooks',
    property:
      'Any body gives events that can be stored or a refusal with its reason, no digit of an id is lost, and no changed signature or path secret verifies.',
    samples: [
      ...names.map((name) => sample(name, BODIES[name])),
      sample('mercadolibre', notificationText.replace('"_id":"f2b1-1",', '').replace('orders_v2', 'claims').replace('/orders/', 'claims/')),
      ...names.map((name) => sample(`${name} envelope`, envelopeOf(name, Buffer.from(BODIES[name])))),
    ],
    open: async () => ({ judge: (input) => judge(readers, input), close: async () => {} }),
  }
}

type Envelope = Pick<WebhookRequest, 'path' | 'headers'>
const Envelope = z.object({ path: z.string(), headers: z.record(z.string(), z.unknown()) })

function judge(readers: Readers, { target, bytes }: Input): Judgement {
  const [name, part] = target.split(' ') as [keyof Readers, string?]
  const body = part === undefined ? bytes : Buffer.from(BODIES[name])
  const envelope = part === undefined ? envelopeOf(name, body) : envelopeIn(bytes)
  const reading = readers[name].read({ ...envelope, body, receivedAtMs: NOW_MS })
  if (reading.kind === 'refused') {
    holds(VERDICTS.includes(reading.verdict), `no verdict of ours: ${reading.verdict}`)
    holds(reading.reason !== '' && reading.reason.length < 400, 'a refusal gives its reason, in a sentence')
    holds(!reading.reason.includes(KEY) && !reading.reason.includes(PATH_SECRET), 'the reason shows a secret')
    return 'refused'
  }
  holds(isProven(name, envelope, body), 'a request without a valid proof is accepted')
  for (const event of reading.events) {
    const { dedupeKey: _hashed, comparable: _hashedToo, ...stored } = event
    holdsStorable(stored, 'an event')
    holds(event.dedupeKey.length > 2, 'an event has no dedupe key')
    holdsDigits(event.orderKey, body, 'the order key')
    holdsDigits(event.sourceEventId, body, 'the source event id')
    holdsDigits(/(\d+)$/.exec(event.resource)?.[1] ?? null, body, 'the resource')
  }
  return 'accepted'
}

function envelopeIn(bytes: Uint8Array): Envelope {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    value = { path: Buffer.from(bytes).toString('latin1'), headers: { 'x-signature': Buffer.from(bytes).toString('latin1') } }
  }
  const { path, headers } = Envelope.safeParse(value).data ?? { path: '', headers: {} }
  return {
    path,
    headers: Object.fromEntries(Object.entries(headers).map(([key, given]) => [key, typeof given === 'string' ? given : typeof given])),
  }
}

const hex = (body: Uint8Array): string => createHmac('sha256', KEY).update(body).digest('hex')
const base64 = (content: string): string => createHmac('sha256', KEY).update(content).digest('base64')

function envelopeOf(name: keyof Readers, body: Uint8Array): Envelope {
  const id = 'msg_1'
  const timestamp = String(NOW_MS / 1000)
  const content = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body])
  const standard = createHmac('sha256', KEY).update(content).digest('base64')
  switch (name) {
    case 'mercadolibre':
    case 'odoo':
      return { path: `${name}/${PATH_SECRET}`, headers: {} }
    case 'mercadolibre-signed':
      return { path: 'mercadolibre', headers: { 'x-signature': hex(body) } }
    case 'paris':
      return { path: 'paris', headers: { 'x-paris-signature': hex(body) } }
    case 'paris-standard':
      return { path: 'paris', headers: { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${standard}` } }
  }
}

/** Said again in other words than the drivers': the proof that may open the door. */
function isProven(name: keyof Readers, { path, headers }: Envelope, body: Uint8Array): boolean {
  if (name === 'mercadolibre' || name === 'odoo') return path.split('/')[1] === PATH_SECRET
  const own = (header: string): string => (Object.hasOwn(headers, header) ? (headers[header] ?? '') : '')
  if (name === 'mercadolibre-signed') return own('x-signature').toLowerCase() === hex(body)
  const isStandard = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].some((header) => Object.hasOwn(headers, header))
  if (!isStandard) return own('x-paris-signature') === hex(body)
  const signed = base64(`${own('webhook-id')}.${own('webhook-timestamp')}.${Buffer.from(body).toString('utf8')}`)
  return isUtf8(body) ? own('webhook-signature').split(' ').includes(`v1,${signed}`) : true
}

const isUtf8 = (body: Uint8Array): boolean => Buffer.from(Buffer.from(body).toString('utf8')).equals(Buffer.from(body))
