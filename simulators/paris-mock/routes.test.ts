import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openTestMock } from './test-client.ts'
import type { TestMock } from './test-client.ts'

const draft = { buyer: 'Ana Pérez', items: [{ sku: 'SKU-1', qty: 2 }], external_ref: 'odoo-42' }
const bare = { buyer: 'Ana Pérez', items: [{ sku: 'SKU-1', qty: 0.5 }] }

describe('the contract of paris-mock', () => {
  let mock: TestMock
  beforeEach(async () => {
    mock = await openTestMock()
  })
  afterEach(() => mock.close())

  test('health needs no key; everything else answers 401 without the right one', async () => {
    expect(await mock.call('GET', '/health', undefined, {})).toEqual({ status: 200, body: { status: 'ok' } })
    const calls = [
      ['POST', '/orders'],
      ['GET', '/orders'],
      ['GET', '/orders/p-1'],
      ['PUT', '/orders/p-1'],
      ['POST', '/orders/p-1/cancel'],
      ['POST', '/webhooks/register'],
      ['POST', '/admin/orders/p-1/emit-webhook'],
      ['GET', '/unknown'],
    ] as const
    for (const [method, path] of calls) {
      const body = method === 'GET' ? undefined : draft
      expect((await mock.call(method, path, body, {})).status).toBe(401)
      expect((await mock.call(method, path, body, { 'x-api-key': 'wrong' })).status).toBe(401)
    }
    expect((await mock.ledger()).some((entry) => entry.kind === 'order')).toBe(false)
  })

  test('an order is created, shown by id and listed newest first, in pages', async () => {
    const first = await mock.call('POST', '/orders', draft)
    expect(first).toMatchObject({ status: 201, body: { id: 'p-1', status: 'created', ...draft } })
    expect(first.body).toMatchObject({ created_at: expect.stringMatching(/Z$/), updated_at: expect.stringMatching(/Z$/) })
    expect((await mock.call('POST', '/orders', bare)).body).toMatchObject({ id: 'p-2', external_ref: null })
    expect(await mock.call('GET', '/orders/p-1')).toEqual({ status: 200, body: first.body })
    expect((await mock.call('GET', '/orders')).body).toMatchObject([{ id: 'p-2' }, { id: 'p-1' }])
    expect((await mock.call('GET', '/orders?limit=1')).body).toMatchObject([{ id: 'p-2' }])
    expect((await mock.call('GET', '/orders?limit=1&offset=1')).body).toMatchObject([{ id: 'p-1' }])
    expect((await mock.call('GET', '/orders?offset=2')).body).toEqual([])
    expect(await mock.call('GET', '/orders/p-9')).toEqual({ status: 404, body: { detail: 'order not found' } })
  })

  test('a repeated reference answers 201 with the stored order and ignores the new body, also when both arrive together', async () => {
    const [one, two] = await Promise.all([mock.call('POST', '/orders', draft), mock.call('POST', '/orders', draft)])
    const three = await mock.call('POST', '/orders', { ...draft, buyer: 'Luis' })
    expect([one.status, two.status, three.status]).toEqual([201, 201, 201])
    expect(two.body).toEqual(one.body)
    expect(three.body).toEqual(one.body)
    expect((await mock.ledger()).filter((entry) => entry.kind === 'order')).toHaveLength(1)
    const decisions = (await mock.ledger()).flatMap((entry) => (entry.kind === 'request' ? [`${entry.decision} ${entry.orderId}`] : []))
    expect(decisions.toSorted()).toEqual(['created p-1', 'deduplicated p-1', 'deduplicated p-1'])
  })

  test('orders without a reference are never the same', async () => {
    await mock.call('POST', '/orders', bare)
    await mock.call('POST', '/orders', { ...bare, external_ref: '' })
    expect((await mock.call('POST', '/orders', { ...bare, external_ref: '' })).body).toMatchObject({ id: 'p-3' })
  })

  test.each([
    [{ ...draft, buyer: undefined }, ['body', 'buyer']],
    [{ ...draft, buyer: '' }, ['body', 'buyer']],
    [{ ...draft, items: [] }, ['body', 'items']],
    [{ ...draft, items: [{ sku: 'SKU-1', qty: 0 }] }, ['body', 'items', 0, 'qty']],
    [{ ...draft, items: [{ qty: 1 }] }, ['body', 'items', 0, 'sku']],
    [{ ...draft, external_ref: 7 }, ['body', 'external_ref']],
    ['not json', ['body']],
    ['', ['body']],
  ])('an invalid body answers 422 and names the field: %j', async (body, loc) => {
    const answer = await mock.call('POST', '/orders', body)
    expect(answer).toMatchObject({ status: 422, body: { detail: [{ loc, msg: expect.any(String), type: expect.any(String) }] } })
    expect(await mock.call('PUT', '/orders/p-1', body)).toMatchObject({ status: 422, body: { detail: [{ loc }] } })
  })

  test.each(['limit=0', 'limit=201', 'limit=x', 'offset=-1'])('an invalid page answers 422: %s', async (query) => {
    const answer = await mock.call('GET', `/orders?${query}`)
    expect(answer).toMatchObject({ status: 422, body: { detail: [{ loc: ['query', query.split('=')[0]] }] } })
  })

  test('an update changes the order, a cancellation sticks when repeated, unknown orders are 404', async () => {
    await mock.call('POST', '/orders', draft)
    const update = { buyer: 'Ana', items: [{ sku: 'SKU-2', qty: 3 }] }
    const updated = await mock.call('PUT', '/orders/p-1', update, { 'x-api-key': 'paris-key', 'x-request-id': 'try-7' })
    expect(updated).toMatchObject({ status: 200, body: { id: 'p-1', ...update, external_ref: 'odoo-42', status: 'created' } })
    const cancelled = await mock.call('POST', '/orders/p-1/cancel')
    expect(cancelled).toMatchObject({ status: 200, body: { id: 'p-1', status: 'cancelled' } })
    expect(await mock.call('POST', '/orders/p-1/cancel')).toEqual(cancelled)
    expect((await mock.call('PUT', '/orders/p-9', update)).status).toBe(404)
    expect((await mock.call('POST', '/orders/p-9/cancel')).status).toBe(404)
    const acts = (await mock.ledger()).flatMap((entry) => (entry.kind === 'order' ? [[entry.act, entry.requestId, entry.by]] : []))
    expect(acts).toEqual([
      ['created', null, 'client'],
      ['updated', 'try-7', 'client'],
      ['cancelled', null, 'client'],
    ])
  })

  test('an update may not take the reference of another order', async () => {
    await mock.call('POST', '/orders', draft)
    await mock.call('POST', '/orders', { ...draft, external_ref: 'odoo-43' })
    expect((await mock.call('PUT', '/orders/p-2', draft)).status).toBe(409)
    expect((await mock.call('PUT', '/orders/p-1', draft)).status).toBe(200)
  })

  test('the look-up by reference filters, and is ignored when switched off', async () => {
    await mock.call('POST', '/orders', draft)
    await mock.call('POST', '/orders', bare)
    expect((await mock.call('GET', '/orders?external_ref=odoo-42')).body).toMatchObject([{ id: 'p-1' }])
    expect((await mock.call('GET', '/orders?external_ref=nobody')).body).toEqual([])
    await mock.restart({ referenceLookUp: false })
    expect((await mock.call('GET', '/orders?external_ref=odoo-42')).body).toHaveLength(2)
  })

  test('registering a URL twice has no effect; what is no URL is 422', async () => {
    const url = 'http://127.0.0.1:9/hook'
    expect(await mock.call('POST', '/webhooks/register', { url })).toEqual({ status: 201, body: { registered: url } })
    expect((await mock.call('POST', '/webhooks/register', { url })).status).toBe(201)
    expect((await mock.admin('GET', '/webhooks')).body).toMatchObject({ urls: [url] })
    expect((await mock.call('POST', '/webhooks/register', { url: 'ftp://x/y' })).status).toBe(422)
    expect((await mock.call('POST', '/webhooks/register', {})).status).toBe(422)
  })

  test('profile naive doubles a repeated reference', async () => {
    expect(await mock.admin('PUT', '/profile', { profile: 'naive' })).toMatchObject({ status: 200, body: { profile: 'naive' } })
    await mock.call('POST', '/orders', draft)
    expect((await mock.call('POST', '/orders', draft)).body).toMatchObject({ id: 'p-2' })
    expect((await mock.call('GET', '/orders?external_ref=odoo-42')).body).toHaveLength(2)
    expect(await mock.admin('PUT', '/profile', { profile: 'kind' })).toMatchObject({
      status: 422,
      body: { errors: [{ field: 'profile' }] },
    })
  })

  test('profile idempotent-key dedupes by the header alone, also after a restart', async () => {
    await mock.restart({ profile: 'idempotent-key' })
    const keyed = (key: string) => mock.call('POST', '/orders', draft, { 'x-api-key': 'paris-key', 'idempotency-key': key })
    expect((await keyed('k-1')).body).toMatchObject({ id: 'p-1' })
    expect((await keyed('k-2')).body).toMatchObject({ id: 'p-2' })
    await mock.restart({ profile: 'idempotent-key' })
    expect((await keyed('k-1')).body).toMatchObject({ id: 'p-1' })
    expect((await mock.call('POST', '/orders', draft)).body).toMatchObject({ id: 'p-3' })
  })

  test('a created order shows in lists only after the search lag, by id at once', async () => {
    await mock.admin('PUT', '/profile', { searchLagMs: 500 })
    await mock.call('POST', '/orders', draft)
    expect((await mock.call('GET', '/orders')).body).toEqual([])
    expect((await mock.call('GET', '/orders?external_ref=odoo-42')).body).toEqual([])
    expect((await mock.call('GET', '/orders/p-1')).status).toBe(200)
    await vi.waitFor(async () => expect((await mock.call('GET', '/orders')).body).toHaveLength(1), 5000)
  })

  test('with a processing delay a write takes effect later than it arrives', async () => {
    await mock.admin('PUT', '/profile', { processingMs: 400 })
    const creation = mock.call('POST', '/orders', draft)
    expect((await mock.call('GET', '/orders/p-1')).status).toBe(404)
    expect((await creation).status).toBe(201)
    expect((await mock.call('GET', '/orders/p-1')).status).toBe(200)
  })

  test('stock is set and shown per SKU', async () => {
    expect(await mock.call('PUT', '/stock/SKU-1', { quantity: 7 })).toMatchObject({ status: 200, body: { sku: 'SKU-1', quantity: 7 } })
    expect((await mock.call('PUT', '/stock/SKU-1', { quantity: -1 })).status).toBe(422)
    await mock.restart()
    expect(await mock.call('GET', '/stock/SKU-1')).toMatchObject({ status: 200, body: { quantity: 7 } })
    expect((await mock.call('GET', '/stock/SKU-9')).status).toBe(404)
  })
})
