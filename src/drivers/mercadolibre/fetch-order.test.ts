import { describe, expect, test } from 'vitest'
import { IntegrationError, type IntegrationErrorCode } from '../../core/integration-error.ts'
import type { AttemptLog } from '../../ports/attempt-log.ts'
import type { MeliAnswer, MeliClient } from './client.ts'
import { fetchSale } from './fetch-order.ts'
import { defaultStatusMap } from './status-map.ts'

const ORDER = '2000009047722568'
const PACK = '2000006181551917'
const anOrder = (id: string, over: Record<string, unknown> = {}) => ({
  id,
  status: 'paid',
  last_updated: '2026-11-20T12:00:00.000-04:00',
  pack_id: null,
  tags: [],
  total_amount: 10,
  currency_id: 'CLP',
  order_items: [{ item: { id: 'MLC1', seller_sku: 'A' }, quantity: 1, unit_price: 10 }],
  payments: [],
  mediations: [],
  shipping: { id: null },
  buyer: { nickname: 'B' },
  ...over,
})
const aPack = (orders: string[]) => ({
  id: PACK,
  status: 'released',
  last_updated: '2026-11-20T12:00:00.000-0400',
  orders: orders.map((id) => ({ id })),
})

function aFetch(pages: Record<string, unknown>) {
  const asked: string[] = []
  const client: MeliClient = {
    call({ path }) {
      asked.push(path)
      const page = pages[path] ?? new IntegrationError('not-found', { httpStatus: 404 })
      if (page instanceof IntegrationError) return Promise.reject(page)
      return Promise.resolve<MeliAnswer>({ status: 200, headers: {}, body: page })
    },
  }
  const log: AttemptLog = { read: (_operation, call) => call('r') }
  const fetch = (resource: string) =>
    fetchSale({ client, log, signal: new AbortController().signal }, resource, { statuses: defaultStatusMap, withReference: false })
  return { fetch, asked }
}

const refused = (status: number, code: IntegrationErrorCode) => new IntegrationError(code, { httpStatus: status })

describe('fetching a sale', () => {
  test.each([
    ['of a payment', '/collections/7', { '/collections/7': { order_id: ORDER } }],
    ['of a wrapped payment', '/collections/7', { '/collections/7': { collection: { order_id: ORDER } } }],
    ['of a payment with its order inside', '/collections/7', { '/collections/7': { order: { id: ORDER } } }],
    ['of a claim', '/post-purchase/v1/claims/5', { '/post-purchase/v1/claims/5': { resource: 'order', resource_id: ORDER } }],
    [
      'of a claim about a payment',
      '/post-purchase/v2/claims/5',
      { '/post-purchase/v1/claims/5': { resource: 'payment', resource_id: '7' }, '/collections/7': { order_id: ORDER } },
    ],
    [
      'of a shipment in the older shape',
      '/shipments/9',
      { '/shipments/9': { id: '9', status: 'shipped', last_updated: '2026-11-20T12:00:00Z', order_id: ORDER } },
    ],
  ])('%s leads to its order', async (_what, resource, pages) => {
    const { fetch } = aFetch({ ...pages, [`/orders/${ORDER}`]: anOrder(ORDER) })
    expect((await fetch(resource)).orderKey).toBe(ORDER)
  })

  test('leaves out a sibling of another seller and one that does not show yet', async () => {
    const { fetch } = aFetch({
      [`/orders/${ORDER}`]: anOrder(ORDER, { pack_id: PACK }),
      [`/packs/${PACK}`]: aPack([ORDER, '11', '12', '13']),
      '/orders/11': refused(403, 'rejected'),
      '/orders/13': anOrder('13', { pack_id: PACK }),
    })
    const { fragments } = await fetch(`/orders/${ORDER}`)
    expect(fragments.map((one) => one.externalId)).toEqual([ORDER, '13', PACK])
  })

  test('goes on without a pack and a shipment that do not show yet, under the key of the pack', async () => {
    const { fetch } = aFetch({ [`/orders/${ORDER}`]: anOrder(ORDER, { pack_id: PACK, shipping: { id: '9' } }) })
    const { fragments, orderKey } = await fetch(`/orders/${ORDER}`)
    expect([fragments.map((one) => one.entity), orderKey]).toEqual([['order'], PACK])
  })

  test.each(['unavailable', 'rate-limited', 'no-answer', 'unauthorized'] as const)('does not go on when a part meets %s', async (code) => {
    const { fetch } = aFetch({ [`/orders/${ORDER}`]: anOrder(ORDER, { pack_id: PACK }), [`/packs/${PACK}`]: refused(500, code) })
    await expect(fetch(`/orders/${ORDER}`)).rejects.toMatchObject({ code })
  })

  test('does not believe a 403 that speaks of the order itself', async () => {
    const { fetch } = aFetch({ [`/orders/${ORDER}`]: refused(403, 'rejected') })
    await expect(fetch(`/orders/${ORDER}`)).rejects.toMatchObject({ code: 'rejected' })
  })

  test('names a payment, a claim and a shipment that belong to no order', async () => {
    const { fetch } = aFetch({
      '/collections/7': { status: 'approved' },
      '/post-purchase/v1/claims/5': { resource: 'purchase', resource_id: '1' },
      '/shipments/9': { id: '9', status: 'shipped', last_updated: '2026-11-20T12:00:00Z' },
      '/shipments/9/items': [],
    })
    await expect(fetch('/collections/7')).rejects.toMatchObject({ code: 'rejected' })
    await expect(fetch('/post-purchase/v1/claims/5')).rejects.toMatchObject({ code: 'rejected' })
    await expect(fetch('/shipments/9')).rejects.toMatchObject({ code: 'not-found' })
  })

  test('asks for nothing by a pointer outside the whitelist', async () => {
    const { fetch, asked } = aFetch({})
    for (const resource of ['/items/MLC1', '/users/me', '/orders/1/', '/orders/1\n', ' /orders/1']) {
      await expect(fetch(resource)).rejects.toMatchObject({ code: 'unsupported' })
    }
    expect(asked).toEqual([])
  })
})
