import { createHmac } from 'node:crypto'
import { z } from 'zod'
import { secretPathWebhooks, signedWebhooks } from '../../../src/drivers/mercadolibre/webhook.ts'
import { odooWebhookReader } from '../../../src/drivers/odoo/webhook.ts'
import { parisWebhooks } from '../../../src/drivers/paris/webhook.ts'
import { type Door as WebhookDoor, json, makeDoor, SECRET } from '../../support/webhook-door.ts'
import { holdsTight } from '../content.ts'
import { type Door, holds, type Input, type Judgement, sample } from '../door.ts'

const notification = { _id: 'n-1', topic: 'orders_v2', resource: '/orders/2000009047722568', user_id: 1001, application_id: 77 }
const URLS: Record<string, string> = {
  paris: '/webhooks/paris',
  mercadolibre: `/webhooks/mercadolibre/${SECRET}`,
  'mercadolibre-signed': '/webhooks/mercadolibre',
  odoo: `/webhooks/odoo/${SECRET}`,
}
const KEY = 'a-key-of-the-fuzzed-receiver-0123456789'
const hmac = (body: Uint8Array): string => createHmac('sha256', KEY).update(body).digest('hex')
const accounts = [{ channel: 'mercadolibre:1001', userId: '1001', appId: '77' }]
const secrets = [{ keyId: 'k1', value: KEY }]
const pathSecrets = [{ keyId: 'k1', value: SECRET }]
const readers = {
  paris: parisWebhooks({ channel: 'paris:main', secrets }),
  mercadolibreSigned: signedWebhooks({ accounts, secrets }),
  mercadolibre: secretPathWebhooks({ accounts, secrets: pathSecrets }),
  odoo: odooWebhookReader({ secrets: pathSecrets }),
}
const Envelope = z.object({ url: z.string(), headers: z.record(z.string(), z.unknown()), body: z.unknown() })

/** The webhook listener over HTTP, in this process, with a database behind it. */
export const receiverDoor: Door = {
  name: 'receiver',
  property:
    'Every POST to a path of ours that the router can read is answered below 500 with nothing of the inside, and leaves exactly one row with its verdict.',
  samples: [
    sample('paris', { event_id: 'e-1', source: 'paris', order_id: 'p-1', status: 'delivered' }),
    sample('mercadolibre', notification),
    sample('mercadolibre-signed', notification),
    sample('odoo', { _model: 'sale.order', _id: 42, write_date: '2026-11-23 10:00:00' }),
    sample('envelope', { url: URLS.mercadolibre, headers: { ...json, 'user-agent': 'x' }, body: JSON.stringify(notification) }),
  ],
  open: async () => {
    const door = await makeDoor()
    await door.open({ readers, rate: { perSecond: 1e9, burst: 1e9 } })
    return { judge: (input) => judge(door, input), close: () => door.close() }
  },
}

interface Sent {
  url: string
  headers: Record<string, string>
  payload: Buffer
}

async function judge(door: WebhookDoor, input: Input): Promise<Judgement> {
  const { url, headers, payload } = input.target === 'envelope' ? envelopeIn(input.bytes) : signed(input)
  const before = await rows(door)
  const reply = await door.app.inject({ method: 'POST', url, headers, payload })
  holds(reply.statusCode < 500, `answered ${reply.statusCode}`)
  holdsTight(reply.body, [SECRET], 'the answer')
  const recorded = (await rows(door)) - before
  // A path that is none of ours has nobody to record for, and one that cannot be decoded is not known to be ours.
  const isOurs = reply.statusCode !== 404 && /^\/webhooks\/(paris|mercadolibre|odoo)([/?]|$)/.test(url)
  holds(
    recorded === 1 || (recorded === 0 && (!isOurs || isUnroutable(url))),
    `${recorded} rows for one request answered ${reply.statusCode}`,
  )
  return reply.statusCode < 300 ? 'accepted' : 'refused'
}

// Neither is known to be ours: the router refuses them before any route, and records nothing.
function isUnroutable(url: string): boolean {
  if (url.split('/').some((segment) => segment.length > LONGEST_SEGMENT)) return true
  try {
    decodeURIComponent(url.split('?')[0] ?? '')
    return false
  } catch {
    return true
  }
}

/** `maxParamLength` of the listener. */
const LONGEST_SEGMENT = 200

async function rows(door: WebhookDoor): Promise<number> {
  const { rows: counted } = await door.owner.query<{ count: number }>('SELECT count(*)::int AS count FROM inbound_request')
  return counted[0]?.count ?? 0
}

function signed({ target, bytes }: Input): Sent {
  const payload = Buffer.from(bytes)
  return { url: URLS[target] ?? '/', headers: { ...json, 'x-paris-signature': hmac(payload), 'x-signature': hmac(payload) }, payload }
}

// What a client library can send at all: names are tokens, values hold no line break, lengths are its own affair.
function envelopeIn(bytes: Uint8Array): Sent {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    value = {}
  }
  const { url, headers, body } = Envelope.safeParse(value).data ?? { url: '/webhooks/paris', headers: json, body: '' }
  const sendable = Object.entries(headers).filter(
    ([name, given]) =>
      /^[a-z][a-z-]*$/i.test(name) && !/^(content-length|transfer-encoding|expect|host)$/i.test(name) && typeof given === 'string',
  )
  const path = `/${encodeURI(url.toWellFormed()).replaceAll('%25', '%').replace(/^\/+/, '').slice(0, 4_000)}`
  const text = (given: unknown): string =>
    String(given)
      .replace(/[^\t\x20-\x7e]/g, '?')
      .slice(0, 4_000)
  return {
    url: path,
    headers: Object.fromEntries(sendable.map(([name, given]) => [name, text(given)])),
    payload: Buffer.from(typeof body === 'string' ? body : typeof body),
  }
}
