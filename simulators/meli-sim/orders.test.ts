import { expect, test } from 'vitest'
import { list, runSim, SELLER } from './running-sim.ts'

const OTHER = 3_000_000_222

test('a cart of three items is three orders that share a pack and a shipment', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  const items = ['A', 'B', 'C'].map((sku) => ({ sku, quantity: 2, unit_price: 9_990 }))
  const bought = (await sim.admin('POST', '/purchases', { seller: SELLER, buyer: { nickname: 'ANA' }, items })).body
  const ids = list(bought.order_ids)
  expect(ids).toHaveLength(3)
  const pack = (await sim.call(token, 'GET', `/packs/${bought.pack_id}`)).body
  expect(pack).toMatchObject({
    id: bought.pack_id,
    status: 'released',
    orders: ids.map((id) => ({ id })),
    shipment: { id: bought.shipment_id },
  })
  expect(String(pack.last_updated)).toMatch(/-0400$/)
  const order = (await sim.call(token, 'GET', `/orders/${ids[1]}`)).body
  expect(order).toMatchObject({
    pack_id: bought.pack_id,
    status: 'paid',
    total_amount: 19_980,
    currency_id: 'CLP',
    buyer: { nickname: 'ANA' },
  })
  expect(list(order.order_items)).toHaveLength(1)
  expect(order.order_items?.[0]).toMatchObject({ quantity: 2, unit_price: 9_990, item: { seller_sku: 'B' } })
  expect(order).not.toHaveProperty('external_reference')
  expect(Number(order.id)).toBeGreaterThan(2 ** 31)
})

test('a late sibling joins the pack, and an order can gain a pack later', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  const items = [
    { sku: 'A', unit_price: 1_000 },
    { sku: 'B', unit_price: 1_000 },
  ]
  const bought = (await sim.admin('POST', '/purchases', { seller: SELLER, items })).body
  const late = (await sim.admin('POST', `/packs/${bought.pack_id}/add-order`, { sku: 'C', unit_price: 500 })).body
  expect(list((await sim.call(token, 'GET', `/packs/${bought.pack_id}`)).body.orders)).toHaveLength(3)
  expect((await sim.call(token, 'GET', `/shipments/${bought.shipment_id}/items`)).body).toHaveLength(3)
  expect(late).toMatchObject({ pack_id: bought.pack_id, buyer: bought.buyer })
  const alone = (await sim.admin('POST', '/purchases', { seller: SELLER, items: [{ sku: 'A', unit_price: 1_000 }] })).body
  expect(alone.pack_id).toBeNull()
  const packed = (await sim.admin('POST', `/orders/${alone.order_ids?.[0]}/pack`)).body
  expect((await sim.call(token, 'GET', `/packs/${packed.pack_id}`)).body).toMatchObject({ orders: [{ id: packed.id }] })
})

test('a seller reads only its own orders, packs and shipments', async () => {
  const sim = await runSim()
  await sim.connect(SELLER)
  const stranger = await sim.connect(OTHER)
  const bought = (await sim.admin('POST', '/purchases', { seller: SELLER, pack: true, items: [{ sku: 'A', unit_price: 1 }] })).body
  const refusals: Record<string, [number, string]> = {
    [`/orders/${bought.order_ids?.[0]}`]: [403, 'not_owned_order'],
    [`/packs/${bought.pack_id}`]: [403, 'not_owned_order'],
    [`/shipments/${bought.shipment_id}`]: [403, 'access_denied'],
    [`/orders/search?seller=${SELLER}`]: [403, 'caller.id.invalid'],
    '/orders/99': [404, 'order_not_found'],
    '/packs/99': [404, 'order_not_found'],
    '/orders/abc': [400, 'invalid_order_id'],
    '/orders/search': [400, 'bad_request'],
    [`/orders/search?seller=${OTHER}&order.date_created.from=yesterday`]: [400, 'bad_request'],
  }
  for (const [path, expected] of Object.entries(refusals)) {
    const reply = await sim.call(stranger, 'GET', path)
    expect([path, reply.status, reply.body.error]).toEqual([path, ...expected])
  }
})

test('search hides cancelled orders, pages by 50 and lags behind', async () => {
  const sim = await runSim({ profile: { searchLagMs: 3_600_000 } })
  const token = await sim.connect(SELLER)
  await sim.admin('POST', '/purchases', { seller: SELLER, items: [{ sku: 'A', unit_price: 1 }] })
  const path = `/orders/search?seller=${SELLER}`
  expect((await sim.call(token, 'GET', path)).body.paging).toEqual({ total: 0, offset: 0, limit: 50 })
  await sim.admin('PUT', '/profile', { searchLagMs: 0 })
  const second = (await sim.admin('POST', '/purchases', { seller: SELLER, items: [{ sku: 'A', unit_price: 1 }] })).body
  expect(list((await sim.call(token, 'GET', `${path}&limit=200`)).body.results)).toHaveLength(1)
  await sim.admin('POST', `/orders/${second.order_ids?.[0]}/status`, { status: 'cancelled' })
  expect((await sim.call(token, 'GET', path)).body.paging).toMatchObject({ total: 0 })
  const cancelled = (await sim.call(token, 'GET', `${path}&order.status=cancelled&sort=date_desc`)).body
  expect(cancelled.results?.[0]).toMatchObject({ id: second.order_ids?.[0], payments: [{ status: 'refunded' }] })
})

