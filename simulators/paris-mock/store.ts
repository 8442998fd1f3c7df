import type { Ledger, LedgerRecord } from '../ledger.ts'
import { createOrderBook } from './order-book.ts'
import type { OrderBook } from './order-book.ts'
import type { OrderDraft, ParisItem, ParisOrder } from './order.ts'

type OrderAct = (LedgerRecord & { kind: 'order' })['act']

export interface Author {
  by: 'client' | 'admin'
  requestId: string | null
}

export interface NewOrder extends OrderDraft {
  status?: string | undefined
  created_at?: string | undefined
}

export interface OrderPatch {
  buyer?: string | undefined
  status?: string | undefined
  items?: ParisItem[] | undefined
  external_ref?: string | null | undefined
}

/** The orders of the mock. Memory changes at once, so that two equal requests see each other; promises resolve when the ledger has it. */
export interface OrderStore extends Pick<OrderBook, 'find' | 'findByReference' | 'list'> {
  /** The order is there when this returns; `saved` resolves when the ledger has it. */
  create(draft: NewOrder, author: Author, visibleAfterMs?: number): { order: ParisOrder; saved: Promise<number> }
  /** `seq` is the number of the ledger line. Null when there is no such order. */
  change(id: string, change: { act: OrderAct; patch: OrderPatch }, author: Author): Promise<{ order: ParisOrder; seq: number } | null>
  /** The order as it was; null when there is no such order. */
  remove(id: string, author: Author): Promise<ParisOrder | null>
}

export function createOrderStore(ledger: Ledger): OrderStore {
  const book = replay(ledger)
  const write = (act: OrderAct, order: ParisOrder, author: Author) =>
    ledger.append({ kind: 'order', act, id: order.id, reference: order.external_ref, ...author, order })

  return {
    find: (id) => book.find(id),
    findByReference: (reference) => book.findByReference(reference),
    list: (page) => book.list(page),
    create(draft, author, visibleAfterMs = 0) {
      const created = draft.created_at ?? new Date().toISOString()
      const order: ParisOrder = {
        id: book.nextId(),
        buyer: draft.buyer,
        status: draft.status ?? 'created',
        external_ref: draft.external_ref ?? null,
        items: draft.items,
        created_at: created,
        updated_at: created,
      }
      book.put(order)
      if (visibleAfterMs > 0) book.hideUntil(order.id, Date.now() + visibleAfterMs)
      return { order, saved: write('created', order, author) }
    },
    async change(id, { act, patch }, author) {
      const known = book.find(id)
      if (known === null) return null
      const order = { ...known, ...withoutUndefined(patch), updated_at: new Date().toISOString() }
      book.put(order)
      return { order, seq: await write(act, order, author) }
    },
    async remove(id, author) {
      const known = book.find(id)
      if (known === null) return null
      book.remove(id)
      await write('deleted', known, author)
      return known
    },
  }
}

function replay(ledger: Ledger): OrderBook {
  const book = createOrderBook()
  for (const entry of ledger.entries()) {
    if (entry.kind !== 'order') continue
    if (entry.act === 'deleted') book.remove(entry.id)
    else book.put(entry.order as ParisOrder)
  }
  return book
}

function withoutUndefined(patch: OrderPatch): Partial<ParisOrder> {
  return Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined)) as Partial<ParisOrder>
}
