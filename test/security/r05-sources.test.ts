import { afterAll, beforeEach, beforeAll, expect, test } from 'vitest'
import { HubFile } from '../../src/config-file.ts'
import { type Door, json, makeDoor, hmac } from '../support/webhook-door.ts'

let door: Door
beforeAll(async () => {
  door = await makeDoor()
})
afterAll(() => door.close())

async function from(remoteAddress: string, forwarded?: string): Promise<number> {
  const payload = '{"id":"p-1"}'
  const headers = { ...json, 'x-paris-signature': hmac(payload), ...(forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }) }
  return (await door.app.inject({ method: 'POST', url: '/webhooks/paris', headers, payload, remoteAddress })).statusCode
}

beforeEach(() => door.open({ allowedSources: ['203.0.113.0/24', '2001:db8::/32'] }))

test('who is on the list may send, and nobody else', async () => {
  expect([await from('203.0.113.9'), await from('2001:db8::1'), await from('198.51.100.1')]).toEqual([200, 200, 401])
})

test('a forged X-Forwarded-For does not change the decision', async () => {
  expect(await from('198.51.100.1', '203.0.113.9')).toBe(401)
  expect(await from('203.0.113.9', '198.51.100.1')).toBe(200)
  expect((await door.stored()).map((row) => row.source_ip)).toEqual(['198.51.100.1', '203.0.113.9'])
})

test('behind one proxy only the entry that the proxy added counts', async () => {
  await door.open({ allowedSources: ['203.0.113.0/24'], trustProxyHops: 1 })
  expect(await from('10.0.0.1', '203.0.113.9')).toBe(200)
  expect(await from('10.0.0.1', '203.0.113.9, 198.51.100.1')).toBe(401)
})

test('an entry that is no address keeps the configuration from loading', () => {
  const problems = ['10.0.0.0/33', 'example.com', '*', ''].filter(
    (entry) => HubFile.safeParse({ webhooks: { allowedSources: [entry] } }).success,
  )
  expect(problems).toEqual([])
  expect(HubFile.parse({ webhooks: { allowedSources: ['10.0.0.0/8', '::1'] } }).webhooks).toMatchObject({
    trustedProxyHops: 0,
    toleranceSeconds: 300,
  })
})
