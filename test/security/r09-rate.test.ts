import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Door, hmac, json, makeDoor } from '../support/webhook-door.ts'

let door: Door
beforeAll(async () => {
  door = await makeDoor()
  await door.open({ rate: { perSecond: 1, burst: 20 } })
})
afterAll(() => door.close())

function send(remoteAddress: string, id: string) {
  const payload = `{"id":"${id}"}`
  const headers = { ...json, 'x-paris-signature': hmac(payload) }
  return door.app.inject({ method: 'POST', url: '/webhooks/paris', headers, payload, remoteAddress })
}

test('a source that floods gets 429 with Retry-After, and another one is served as before', async () => {
  const flood = await Promise.all(Array.from({ length: 200 }, (_, i) => send('198.51.100.7', `p-${i}`)))
  const refused = flood.filter(({ statusCode }) => statusCode === 429)
  expect(refused.length).toBeGreaterThanOrEqual(170)
  expect(refused.every(({ headers }) => Number(headers['retry-after']) >= 1)).toBe(true)
  const others = await Promise.all(Array.from({ length: 10 }, (_, i) => send('203.0.113.5', `q-${i}`)))
  expect(others.map(({ statusCode }) => statusCode)).toEqual(Array.from({ length: 10 }, () => 200))
})

test('a flood is on record without filling the record', async () => {
  const rows = (await door.stored()).filter(({ verdict }) => verdict === 'rate-limited')
  expect(rows.length).toBeGreaterThanOrEqual(1)
  expect(rows.length).toBeLessThan(20)
})

test('however often health is asked for, the database and the other systems are asked once a moment', async () => {
  const asked = { ready: 0, deep: 0 }
  const check = (name: keyof typeof asked) => async () => {
    asked[name] += 1
    return [{ name, ok: true }]
  }
  await door.open({ checks: { ready: check('ready'), deep: check('deep') } })
  const urls = Array.from({ length: 50 }, () => ['/health/ready', '/health/deep']).flat()
  const answers = await Promise.all(urls.map((url) => door.app.inject({ url })))
  expect(answers.every(({ statusCode }) => statusCode === 200)).toBe(true)
  expect(asked).toEqual({ ready: 1, deep: 1 })
})
