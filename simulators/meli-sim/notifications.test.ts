import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { callbackServer, list, runSim, SELLER, until } from './running-sim.ts'
import type { RunningSim } from './running-sim.ts'

const ORDERS_ONLY = ['orders_v2']

async function buy(sim: RunningSim, more: Record<string, unknown> = {}) {
  return (await sim.admin('POST', '/purchases', { seller: SELLER, items: [{ sku: 'A', unit_price: 1_000 }], ...more })).body
}

async function outcomes(sim: RunningSim) {
  return (await sim.admin('GET', '/state')).body.notifications
}

test('a purchase notifies unsigned, with and without _id', async () => {
  const sim = await runSim()
  const callback = await callbackServer()
  await sim.connect(SELLER)
  await sim.admin('PUT', '/callback', { url: callback.url, topics: ['orders_v2', 'shipments'] })
  const bought = await buy(sim)
  await until('two notifications', () => callback.received.length === 2)
  const order = callback.received.find((one) => String(one.json.topic) === 'orders_v2')
  expect(order?.json).toMatchObject({
    resource: `/orders/${bought.order_ids?.[0]}`,
    user_id: SELLER,
    application_id: 1_234_567_890_123_456,
    attempts: 1,
  })
  expect(order?.headers['x-signature']).toBeUndefined()
  expect(callback.received.filter((one) => one.json._id !== undefined)).toHaveLength(1)
  await until('the ledger lines', async () => (await sim.ledger()).filter((one) => one.kind === 'webhook').length === 2)
})

test('a signing relay adds X-Signature over the raw body', async () => {
  const sim = await runSim()
  const callback = await callbackServer()
  await sim.connect(SELLER)
  await sim.admin('PUT', '/callback', { url: callback.url, secret: 'relay-secret', topics: ORDERS_ONLY })
  await buy(sim)
  await until('a notification', () => callback.received.length === 1)
  const [first] = callback.received
  expect(first?.headers['x-signature']).toBe(
    createHmac('sha256', 'relay-secret')
      .update(first?.body ?? '')
      .digest('hex'),
  )
})

test('anything but a 200 in time is retried, and attempts count up', async () => {
  const answers: (number | 'hang')[] = [202, 500, 'hang', 200]
  const sim = await runSim({ settings: { retryScheduleMs: [1, 1, 1, 1, 1, 1, 1], ackTimeoutMs: 50 } })
  const callback = await callbackServer((count) => answers[count - 1] ?? 200)
  await sim.connect(SELLER)
  await sim.admin('PUT', '/callback', { url: callback.url, topics: ORDERS_ONLY })
  await buy(sim)
  await until('delivery', async () => Number((await outcomes(sim))?.delivered) === 1)
  expect(callback.received.map((one) => Number(one.json.attempts))).toEqual([1, 2, 3, 4])
  expect(new Set(callback.received.map((one) => String(one.json.received))).size).toBe(1)
  const lines = async () => (await sim.ledger()).flatMap((one) => (one.kind === 'webhook' ? [`${one.attempt}:${one.status}`] : []))
  await until('four ledger lines', async () => (await lines()).join() === '1:202,2:500,3:null,4:200')
})

test('after the eighth attempt a notification is lost and in the missed feed', async () => {
  const sim = await runSim({ settings: { retryScheduleMs: [0, 0, 0, 0, 0, 0, 0] } })
  const callback = await callbackServer(() => 400)
  const token = await sim.connect(SELLER)
  await sim.admin('PUT', '/callback', { url: callback.url, topics: ORDERS_ONLY })
  const bought = await buy(sim)
  await until('the loss', async () => Number((await outcomes(sim))?.lost) === 1)
  expect(callback.received).toHaveLength(8)
  const path = '/missed_feeds?app_id=1234567890123456'
  const row = (await sim.call(token, 'GET', `${path}&topic=orders_v2`)).body.messages?.[0]
  expect(row).toMatchObject({ topic: 'orders_v2', resource: `/orders/${bought.order_ids?.[0]}`, attempts: 8, response: { http_code: 400 } })
  const data: unknown = JSON.parse(String(row?.request?.data))
  expect(data).toMatchObject({ attempts: 1, user_id: String(SELLER) })
  expect((await sim.call(token, 'GET', `${path}&topic=shipments`)).body.messages).toEqual([])
  const refused = []
  for (const query of ['', '?app_id=1', `?app_id=1234567890123456&topic=items`]) {
    refused.push((await sim.call(token, 'GET', `/missed_feeds${query}`)).status)
  }
  expect(refused).toEqual([400, 403, 400])
})

