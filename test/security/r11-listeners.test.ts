import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunningHub, startHub } from '../support/running-hub.ts'

let running: RunningHub
beforeAll(async () => {
  running = await startHub({ services: [], env: { ENV: 'production' } })
})
afterAll(() => running?.stop())

test.each(['/metrics', '/mcp', '/console', '/api', '/api/orders', '/', '/admin', '/debug', '/.env', '/oauth/token'])(
  '%s is 404 on the listener of webhooks',
  async (path) => {
    for (const method of ['GET', 'POST']) expect((await fetch(running.webhooks + path, { method })).status).toBe(404)
  },
)

test('it serves what it is for', async () => {
  expect((await fetch(`${running.webhooks}/health`)).status).toBe(200)
  expect((await fetch(`${running.webhooks}/webhooks/paris`, { method: 'POST', body: '{}' })).status).toBe(401)
})

test('it listens on loopback', () => {
  expect(new URL(running.webhooks).hostname).toBe('127.0.0.1')
})
