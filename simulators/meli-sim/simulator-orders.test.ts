import { expect, test } from 'vitest'
import { list, runSim, SELLER } from './running-sim.ts'

function anOrder(more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    external_reference: 'S00042',
    buyer: { nickname: 'ANA' },
    currency_id: 'CLP',
    total_amount: 20_980,
    order_items: [
      { seller_sku: 'A', quantity: 2, unit_price: 9_990 },
      { seller_sku: 'B', quantity: 1, unit_price: 1_000 },
    ],
    ...more,
  }
}

test('a create makes one order with all its lines, and the ledger holds the whole of it', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  const created = await sim.call(token, 'POST', '/orders', anOrder(), { 'x-request-id': 'r-1' })
  expect(created.status).toBe(201)
  expect(created.body).toMatchObject({
    external_reference: 'S00042',
    status: 'paid',
    total_amount: 20_980,
    pack_id: null,
    buyer: { nickname: 'ANA' },
  })
  const entry = (await sim.ledger()).find((one) => one.kind === 'order')
  expect(entry).toMatchObject({ act: 'created', by: 'client', id: String(created.body.id), reference: 'S00042', requestId: 'r-1' })
  expect(entry).toMatchObject({
    order: {
      external_reference: 'S00042',
      currency_id: 'CLP',
      total_amount: 20_980,
      status: 'paid',
      shipment_status: 'handling',
      order_items: [
        { item: { seller_sku: 'A' }, quantity: 2, unit_price: 9_990 },
        { item: { seller_sku: 'B' }, quantity: 1, unit_price: 1_000 },
      ],
    },
  })
  const request = (await sim.ledger()).find((one) => one.kind === 'request' && one.method === 'POST')
  expect(request).toMatchObject({ requestId: 'r-1', path: '/orders', decision: 'created', orderId: String(created.body.id), status: 201 })
})

test('the naive profile makes two orders of the same create', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  for (let copy = 0; copy < 2; copy += 1) await sim.call(token, 'POST', '/orders', anOrder(), { 'idempotency-key': 'k' })
  const found = (await sim.call(token, 'GET', `/orders/search?seller=${SELLER}&external_reference=S00042`)).body
  expect(list(found.results)).toHaveLength(2)
})

test('the other profiles answer the stored order', async () => {
  const sim = await runSim({ profile: { profile: 'external-ref-unique', processingMs: 5 } })
  const token = await sim.connect(SELLER)
  const both = await Promise.all([
    sim.call(token, 'POST', '/orders', anOrder()),
    sim.call(token, 'POST', '/orders', anOrder({ total_amount: 1 })),
  ])
  expect(both.map((reply) => reply.status).sort((a, b) => a - b)).toEqual([200, 201])
  expect(both[0]?.body.id).toBe(both[1]?.body.id)
  await sim.admin('PUT', '/profile', { profile: 'idempotent-key' })
  const first = await sim.call(token, 'POST', '/orders', anOrder(), { 'idempotency-key': 'k-1' })
  const again = await sim.call(token, 'POST', '/orders', anOrder(), { 'idempotency-key': 'k-1' })
  const other = await sim.call(token, 'POST', '/orders', anOrder(), { 'idempotency-key': 'k-2' })
  expect([first.status, again.status, other.status]).toEqual([201, 200, 201])
  expect(again.body.id).toBe(first.body.id)
})

test('an update replaces the lines and keeps the reference', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  const { id } = (await sim.call(token, 'POST', '/orders', anOrder())).body
  const next = anOrder({ total_amount: 3_000, order_items: [{ seller_sku: 'C', quantity: 3, unit_price: 1_000 }] })
  const changed = await sim.call(token, 'PUT', `/orders/${id}`, next)
  expect(changed.body).toMatchObject({ id, total_amount: 3_000, order_items: [{ quantity: 3, item: { seller_sku: 'C' } }] })
  expect((await sim.call(token, 'PUT', `/orders/${id}`, anOrder({ external_reference: 'S9' }))).status).toBe(409)
  expect((await sim.call(token, 'PUT', '/orders/99', next)).status).toBe(404)
})

