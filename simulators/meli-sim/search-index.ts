import type { Order } from './order.ts'
import { indexTime, readTime } from './vendor-time.ts'

/** Search reads this copy, which follows the orders with a lag. */
export interface SearchIndex {
  rows: Map<number, IndexRow>
  byReference: Map<string, Set<number>>
}

interface IndexRow {
  shown: { order: Order; indexedAtMs: number } | null
  waiting: { order: Order; visibleAtMs: number; lagMs: number }[]
}

type IndexedOrder = Order & { date_last_updated: string }

export interface SearchQuery {
  sellerId: number
  externalReference: string | null
  text: string | null
  statuses: string[]
  tags: string[]
  ranges: DateRange[]
  sort: 'date_asc' | 'date_desc' | null
  offset: number
  limit: number
}

export interface DateRange {
  field: 'date_created' | 'date_closed' | 'date_last_updated'
  fromMs: number | null
  toMs: number | null
}

const HOUR_MS = 3_600_000
const RETENTION_MS = 366 * 86_400_000

export function newIndex(): SearchIndex {
  return { rows: new Map(), byReference: new Map() }
}

/** `changedAtMs` is when the order came to this state; search shows it `lagMs` later. */
export function indexOrder(index: SearchIndex, order: Order, { changedAtMs, lagMs }: { changedAtMs: number; lagMs: number }): void {
  const row = index.rows.get(order.id) ?? { shown: null, waiting: [] }
  row.waiting.push({ order, visibleAtMs: changedAtMs + lagMs, lagMs })
  index.rows.set(order.id, row)
  if (order.external_reference === undefined) return
  const ids = index.byReference.get(order.external_reference) ?? new Set()
  ids.add(order.id)
  index.byReference.set(order.external_reference, ids)
}

export function unindexOrder(index: SearchIndex, id: number): void {
  index.rows.delete(id)
  for (const ids of index.byReference.values()) ids.delete(id)
}

/**
 * The vendor's search rules: only this seller's orders of the last 12 months; cancelled ones only when asked for; date filters
 * compare hours, minutes are dropped on both sides; without a sort, `date_closed` ascending.
 */
export function searchOrders(index: SearchIndex, query: SearchQuery, nowMs: number): { total: number; results: IndexedOrder[] } {
  const ids = query.externalReference === null ? index.rows.keys() : (index.byReference.get(query.externalReference) ?? [])
  const found: IndexedOrder[] = []
  for (const id of ids) {
    const row = index.rows.get(id)
    const shown = row && catchUp(row, nowMs)
    if (shown && matches(shown, query, nowMs)) found.push(shown)
  }
  found.sort(byDateClosed(query.sort === 'date_desc' ? -1 : 1))
  return { total: found.length, results: found.slice(query.offset, query.offset + query.limit) }
}

function catchUp(row: IndexRow, nowMs: number): IndexedOrder | null {
  while (row.waiting[0] && row.waiting[0].visibleAtMs <= nowMs) {
    const next = row.waiting.shift()
    if (next) row.shown = { order: next.order, indexedAtMs: readTime(next.order.last_updated) + Math.max(INDEX_DELAY_MS, next.lagMs) }
  }
  return row.shown && { ...row.shown.order, date_last_updated: indexTime(row.shown.indexedAtMs) }
}

/** `date_last_updated` was observed 4 s after `last_updated`; a lag beyond that moves it with it, from the version on, so backdated orders stay in the past. */
const INDEX_DELAY_MS = 4_000

function matches(order: IndexedOrder, query: SearchQuery, nowMs: number): boolean {
  if (order.seller.id !== query.sellerId) return false
  if (nowMs - readTime(order.date_created) > RETENTION_MS) return false
  if (query.statuses.length === 0 ? order.status === 'cancelled' : !query.statuses.includes(order.status)) return false
  if (query.tags.some((tag) => !order.tags.includes(tag))) return false
  if (query.text !== null && !isFoundBy(order, query.text)) return false
  return query.ranges.every((range) => isWithin(order[range.field], range))
}

function isFoundBy(order: Order, text: string): boolean {
  if (String(order.id) === text || String(order.pack_id) === text || order.buyer.nickname === text) return true
  return order.order_items.some((line) => line.item.id === text || line.item.title === text)
}

function isWithin(date: string | null, range: DateRange): boolean {
  if (date === null) return false
  const hour = Math.floor(readTime(date) / HOUR_MS)
  if (range.fromMs !== null && hour < Math.floor(range.fromMs / HOUR_MS)) return false
  return range.toMs === null || hour <= Math.floor(range.toMs / HOUR_MS)
}

function byDateClosed(direction: 1 | -1): (a: Order, b: Order) => number {
  const key = (order: Order) => readTime(order.date_closed ?? order.date_created)
  return (a, b) => direction * (key(a) - key(b) || a.id - b.id)
}
