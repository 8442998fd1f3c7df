import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parisWebhooks } from '../../src/drivers/paris/webhook.ts'
import { type Door, json, makeDoor } from '../support/webhook-door.ts'

const KEY = 'a key of this test, thirty-two long!'
const BODY = '{"event_id":"e-1","order_id":"p-1","source":"paris","status":"delivered"}'
const RECEIVED_MS = 1_780_000_000_000

let door: Door
beforeAll(async () => {
  door = await makeDoor()
  await door.open({ readers: { paris: reader() } })
})
afterAll(() => door.close())

const reader = (toleranceMs?: number) =>
  parisWebhooks({ channel: 'paris:main', secrets: [{ keyId: 'k1', value: KEY }], ...(toleranceMs === undefined ? {} : { toleranceMs }) })

function headersAt(atMs: number): Record<string, string> {
  const timestamp = String(Math.floor(atMs / 1000))
  const signature = createHmac('sha256', KEY).update(`msg_1.${timestamp}.${BODY}`).digest('base64')
  return { ...json, 'webhook-id': 'msg_1', 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
}

const verdictAt = (seconds: number, toleranceMs?: number): string => {
  const headers = headersAt(RECEIVED_MS + seconds * 1000)
  const reading = reader(toleranceMs).read({ path: 'paris', headers, body: Buffer.from(BODY), receivedAtMs: RECEIVED_MS })
  return reading.kind === 'events' ? 'accepted' : reading.verdict
}

test.each([-300, -240, -1, 0, 1, 240, 300])('%i seconds from our clock are accepted', (seconds) => {
  expect(verdictAt(seconds)).toBe('accepted')
})

test.each([-86_400, -360, -301, 301, 360, 86_400])('%i seconds from our clock are stale, however right the signature is', (seconds) => {
  expect(verdictAt(seconds)).toBe('stale-timestamp')
})

test('the tolerance is a setting', () => {
  expect([verdictAt(-10, 10_000), verdictAt(-11, 10_000)]).toEqual(['accepted', 'stale-timestamp'])
})

test('a captured request is refused once it is old, and the refusal is on record', async () => {
  const answers = []
  for (const atMs of [Date.now() - 240_000, Date.now() - 360_000])
    answers.push((await door.app.inject({ method: 'POST', url: '/webhooks/paris', headers: headersAt(atMs), payload: BODY })).statusCode)
  expect(answers).toEqual([200, 401])
  expect((await door.stored()).map(({ verdict }) => verdict)).toEqual(['accepted', 'stale-timestamp'])
})