test('cancelling is once and for all, and not after the goods have left', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  const { id } = (await sim.call(token, 'POST', '/orders', anOrder())).body
  const cancelled = await sim.call(token, 'POST', `/orders/${id}/cancel`)
  expect(cancelled.body).toMatchObject({ status: 'cancelled', cancel_detail: { requested_by: 'seller' } })
  const again = await sim.call(token, 'POST', `/orders/${id}/cancel`)
  expect([again.status, again.body.last_updated]).toEqual([200, cancelled.body.last_updated])
  expect((await sim.call(token, 'PUT', `/orders/${id}`, anOrder())).status).toBe(409)
  const sent = (await sim.call(token, 'POST', '/orders', anOrder({ external_reference: 'S2' }))).body
  await sim.admin('POST', `/shipments/${sent.shipping?.id}/status`, { status: 'shipped' })
  expect((await sim.call(token, 'POST', `/orders/${sent.id}/cancel`)).body.error).toBe('order_not_cancellable')
})

test("a buyer's order is not the client's to change", async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  const bought = (await sim.admin('POST', '/purchases', { seller: SELLER, items: [{ sku: 'A', unit_price: 1 }] })).body
  expect((await sim.call(token, 'PUT', `/orders/${bought.order_ids?.[0]}`, anOrder())).status).toBe(403)
  expect((await sim.call(token, 'POST', `/orders/${bought.order_ids?.[0]}/cancel`)).status).toBe(403)
})

test.each([
  ['order_items[0].quantity', { order_items: [{ seller_sku: 'A', quantity: 0.5, unit_price: 1 }] }],
  ['order_items[0].quantity', { order_items: [{ seller_sku: 'A', quantity: 0, unit_price: 1 }] }],
  ['order_items', { order_items: [] }],
  ['external_reference', { external_reference: undefined }],
  ['currency_id', { currency_id: 'pesos' }],
  ['total_amount', { total_amount: 10.5 }],
  ['order_items[0].unit_price', { total_amount: 1, order_items: [{ seller_sku: 'A', quantity: 1, unit_price: 0.5 }] }],
])('a create with a bad %s is a 422 that names it', async (field, more) => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  const reply = await sim.call(token, 'POST', '/orders', anOrder(more))
  expect([reply.status, reply.body.cause?.[0]?.field]).toEqual([422, field])
  expect((await sim.admin('GET', '/state')).body.counts).toMatchObject({ orders: 0 })
})

test('a body that is not JSON is refused without a 5xx', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  for (const body of ['{', '\u0000', '[]', '"x"', 'null', '{"__proto__":{"a":1}}']) {
    const { status } = await sim.call(token, 'POST', '/orders', body)
    expect([400, 422]).toContain(status)
  }
})

test('an unknown SKU and a refused reference answer as told, until they are taken back', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  await sim.admin('POST', '/unknown-skus', { skus: ['B'] })
  const unknown = await sim.call(token, 'POST', '/orders', anOrder())
  expect([unknown.status, unknown.body.error]).toEqual([400, 'item.seller_sku.not_found'])
  expect(unknown.body.message).toContain('seller_sku B')
  expect(unknown.body.cause?.[0]?.code).toBe('item.seller_sku.not_found')
  await sim.admin('DELETE', '/unknown-skus', { skus: ['B'] })
  await sim.admin('POST', '/refuse-references', { references: ['S00042'], status: 403, message: 'Seller is suspended' })
  const refused = await sim.call(token, 'POST', '/orders', anOrder())
  expect([refused.status, refused.body.message]).toEqual([403, 'Seller is suspended'])
  await sim.admin('DELETE', '/refuse-references')
  expect((await sim.call(token, 'POST', '/orders', anOrder())).status).toBe(201)
})
