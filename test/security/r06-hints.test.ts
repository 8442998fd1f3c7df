import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunningHub, startHub, until } from '../support/running-hub.ts'

let running: RunningHub
let path: string
beforeAll(async () => {
  running = await startHub({ services: ['subscriber'] })
  path = `/webhooks/mercadolibre/${running.hub.config.mercadolibre.pathSecret.reveal()}`
})
afterAll(() => running?.stop())

const post = (to: string, body: object): Promise<Response> =>
  fetch(running.webhooks + to, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

async function silver(): Promise<{ display_status: string; lifecycle: string; total_minor: string } | undefined> {
  const { rows } = await running.owner.query('SELECT display_status, lifecycle, total_minor FROM silver_order')
  return rows[0]
}

test('what a forged body claims changes no order: the marketplace is asked', async () => {
  const made = (await running.meli('POST', '/admin/purchases', {
    seller: 1001,
    items: [{ sku: 'SKU-001', quantity: 1, unit_price: 5_000 }],
  })) as { order_ids: (string | number)[] }
  const honest = await until(silver)
  const forged = {
    resource: `/orders/${made.order_ids[0]}`,
    user_id: 1001,
    topic: 'orders_v2',
    application_id: Number(running.hub.config.mercadolibre.clientId),
    sent: '2099-01-01T00:00:00.000Z',
    status: 'cancelled',
    total_amount: 1,
    order_items: [],
  }
  expect((await post(path, forged)).status).toBe(200)
  await until(async () => {
    const { rows } = await running.owner.query(`SELECT FROM inbound_event WHERE state = 'pending'`)
    return rows.length === 0
  })
  expect(await silver()).toEqual(honest)
})

test('without the secret in the path nothing is taken', async () => {
  const before = await running.owner.query('SELECT count(*)::int AS n FROM inbound_event')
  const answers = []
  for (const secret of ['wrong', 'change-me', '%00', `${path.split('/').at(-1)}x`])
    answers.push((await post(`/webhooks/mercadolibre/${secret}`, { resource: '/orders/1', user_id: 1001, topic: 'orders_v2' })).status)
  expect(answers).toEqual([401, 401, 401, 401])
  expect((await running.owner.query('SELECT count(*)::int AS n FROM inbound_event')).rows).toEqual(before.rows)
})

test('the secret of the path is in no stored row', async () => {
  const { rows } = await running.owner.query<{ path: string }>('SELECT DISTINCT path FROM inbound_request')
  expect(rows.map((row) => row.path)).toEqual(['/webhooks/mercadolibre/***'])
})
