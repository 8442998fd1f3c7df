import type { Ledger, LedgerRecord } from '../ledger.ts'
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
export interface OrderStore {
  find(id: string): ParisOrder | null
  /** The first order that got this reference. */
  findByReference(reference: string): ParisOrder | null
  /** Newest first; orders still in the search lag are left out. */
  list(page: { limit: number; offset: number; reference?: string | undefined }): ParisOrder[]
  /** The order is there when this returns; `saved` resolves when the ledger has it. */
  create(draft: NewOrder, author: Author, visibleAfterMs?: number): { order: ParisOrder; saved: Promise<number> }
  /** `seq` is the number of the ledger line. Null when there is no such order. */
  change(id: string, change: { act: OrderAct; patch: OrderPatch }, author: Author): Promise<{ order: ParisOrder; seq: number } | null>
  /** The order as it was; null when there is no such order. */
  remove(id: string, author: Author): Promise<ParisOrder | null>
}

export function createOrderStore(ledger: Ledger): OrderStore {
  const orders = new Map<string, ParisOrder>()
  // Oldest first by creation time; orders of the past may be put in between.
  const ids: string[] = []
  const byReference = new Map<string, Set<string>>()
  const visibleFrom = new Map<string, number>()
  let lastNumber = 0

  function put(order: ParisOrder): void {
    lastNumber = Math.max(lastNumber, Number(order.id.slice(2)) || 0)
    if (!orders.has(order.id)) {
      const before = ids.findLastIndex((id) => (orders.get(id)?.created_at ?? '') <= order.created_at)
      ids.splice(before + 1, 0, order.id)
    }
    const old = orders.get(order.id)
    if (old !== undefined && old.external_ref !== order.external_ref) forget(old)
    if (order.external_ref !== null) byReference.set(order.external_ref, (byReference.get(order.external_ref) ?? new Set()).add(order.id))
    orders.set(order.id, order)
  }
  function forget(order: ParisOrder): void {
    if (order.external_ref !== null) byReference.get(order.external_ref)?.delete(order.id)
  }
  function drop(id: string): void {
    const old = orders.get(id)
    if (old !== undefined) forget(old)
    orders.delete(id)
    ids.splice(ids.indexOf(id), 1)
  }
  function write(act: OrderAct, order: ParisOrder, author: Author): Promise<number> {
    return ledger.append({ kind: 'order', act, id: order.id, reference: order.external_ref, ...author, order })
  }

  for (const entry of ledger.entries()) {
    if (entry.kind !== 'order') continue
    if (entry.act === 'deleted') drop(entry.id)
    else put(entry.order as ParisOrder)
  }

  return {
    find: (id) => orders.get(id) ?? null,
    findByReference(reference) {
      const [id] = byReference.get(reference) ?? []
      return id === undefined ? null : (orders.get(id) ?? null)
    },
    list({ limit, offset, reference }) {
      const now = Date.now()
      const among = reference === undefined ? ids : [...(byReference.get(reference) ?? [])]
      const shown: ParisOrder[] = []
      let skipped = 0
      for (let at = among.length - 1; at >= 0 && shown.length < limit; at -= 1) {
        const order = orders.get(among[at] ?? '')
        if (order === undefined || (visibleFrom.get(order.id) ?? 0) > now) continue
        if (skipped < offset) skipped += 1
        else shown.push(order)
      }
      return shown
    },
    create(draft, author, visibleAfterMs = 0) {
      const now = new Date().toISOString()
      const created = draft.created_at ?? now
      const order: ParisOrder = {
        id: `p-${lastNumber + 1}`,
        buyer: draft.buyer,
        status: draft.status ?? 'created',
        external_ref: draft.external_ref ?? null,
        items: draft.items,
        created_at: created,
        updated_at: created,
      }
      put(order)
      if (visibleAfterMs > 0) visibleFrom.set(order.id, Date.now() + visibleAfterMs)
      return { order, saved: write('created', order, author) }
    },
    async change(id, { act, patch }, author) {
      const known = orders.get(id)
      if (known === undefined) return null
      const order = { ...known, ...withoutUndefined(patch), updated_at: new Date().toISOString() }
      put(order)
      return { order, seq: await write(act, order, author) }
    },
    async remove(id, author) {
      const known = orders.get(id)
      if (known === undefined) return null
      drop(id)
      await write('deleted', known, author)
      return known
    },
  }
}

function withoutUndefined(patch: OrderPatch): Partial<ParisOrder> {
  return Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined)) as Partial<ParisOrder>
}
