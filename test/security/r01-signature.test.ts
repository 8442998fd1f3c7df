import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { signedWebhooks } from '../../src/drivers/mercadolibre/webhook.ts'
import { parisWebhooks } from '../../src/drivers/paris/webhook.ts'
import { type Door, json, makeDoor } from '../support/webhook-door.ts'

const KEY = 'a key of this test, thirty-two long!'
const hex = (body: string | Uint8Array): string => createHmac('sha256', KEY).update(body).digest('hex')
const secrets = [{ keyId: 'k1', value: KEY }]
const PARIS = '{"event_id":"e-1","order_id":"p-1","source":"paris","status":"delivered"}'
const RELAYED =
  '{"_id":"f9f0","resource":"/orders/2195160686","user_id":1001,"topic":"orders_v2","application_id":77,"sent":"2026-10-30T16:19:20.129Z"}'

let door: Door
beforeAll(async () => {
  door = await makeDoor()
  const accounts = [{ channel: 'mercadolibre:1001', userId: '1001', appId: '77' }]
  await door.open({
    readers: { paris: parisWebhooks({ channel: 'paris:main', secrets }), mercadolibreSigned: signedWebhooks({ accounts, secrets }) },
  })
})
afterAll(() => door.close())

const doors = [
  { url: '/webhooks/paris', header: 'x-paris-signature', body: PARIS },
  { url: '/webhooks/mercadolibre', header: 'x-signature', body: RELAYED },
]

test.each(doors)('$url takes what its key signed', async ({ url, header, body }) => {
  const reply = await door.app.inject({ method: 'POST', url, headers: { ...json, [header]: hex(body) }, payload: body })
  expect(reply.statusCode).toBe(200)
})

test.each(doors)(
  '$url refuses a missing, empty, short, long, non-ASCII and wrongly encoded signature cleanly',
  async ({ url, header, body }) => {
    const right = hex(body)
    const wrong = [
      '',
      right.slice(2),
      `${right}00`,
      `\xf1${right.slice(1)}`,
      '\xff'.repeat(64),
      Buffer.from(right, 'hex').toString('base64'),
      '0'.repeat(64),
    ]
    for (const signature of [undefined, ...wrong]) {
      const headers = { ...json, ...(signature === undefined ? {} : { [header]: signature }) }
      const reply = await door.app.inject({ method: 'POST', url, headers, payload: body })
      expect([signature, reply.statusCode]).toEqual([signature, 401])
    }
  },
)

test.each(doors)('$url verifies the bytes as they came: one more space is another request', async ({ url, header, body }) => {
  const reply = await door.app.inject({ method: 'POST', url, headers: { ...json, [header]: hex(body) }, payload: `${body} ` })
  expect(reply.statusCode).toBe(401)
})

test.each(doors)('$url looks at the signature before the body: what is no JSON and unsigned is unsigned', async ({ url, header }) => {
  const garbage = Buffer.from([0x7b, 0xff, 0x00])
  const answers = []
  for (const signature of ['0'.repeat(64), hex(garbage)])
    answers.push((await door.app.inject({ method: 'POST', url, headers: { ...json, [header]: signature }, payload: garbage })).statusCode)
  expect(answers).toEqual([401, 400])
})
