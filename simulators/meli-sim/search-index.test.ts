import { describe, expect, test } from 'vitest'
import type { Order } from './order.ts'
import { newOrder } from './order.ts'
import { indexOrder, newIndex, searchOrders, unindexOrder } from './search-index.ts'
import type { DateRange, SearchQuery } from './search-index.ts'

const NOON = Date.parse('2026-11-23T12:00:00.000Z')
const MINUTE = 60_000

function anOrder(id: number, more: Partial<Parameters<typeof newOrder>[0]> = {}): Order {
  return newOrder({
    id,
    paymentId: 1,
    seller: { id: 7, nickname: 'TIENDA' },
    buyer: { id: 9, nickname: 'ANA' },
    lines: [{ itemId: 'MLC1', title: 'Polera', sku: 'SKU-1', userProductId: null, quantity: 2, unitPrice: 1_000, stock: null }],
    currency: 'CLP',
    total: null,
    status: 'paid',
    tags: [],
    packId: null,
    shipmentId: null,
    atMs: NOON,
    externalReference: null,
    ...more,
  })
}

function found(orders: Order[], query: Partial<SearchQuery> = {}, nowMs = NOON): number[] {
  const index = newIndex()
  for (const order of orders) indexOrder(index, order, { changedAtMs: NOON, lagMs: 0 })
  const all = { sellerId: 7, externalReference: null, text: null, statuses: [], tags: [], ranges: [], sort: null, offset: 0, limit: 50 }
  return searchOrders(index, { ...all, ...query }, nowMs).results.map((order) => order.id)
}

describe('search', () => {
  test('leaves cancelled orders out unless they are asked for', () => {
    const orders = [anOrder(1), anOrder(2, { status: 'cancelled' })]
    expect(found(orders)).toEqual([1])
    expect(found(orders, { statuses: ['cancelled'] })).toEqual([2])
  })

  test('shows only the orders of the seller', () => {
    expect(found([anOrder(1), anOrder(2, { seller: { id: 8, nickname: 'OTRA' } })])).toEqual([1])
  })

  test('sorts by date_closed ascending unless told otherwise', () => {
    const orders = [anOrder(1, { atMs: NOON }), anOrder(2, { atMs: NOON - MINUTE })]
    expect(found(orders)).toEqual([2, 1])
    expect(found(orders, { sort: 'date_desc' })).toEqual([1, 2])
  })

  test('drops the minutes of date filters on both sides', () => {
    const range = (fromMs: number | null, toMs: number | null): DateRange => ({ field: 'date_created', fromMs, toMs })
    const orders = [anOrder(1, { atMs: NOON + 5 * MINUTE }), anOrder(2, { atMs: NOON - 5 * MINUTE })]
    expect(found(orders, { ranges: [range(NOON + 50 * MINUTE, null)] })).toEqual([1])
    expect(found(orders, { ranges: [range(null, NOON + 1)] })).toEqual([2, 1])
    expect(found(orders, { ranges: [range(null, NOON - 1)] })).toEqual([2])
  })

  test('a date filter leaves out an order that has no such date', () => {
    const range: DateRange = { field: 'date_closed', fromMs: NOON - 60 * MINUTE, toMs: null }
    expect(found([anOrder(1, { status: 'payment_required' })], { ranges: [range] })).toEqual([])
  })

  test('keeps twelve months', () => {
    expect(found([anOrder(1, { atMs: NOON - 370 * 86_400_000 })])).toEqual([])
  })

  test('pages by offset and limit', () => {
    const orders = [1, 2, 3].map((id) => anOrder(id, { atMs: NOON + id }))
    expect(found(orders, { offset: 1, limit: 1 })).toEqual([2])
  })

  test('finds an order by its id, pack, buyer or title', () => {
    const orders = [anOrder(1, { packId: 55 }), anOrder(2, { buyer: { id: 1, nickname: 'BETO' } })]
    expect(found(orders, { text: '55' })).toEqual([1])
    expect(found(orders, { text: 'BETO' })).toEqual([2])
    expect(found(orders, { text: 'Polera' })).toEqual([1, 2])
    expect(found(orders, { tags: ['pack_order'] })).toEqual([1])
  })

  test('shows a change only when its lag is over, and the old copy until then', () => {
    const index = newIndex()
    const query = { sellerId: 7, externalReference: 'r', text: null, statuses: [], tags: [], ranges: [], sort: null, offset: 0, limit: 50 }
    const order = anOrder(1, { externalReference: 'r' })
    indexOrder(index, order, { changedAtMs: NOON, lagMs: 300 })
    expect(searchOrders(index, query, NOON + 299).total).toBe(0)
    expect(searchOrders(index, query, NOON + 300).results[0]?.total_amount).toBe(2_000)
    indexOrder(index, { ...order, total_amount: 5 }, { changedAtMs: NOON + 600, lagMs: 300 })
    expect(searchOrders(index, query, NOON + 899).results[0]?.total_amount).toBe(2_000)
    const row = searchOrders(index, query, NOON + 900).results[0]
    expect(row).toMatchObject({
      total_amount: 5,
      date_last_updated: '2026-11-23T12:00:04.000+00:00',
      last_updated: '2026-11-23T08:00:00.000-04:00',
    })
    unindexOrder(index, 1)
    expect(searchOrders(index, query, NOON + 900).total).toBe(0)
  })
})
