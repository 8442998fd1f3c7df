import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openTestMock } from './test-client.ts'
import type { TestMock } from './test-client.ts'

const draft = { buyer: 'Ana', items: [{ sku: 'SKU-1', qty: 1 }], external_ref: 'odoo-1' }

describe('faults of paris-mock over a real socket', () => {
  let mock: TestMock
  beforeEach(async () => {
    mock = await openTestMock()
  })
  afterEach(() => mock.close())

  const fault = (rule: object) => mock.admin('PUT', '/faults', [{ match: { method: 'POST', path: '^/orders$' }, times: 1, ...rule }])
  const create = () => mock.call('POST', '/orders', draft)
  const listed = async () => (await mock.call('GET', '/orders')).body as unknown[]
  const created = async () => (await mock.ledger()).filter((entry) => entry.kind === 'order').length

  test.each([
    [
      { fault: 'status', status: 500, body: '{"detail":"down"}' },
      { status: 500, body: { detail: 'down' } },
    ],
    [
      { fault: 'status', status: 429, body: '{}', retryAfter: '2' },
      { status: 429, body: {} },
    ],
  ])('%j answers as told and nothing is created', async (rule, answer) => {
    await fault(rule)
    expect(await create()).toEqual(answer)
    expect(await listed()).toEqual([])
    expect((await create()).status).toBe(201)
  })

  test.each([
    ['reset', 0, /fetch failed/],
    ['accept-then-reset', 1, /fetch failed/],
    ['empty', 1, /JSON/],
    ['truncate', 1, /terminated/],
    ['html', 1, /JSON/],
  ])('%s leaves the caller without a clear answer; orders created: %i', async (kind, orders, problem) => {
    await fault({ fault: kind })
    await expect(create()).rejects.toThrow(problem)
    expect(await listed()).toHaveLength(orders)
    expect(await created()).toBe(orders)
  })

  test.each([
    ['hang', 0],
    ['accept-then-hang', 1],
  ])('%s keeps the connection open in silence; orders created: %i', async (kind, orders) => {
    await fault({ fault: kind, ms: 120 })
    await expect(create()).rejects.toThrow(/fetch failed/)
    expect(await listed()).toHaveLength(orders)
    expect((await mock.ledger()).some((entry) => entry.kind === 'request' && entry.decision === kind && entry.status === null)).toBe(true)
  })

  test('late creates the order although the caller left before', async () => {
    await fault({ fault: 'late', ms: 300 })
    const caller = AbortSignal.timeout(50)
    const request = fetch(`${mock.url}/orders`, {
      method: 'POST',
      body: JSON.stringify(draft),
      headers: { 'x-api-key': 'paris-key', 'x-request-id': 'try-1' },
      signal: caller,
    })
    await expect(request).rejects.toThrow(/timeout/)
    expect(await listed()).toEqual([])
    await vi.waitFor(async () => expect(await listed()).toHaveLength(1), 5000)
    expect((await mock.ledger()).filter((entry) => entry.kind !== 'request' || entry.method === 'POST')).toMatchObject([
      { kind: 'request', decision: 'delayed', requestId: 'try-1', status: null },
      { kind: 'order', act: 'created', requestId: 'try-1' },
    ])
  })

  test('latency creates at once and answers later', async () => {
    await fault({ fault: 'latency', ms: 300 })
    const answer = create()
    await vi.waitFor(async () => expect(await listed()).toHaveLength(1), 5000)
    expect((await answer).status).toBe(201)
  })
})
