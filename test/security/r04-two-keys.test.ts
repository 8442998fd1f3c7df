import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { keyUses } from '../../src/drivers/postgres/webhook-key-use.ts'
import { parisWebhooks } from '../../src/drivers/paris/webhook.ts'
import { webhookKeys } from '../../src/webhook-keys.ts'
import { newErpOrder } from '../support/erp-order.ts'
import { HUB_YAML, type RunningHub, startHub, until } from '../support/running-hub.ts'

const OLD = 'the-old-secret-of-this-test'
const NEXT = 'the-next-secret-of-this-test'
const OVER_MS = Date.parse('2030-01-01T00:00:00Z')

let running: RunningHub
beforeAll(async () => {
  running = await startHub({
    services: ['subscriber', 'worker'],
    env: { PARIS_API_SECRET: OLD, PARIS_API_SECRET_NEXT: NEXT },
    yaml: `${HUB_YAML}
webhooks:
  toleranceSeconds: 120
  keys:
    PARIS_API_SECRET: { id: q4, notAfter: '2030-01-01T00:00:00Z' }
    PARIS_API_SECRET_NEXT: { id: q1, notBefore: '2026-01-01T00:00:00Z' }`,
  })
})
afterAll(() => running?.stop())

test('a key lives from its first instant to its last, by the configuration', () => {
  const reader = parisWebhooks({ channel: 'paris:main', secrets: webhookKeys(running.hub.config, 'paris') })
  const body = Buffer.from('{"event_id":"e-1","order_id":"p-1","source":"paris","status":"paid"}')
  const at = (key: string, receivedAtMs: number) =>
    reader.read({
      path: 'paris',
      headers: { 'x-paris-signature': createHmac('sha256', key).update(body).digest('hex') },
      body,
      receivedAtMs,
    }).kind
  expect([at(OLD, OVER_MS), at(OLD, OVER_MS + 1)]).toEqual(['events', 'refused'])
  expect([at(NEXT, Date.parse('2026-01-01T00:00:00Z') - 1), at(NEXT, Date.parse('2026-01-01T00:00:00Z'))]).toEqual(['refused', 'events'])
  expect(at('a key that nobody configured', OVER_MS)).toBe('refused')
})

test('the sender changes its key in the middle and no event is lost', async () => {
  await newErpOrder(running, { team: 'Paris' })
  const order = await until(async () => {
    const { rows } = await running.owner.query<{ id: string }>(
      `SELECT external_id AS id FROM binding WHERE channel = 'paris:main' AND external_id IS NOT NULL`,
    )
    return rows[0]?.id
  })
  await running.paris('PUT', '/admin/webhooks', { standardWebhooks: true })
  const answers = []
  for (let i = 0; i < 6; i += 1) {
    if (i === 3) await running.paris('PUT', '/admin/webhooks', { secret: NEXT })
    answers.push(await running.paris('POST', `/admin/orders/${order}/emit-webhook`))
  }
  expect(JSON.stringify(answers).match(/"status_code":200/g)).toHaveLength(6)
  const uses = await until(async () => {
    const seen = await keyUses(running.hub.pools.reader)
    return seen.length === 2 ? seen : undefined
  })
  expect(uses.map(({ source, keyId }) => [source, keyId])).toEqual([
    ['paris', 'q4'],
    ['paris', 'q1'],
  ])
})

test('a sender whose key nobody configured is refused, and says so in the record', async () => {
  await running.paris('PUT', '/admin/webhooks', { secret: 'the-secret-of-somebody-else' })
  const { rows } = await running.owner.query<{ id: string }>(`SELECT external_id AS id FROM binding WHERE channel = 'paris:main'`)
  const answer = await running.paris('POST', `/admin/orders/${rows[0]?.id}/emit-webhook`)
  expect(JSON.stringify(answer)).toContain('"status_code":401')
})
