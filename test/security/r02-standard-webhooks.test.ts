import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parisWebhooks } from '../../src/drivers/paris/webhook.ts'
import { type Door, json, makeDoor } from '../support/webhook-door.ts'

const KEY = Buffer.from('the key of this test, as raw bytes')
const BODY = '{"event_id":"e-1","order_id":"p-1","source":"paris","status":"delivered"}'
const NOW_S = Math.floor(Date.now() / 1000)

let door: Door
beforeAll(async () => {
  door = await makeDoor()
  const secrets = [{ keyId: 'k1', value: `whsec_${KEY.toString('base64')}` }]
  await door.open({ readers: { paris: parisWebhooks({ channel: 'paris:main', secrets }) } })
})
afterAll(() => door.close())

const sign = (id: string, at: number, body: string): string =>
  `v1,${createHmac('sha256', KEY).update(`${id}.${at}.${body}`).digest('base64')}`

async function send(
  over: { id?: string; at?: number; body?: string; signature?: string; headers?: Record<string, string> } = {},
): Promise<number> {
  const headers = {
    ...json,
    'webhook-id': over.id ?? 'msg_1',
    'webhook-timestamp': String(over.at ?? NOW_S),
    'webhook-signature': over.signature ?? sign('msg_1', NOW_S, BODY),
    ...over.headers,
  }
  return (await door.app.inject({ method: 'POST', url: '/webhooks/paris', headers, payload: over.body ?? BODY })).statusCode
}

test('one valid signature among several verifies', async () => {
  const wrong = `v1,${Buffer.alloc(32, 7).toString('base64')}`
  expect(await send({ signature: `${wrong} v1a,abc ${sign('msg_1', NOW_S, BODY)}` })).toBe(200)
  expect(await send({ signature: `${wrong} ${wrong}` })).toBe(401)
})

test('a body, an id and a timestamp changed by one byte are refused', async () => {
  expect(await send({ body: BODY.replace('p-1', 'p-2') })).toBe(401)
  expect(await send({ id: 'msg_2' })).toBe(401)
  expect(await send({ at: NOW_S + 1 })).toBe(401)
})

test('its headers are preferred: a right vendor signature does not save a wrong one of theirs', async () => {
  const vendor = createHmac('sha256', `whsec_${KEY.toString('base64')}`)
    .update(BODY)
    .digest('hex')
  expect(await send({ signature: 'v1,', headers: { 'x-paris-signature': vendor } })).toBe(401)
})

test('a captured request sent again a hundred times at once is one event', async () => {
  const body = BODY.replace('e-1', 'e-replayed')
  const signature = sign('msg_replayed', NOW_S, body)
  const answers = await Promise.all(Array.from({ length: 100 }, () => send({ id: 'msg_replayed', body, signature })))
  expect(new Set(answers)).toEqual(new Set([200]))
  const { rows } = await door.owner.query(`SELECT count(*)::int AS n FROM inbound_event WHERE source_event_id = 'e-replayed'`)
  expect(rows).toEqual([{ n: 1 }])
})

test('two requests without an event id are two events by their webhook-id, and a repeat of one is none', async () => {
  const body = BODY.replace('"event_id":"e-1",', '')
  for (const id of ['msg_a', 'msg_b', 'msg_a']) expect(await send({ id, body, signature: sign(id, NOW_S, body) })).toBe(200)
  const { rows } = await door.owner.query(`SELECT source_event_id AS id FROM inbound_event WHERE source_event_id LIKE 'msg\\__' ORDER BY 1`)
  expect(rows).toEqual([{ id: 'msg_a' }, { id: 'msg_b' }])
})
