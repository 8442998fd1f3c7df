import type { Answer, Call, Route } from './call.ts'
import { idParam, jsonOf } from './call.ts'
import type { Order } from './order.ts'
import type { Pack } from './pack.ts'
import { packView } from './pack.ts'
import type { DateRange } from './search-index.ts'
import { searchOrders } from './search-index.ts'
import type { Sim } from './sim.ts'
import { saveState } from './sim.ts'
import { notOwnedOrder, orderNotFound, refusal } from './vendor-error.ts'
import { readTime, vendorTime } from './vendor-time.ts'
import type { OrderNote } from './world.ts'
import { nextId } from './world.ts'

export const orderRoutes: Route[] = [
  { method: 'GET', url: '/orders/search', access: 'seller', answer: search },
  { method: 'GET', url: '/orders/:id', access: 'seller', answer: order },
  { method: 'GET', url: '/packs/:id', access: 'seller', answer: pack },
  { method: 'GET', url: '/orders/:id/notes', access: 'seller', answer: notes },
  { method: 'POST', url: '/orders/:id/notes', access: 'seller', answer: addNote },
]

/** One page at most, as the vendor. */
const PAGE_SIZE = 50
const DATE_FIELDS = ['date_created', 'date_closed', 'date_last_updated'] as const

/** The caller's order; not there yet while it propagates. */
export function ownOrder(sim: Sim, call: Call, id: number): Order {
  const found = sim.world.orders.get(id)
  if (!found || isPropagating(sim, readTime(found.date_created))) throw orderNotFound()
  if (found.seller.id !== call.seller.user_id) throw notOwnedOrder()
  return found
}

export function isPropagating(sim: Sim, createdMs: number): boolean {
  return sim.settings.propagationMs > 0 && sim.nowMs() - createdMs < sim.settings.propagationMs
}

function order(sim: Sim, call: Call): Answer {
  const found = ownOrder(sim, call, idParam(call, 'id', 'invalid_order_id'))
  const partial = sim.partials.find((one) => one.left > 0 && one.path.test(call.path))
  if (!partial) return { status: 200, body: found }
  partial.left -= 1
  const body: Record<string, unknown> = { ...found }
  for (const field of partial.missing) {
    if (partial.as === 'absent') delete body[field]
    else body[field] = null
  }
  return { status: 206, body, headers: { 'x-content-missing': partial.missing.join(', ') } }
}

/** Refusals speak of an order even for a pack, as at the vendor. */
function pack(sim: Sim, call: Call): Answer {
  const found: Pack | undefined = sim.world.packs.get(idParam(call, 'id', 'invalid_order_id'))
  if (!found) throw orderNotFound()
  if (found.seller_id !== call.seller.user_id) throw notOwnedOrder()
  return { status: 200, body: packView(found) }
}

function search(sim: Sim, call: Call): Answer {
  const { query } = call
  const seller = query.get('seller')
  if (seller === null || !/^\d+$/.test(seller)) throw refusal(400, 'bad_request', 'seller is a required parameter: the id of the seller')
  if (Number(seller) !== call.seller.user_id) throw refusal(403, 'caller.id.invalid', 'Caller.id must be equal to the seller')
  const sort = query.get('sort')
  if (sort !== null && sort !== 'date_asc' && sort !== 'date_desc') throw refusal(400, 'bad_request', 'sort must be date_asc or date_desc')
  const offset = wholeNumber(query.get('offset'), 'offset', 0)
  const limit = Math.min(wholeNumber(query.get('limit'), 'limit', PAGE_SIZE), PAGE_SIZE)
  const found = searchOrders(
    sim.world.index,
    {
      sellerId: call.seller.user_id,
      externalReference: query.get('external_reference'),
      text: query.get('q'),
      statuses: list(query.get('order.status')),
      tags: list(query.get('tags')),
      ranges: DATE_FIELDS.map((field) => range(query, field)).filter((one) => one.fromMs !== null || one.toMs !== null),
      sort,
      offset,
      limit,
    },
    sim.nowMs(),
  )
  const id = sort ?? 'date_closed_asc'
  const body = {
    query: query.get('q') ?? '',
    results: found.results,
    sort: { id, name: id },
    available_sorts: [
      { id: 'date_asc', name: 'Date ascending' },
      { id: 'date_desc', name: 'Date descending' },
    ],
    filters: [],
    paging: { total: found.total, offset, limit },
    display: 'complete',
  }
  return { status: 200, body }
}

function range(query: URLSearchParams, field: DateRange['field']): DateRange {
  const bound = (end: 'from' | 'to') => {
    const text = query.get(`order.${field}.${end}`)
    if (text === null) return null
    const at = readTime(text)
    if (Number.isNaN(at)) throw refusal(400, 'bad_request', `order.${field}.${end} must be an ISO 8601 date: ${text.slice(0, 40)}`)
    return at
  }
  return { field, fromMs: bound('from'), toMs: bound('to') }
}

function notes(sim: Sim, call: Call): Answer {
  const { id } = ownOrder(sim, call, idParam(call, 'id', 'invalid_order_id'))
  return { status: 200, body: [{ order_id: id, results: sim.world.notes.get(id) ?? [] }] }
}

/** Not idempotent: the same note twice is two notes. */
function addNote(sim: Sim, call: Call): Answer {
  const { id } = ownOrder(sim, call, idParam(call, 'id', 'invalid_order_id'))
  const text = (jsonOf(call) as { note?: unknown } | null)?.note
  if (typeof text !== 'string' || text === '') throw refusal(400, 'bad_request', 'note must be a text that is not empty')
  if (text.length > 300) throw refusal(400, 'bad_request', 'note must not be longer than 300 characters')
  const at = vendorTime(sim.nowMs())
  const count = nextId(sim.world, 'note')
  saveState(sim, 'counter:note', count)
  const note: OrderNote = { id: `62b0${String(count).padStart(20, '0')}`, note: text, date_created: at, date_last_updated: at }
  const all = [...(sim.world.notes.get(id) ?? []), note]
  sim.world.notes.set(id, all)
  saveState(sim, `notes:${id}`, all)
  call.note('note-added', id)
  return { status: 201, body: { note } }
}

function wholeNumber(text: string | null, name: string, fallback: number): number {
  if (text === null) return fallback
  if (!/^\d{1,9}$/.test(text)) throw refusal(400, 'bad_request', `${name} must be a whole number: ${text.slice(0, 40)}`)
  return Number(text)
}

function list(text: string | null): string[] {
  return text === null || text === '' ? [] : text.split(',')
}
