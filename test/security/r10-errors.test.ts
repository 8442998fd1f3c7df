import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Door, hmac, json, makeDoor, SECRET } from '../support/webhook-door.ts'

let door: Door
beforeAll(async () => {
  door = await makeDoor()
  await door.open({
    checks: { ready: () => Promise.reject(new Error('SELECT canary FROM secrets at /srv/hub/src/x.ts')), deep: async () => [] },
    inbox: {
      ...door.inbox,
      record: () => Promise.reject(new Error('INSERT INTO canary failed at /srv/hub/src/drivers/postgres/inbox.ts:10')),
    },
  })
})
afterAll(() => door.close())

const LEAKS = /canary|SELECT|INSERT|\/srv|\.ts\b|node_modules|\bat .*:\d+|fastify|postgres|v\d+\.\d+/i

test('a forced error names no path, statement or version', async () => {
  const payload = '{"id":"p-1"}'
  const signed = { ...json, 'x-paris-signature': hmac(payload) }
  const answers = [
    await door.app.inject({ method: 'POST', url: '/webhooks/paris', headers: signed, payload }),
    await door.app.inject({ method: 'POST', url: '/webhooks/paris', headers: json, payload: '{' }),
    await door.app.inject({ url: '/health/ready' }),
    await door.app.inject({ url: `/webhooks/mercadolibre/${SECRET}/%E0%A4%A` }),
    await door.app.inject({ url: '/nothing?canary=1' }),
    await door.app.inject({ method: 'DELETE', url: '/webhooks/paris' }),
  ]
  expect(answers[0]?.statusCode).toBe(503)
  for (const { body, headers } of answers) {
    expect(body).not.toMatch(LEAKS)
    expect(JSON.stringify({ ...headers, date: '' })).not.toMatch(/x-powered-by|"server"|canary/i)
  }
})

test('every answer bears security headers', async () => {
  for (const url of ['/health', '/nothing', '/webhooks/paris']) {
    const { headers } = await door.app.inject({ url })
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': expect.any(String),
      'referrer-policy': 'no-referrer',
    })
    expect(headers['content-security-policy']).toContain("default-src 'self'")
    expect(headers['strict-transport-security']).toContain('max-age=')
  }
})

test.each(['/docs', '/documentation', '/openapi.json', '/swagger.json', '/api-docs', '/reference'])('%s is not there', async (url) => {
  expect((await door.app.inject({ url })).statusCode).toBe(404)
})