test('every admin change of an order is a newer version', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  const bought = (
    await sim.admin('POST', '/purchases', { seller: SELLER, items: [{ sku: 'A', unit_price: 1 }], status: 'payment_required' })
  ).body
  const id = bought.order_ids?.[0]
  const versions: number[] = []
  const read = async () => {
    const order = (await sim.call(token, 'GET', `/orders/${id}`)).body
    versions.push(Date.parse(String(order.last_updated)))
    return order
  }
  expect(await read()).toMatchObject({ date_closed: null, paid_amount: 0 })
  await sim.admin('POST', `/orders/${id}/status`, { status: 'paid', tags: ['fraud_risk_detected'] })
  const paid = await read()
  expect(paid).toMatchObject({ status: 'paid', payments: [{ status: 'approved' }] })
  expect(list(paid.tags)).toContain('fraud_risk_detected')
  await sim.admin('POST', `/orders/${id}/touch`)
  await read()
  await sim.admin('POST', `/orders/${id}/status`, {
    remove_tags: ['fraud_risk_detected'],
    payment: { tags: ['refund_account_money'] },
    mediations: [{ id: 5 }],
  })
  expect(await read()).toMatchObject({ mediations: [{ id: 5 }], payments: [{ tags: ['refund_account_money'] }] })
  expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b))
  expect(versions).toHaveLength(4)
})

test('an order can vanish, and can be there twice', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  const body = {
    external_reference: 'S1',
    currency_id: 'CLP',
    total_amount: 10,
    order_items: [{ seller_sku: 'A', quantity: 1, unit_price: 10 }],
  }
  const { id } = (await sim.call(token, 'POST', '/orders', body)).body
  const copy = await sim.admin('POST', `/orders/${id}/duplicate`)
  expect(copy.status).toBe(201)
  const path = `/orders/search?seller=${SELLER}&external_reference=S1`
  expect(list((await sim.call(token, 'GET', path)).body.results)).toHaveLength(2)
  await sim.admin('POST', `/orders/${id}/delete`)
  expect((await sim.call(token, 'GET', `/orders/${id}`)).status).toBe(404)
  expect((await sim.call(token, 'GET', path)).body.results?.[0]).toMatchObject({ id: copy.body.id })
})

test('a partial answer is 206, names what is missing and ends by its count', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  const bought = (await sim.admin('POST', '/purchases', { seller: SELLER, items: [{ sku: 'A', unit_price: 1 }] })).body
  await sim.admin('PUT', '/partials', [{ missing: ['buyer', 'feedback'], times: 1 }])
  const partial = await sim.call(token, 'GET', `/orders/${bought.order_ids?.[0]}`)
  expect([partial.status, partial.headers.get('x-content-missing'), partial.body.buyer]).toEqual([206, 'buyer, feedback', null])
  expect((await sim.call(token, 'GET', `/orders/${bought.order_ids?.[0]}`)).status).toBe(200)
})

test('a new order propagates before it can be read', async () => {
  const sim = await runSim({ settings: { propagationMs: 3_600_000 } })
  const token = await sim.connect(SELLER)
  const bought = (await sim.admin('POST', '/purchases', { seller: SELLER, items: [{ sku: 'A', unit_price: 1 }] })).body
  expect((await sim.call(token, 'GET', `/orders/${bought.order_ids?.[0]}`)).status).toBe(404)
  await sim.admin('PUT', '/settings', { propagationMs: 0 })
  expect((await sim.call(token, 'GET', `/orders/${bought.order_ids?.[0]}`)).status).toBe(200)
})

test('notes are kept, not deduplicated, and limited to 300 characters', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  const bought = (await sim.admin('POST', '/purchases', { seller: SELLER, items: [{ sku: 'A', unit_price: 1 }] })).body
  const path = `/orders/${bought.order_ids?.[0]}/notes`
  for (const note of ['lista', 'lista']) expect((await sim.call(token, 'POST', path, { note })).status).toBe(201)
  expect((await sim.call(token, 'POST', path, { note: 'x'.repeat(301) })).status).toBe(400)
  expect(list((await sim.call(token, 'GET', path)).body[0]?.results)).toHaveLength(2)
})

test('admin routes need the key and name the field that is wrong', async () => {
  const sim = await runSim()
  expect((await fetch(`${sim.url}/admin/state`)).status).toBe(401)
  const wrong = await sim.admin('POST', '/purchases', { seller: SELLER, items: [{ sku: 'A', quantity: 1.5, unit_price: 1 }] })
  expect([wrong.status, wrong.body.error, wrong.body.cause?.[0]?.field]).toEqual([422, 'validation_error', 'items[0].quantity'])
  const nobody = await sim.admin('POST', '/purchases', { seller: 42, items: [{ sku: 'A', unit_price: 1 }] })
  expect([nobody.status, nobody.body.message]).toEqual([404, 'Account 42 not found'])
})
