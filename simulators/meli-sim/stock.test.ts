import { expect, test } from 'vitest'
import { list, runSim, SELLER } from './running-sim.ts'

const LOCATIONS = [
  { network_node_id: 'n1', store_id: 's1', quantity: 15 },
  { network_node_id: 'n2', store_id: 's2', quantity: 25 },
]

test('a listing is found by its SKU and written absolutely', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  await sim.admin('POST', '/items', { user_id: SELLER, sku: 'A', available_quantity: 5 })
  const found = (await sim.call(token, 'GET', `/users/${SELLER}/items/search?seller_sku=A`)).body
  expect(list(found.results)).toHaveLength(1)
  const path = `/items/${found.results?.[0]}`
  expect((await sim.call(token, 'GET', path)).body).toMatchObject({ available_quantity: 5, status: 'active' })
  const empty = (await sim.call(token, 'PUT', path, { available_quantity: 0 }, { 'x-request-id': 'r-9' })).body
  expect(empty).toMatchObject({ available_quantity: 0, status: 'paused', sub_status: ['out_of_stock'] })
  expect((await sim.call(token, 'PUT', path, { available_quantity: 3 })).body).toMatchObject({ status: 'active', sub_status: [] })
  expect((await sim.call(token, 'PUT', path, { available_quantity: 1.5 })).status).toBe(400)
  expect((await sim.ledger()).find((one) => one.kind === 'stock' && one.requestId === 'r-9')).toMatchObject({ sku: 'A', by: 'client' })
  expect((await sim.call(token, 'GET', `/users/${SELLER}/items/search?seller_sku=nothing`)).body.results).toEqual([])
})

test('stock of a seller with warehouses is written under its version', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER, { user_product_seller: true })
  const item = (await sim.admin('POST', '/items', { user_id: SELLER, sku: 'A', locations: LOCATIONS })).body
  const path = `/user-products/${item.user_product_id}/stock`
  const read = await sim.call(token, 'GET', path)
  expect([read.headers.get('x-version'), list(read.body.locations).map((one) => one.quantity)]).toEqual(['1', [15, 25]])
  const write = (headers: Record<string, string>, quantity = 7) =>
    sim.call(token, 'PUT', `${path}/type/seller_warehouse`, { locations: [{ store_id: 's1', network_node_id: 'n1', quantity }] }, headers)
  const missing = await write({})
  expect([missing.status, missing.body.message]).toEqual([400, 'Missing X-Version header'])
  const done = await write({ 'x-version': '1' })
  expect([done.status, done.headers.get('x-version'), list(done.body.locations).map((one) => one.quantity)]).toEqual([200, '2', [7, 25]])
  const stale = await write({ 'x-version': '1' })
  expect([stale.status, stale.body.message]).toEqual([409, 'Version mismatch'])
  expect((await sim.call(token, 'PUT', `/items/${item.id}`, { available_quantity: 1 })).status).toBe(400)
  expect((await sim.call(token, 'GET', `/user-products/${item.user_product_id}`)).body).toMatchObject({ user_id: SELLER })
})

test('a sale takes its quantity off the stock and moves the version', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER, { user_product_seller: true })
  const item = (await sim.admin('POST', '/items', { user_id: SELLER, sku: 'A', locations: LOCATIONS })).body
  await sim.admin('POST', '/purchases', { seller: SELLER, items: [{ sku: 'A', quantity: 20, unit_price: 1 }] })
  const read = await sim.call(token, 'GET', `/user-products/${item.user_product_id}/stock`)
  expect([read.headers.get('x-version'), list(read.body.locations).map((one) => one.quantity)]).toEqual(['2', [0, 20]])
})

test('stock beside Full is written at the selling address and shows later', async () => {
  const sim = await runSim({ settings: { stockApplyMs: 600_000 } })
  const token = await sim.connect(SELLER, { full_and_flex: true })
  const item = (await sim.admin('POST', '/items', { user_id: SELLER, sku: 'A', available_quantity: 5 })).body
  const path = `/user-products/${item.user_product_id}/stock`
  const read = async () => {
    const reply = await sim.call(token, 'GET', path)
    return [reply.headers.get('x-version'), ...list(reply.body.locations).map((one) => `${one.type}=${one.quantity}`)]
  }
  expect(await read()).toEqual(['1', 'selling_address=5', 'meli_facility=0'])
  const write = (headers: Record<string, string>) => sim.call(token, 'PUT', `${path}/type/selling_address`, { quantity: 9 }, headers)
  const statuses = [(await write({})).status, (await write({ 'x-version': '7' })).status, (await write({ 'x-version': '1' })).status]
  expect(statuses).toEqual([400, 409, 204])
  expect(await read()).toEqual(['1', 'selling_address=5', 'meli_facility=0'])
  await sim.admin('PUT', '/settings', { stockApplyMs: 0 })
  expect((await write({ 'x-version': '2' })).status).toBe(204)
  expect(await read()).toEqual(['3', 'selling_address=9', 'meli_facility=0'])
  expect((await sim.call(token, 'PUT', `/items/${item.id}`, { available_quantity: 1 })).status).toBe(400)
})

test("another seller's listing is forbidden, one that is not there is 404", async () => {
  const sim = await runSim()
  await sim.connect(SELLER)
  const stranger = await sim.connect(7)
  const item = (await sim.admin('POST', '/items', { user_id: SELLER, sku: 'A' })).body
  const statuses = []
  for (const path of [
    `/items/${item.id}`,
    `/user-products/${item.user_product_id}/stock`,
    `/users/${SELLER}/items/search`,
    '/items/MLC9',
  ]) {
    statuses.push((await sim.call(stranger, 'GET', path)).status)
  }
  expect(statuses).toEqual([403, 403, 403, 404])
})