test('ten rows of the missed feed a page unless told', async () => {
  const sim = await runSim({ settings: { lostNotifications: 1 } })
  const callback = await callbackServer()
  const token = await sim.connect(SELLER)
  await sim.admin('PUT', '/callback', { url: callback.url, topics: ORDERS_ONLY })
  await buy(sim, { items: Array.from({ length: 12 }, (_, index) => ({ sku: `S${index}`, unit_price: 1 })) })
  const page = async (query: string) => list((await sim.call(token, 'GET', `/missed_feeds?app_id=1234567890123456${query}`)).body.messages)
  expect([(await page('')).length, (await page('&offset=10')).length, (await page('&limit=12')).length]).toEqual([10, 2, 12])
  expect(callback.received).toHaveLength(0)
})

test('knobs lose, drop, double and delay notifications', async () => {
  const sim = await runSim()
  const callback = await callbackServer()
  const token = await sim.connect(SELLER)
  await sim.admin('PUT', '/callback', { url: callback.url, topics: ORDERS_ONLY })
  await sim.admin('PUT', '/faults', [
    { match: { path: '^/webhooks/' }, fault: 'lost-webhook', times: 1 },
    { match: { path: '^/webhooks/' }, fault: 'duplicate-webhook', times: 1 },
    { match: { path: '^/webhooks/' }, fault: 'delay-webhook', ms: 50, times: 1 },
  ])
  for (let copy = 0; copy < 3; copy += 1) await buy(sim)
  await until('three of four', () => callback.received.length === 3)
  const resources = callback.received.map((one) => String(one.json.resource))
  expect(resources[0]).toBe(resources[1])
  expect(resources[2]).not.toBe(resources[0])
  expect(list((await sim.call(token, 'GET', '/missed_feeds?app_id=1234567890123456')).body.messages)).toHaveLength(1)
  await sim.admin('PUT', '/settings', { disabledTopics: ORDERS_ONLY })
  await buy(sim)
  expect(await outcomes(sim)).toMatchObject({ dropped: 1, lost: 1 })
})

test('a permuting window changes the order of arrival', async () => {
  const sim = await runSim({ seed: 3, settings: { permuteWindowMs: 200 } })
  const callback = await callbackServer()
  await sim.connect(SELLER)
  await sim.admin('PUT', '/callback', { url: callback.url, topics: ORDERS_ONLY })
  const items = Array.from({ length: 12 }, (_, index) => ({ sku: `S${index}`, unit_price: 1 }))
  const bought = await buy(sim, { items })
  await until('twelve', () => callback.received.length === 12)
  const arrived = callback.received.map((one) => String(one.json.resource))
  const sent = list(bought.order_ids).map((id) => `/orders/${id}`)
  expect(arrived).not.toEqual(sent)
  expect([...arrived].sort()).toEqual([...sent].sort())
})

test('only sellers that authorized the app are notified about, and no_notify is silent', async () => {
  const sim = await runSim()
  const callback = await callbackServer()
  await sim.admin('PUT', '/callback', { url: callback.url })
  await sim.admin('POST', '/accounts', { user_id: SELLER })
  await buy(sim)
  await sim.connect(SELLER)
  await buy(sim, { no_notify: true })
  expect(await outcomes(sim)).toEqual({ pending: 0, delivered: 0, lost: 0, dropped: 0 })
})

test('a notification made by hand goes out as it is', async () => {
  const sim = await runSim()
  const callback = await callbackServer()
  expect((await sim.admin('POST', '/notifications', { topic: 'orders_v2', resource: '/orders/1', user_id: 1 })).status).toBe(409)
  await sim.admin('PUT', '/callback', { url: callback.url })
  await sim.admin('POST', '/notifications', { raw: 'not json' })
  await sim.admin('POST', '/notifications', { body: { topic: 'questions', user_id: '123', resource: '/questions/1' } })
  await until('both', () => callback.received.length === 2)
  expect(callback.received.map((one) => one.body).sort()).toEqual([
    'not json',
    '{"topic":"questions","user_id":"123","resource":"/questions/1"}',
  ])
})

test("the client's own writes are notified too", async () => {
  const sim = await runSim()
  const callback = await callbackServer()
  const token = await sim.connect(SELLER)
  await sim.admin('PUT', '/callback', { url: callback.url, topics: ORDERS_ONLY })
  const order = {
    external_reference: 'S1',
    currency_id: 'CLP',
    total_amount: 10,
    order_items: [{ seller_sku: 'A', quantity: 1, unit_price: 10 }],
  }
  const { id } = (await sim.call(token, 'POST', '/orders', order)).body
  await until('the echo', () => callback.received.length === 1)
  expect(callback.received[0]?.json.resource).toBe(`/orders/${id}`)
})
