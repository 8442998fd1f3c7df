import type { ParisOrder } from './order.ts'

/** The orders in memory, by id, by reference and by age. */
export interface OrderBook {
  /** Adds the order, or replaces the one with its id. */
  put(order: ParisOrder): void
  remove(id: string): void
  find(id: string): ParisOrder | null
  /** The first order that got this reference. */
  findByReference(reference: string): ParisOrder | null
  /** Newest first; orders that are still hidden are left out. */
  list(page: OrderPage): ParisOrder[]
  /** Keeps the order out of lists until then, milliseconds since the epoch. */
  hideUntil(id: string, instantMs: number): void
  /** Counts up and never gives an id twice, removed orders included. */
  nextId(): string
}

export interface OrderPage {
  limit: number
  offset: number
  reference?: string | undefined
}

export function createOrderBook(): OrderBook {
  const orders = new Map<string, ParisOrder>()
  // Oldest first by creation time; orders of the past may be put in between.
  const ids: string[] = []
  const byReference = new Map<string, Set<string>>()
  const visibleFrom = new Map<string, number>()
  let lastNumber = 0

  function forgetReference(id: string): void {
    const reference = orders.get(id)?.external_ref
    if (typeof reference === 'string') byReference.get(reference)?.delete(id)
  }

  return {
    put(order) {
      lastNumber = Math.max(lastNumber, Number(order.id.slice(2)))
      const known = orders.get(order.id)
      if (known === undefined) {
        const before = ids.findLastIndex((id) => (orders.get(id)?.created_at ?? '') <= order.created_at)
        ids.splice(before + 1, 0, order.id)
      }
      if (known?.external_ref !== order.external_ref) forgetReference(order.id)
      if (order.external_ref !== null) byReference.set(order.external_ref, (byReference.get(order.external_ref) ?? new Set()).add(order.id))
      orders.set(order.id, order)
    },
    remove(id) {
      forgetReference(id)
      orders.delete(id)
      ids.splice(ids.indexOf(id), 1)
    },
    find: (id) => orders.get(id) ?? null,
    findByReference(reference) {
      const [id] = byReference.get(reference) ?? []
      return id === undefined ? null : (orders.get(id) ?? null)
    },
    list: ({ limit, offset, reference }) => {
      const among = reference === undefined ? ids : [...(byReference.get(reference) ?? [])]
      return newestOf(among, { limit, offset }, (id) => ((visibleFrom.get(id) ?? 0) > Date.now() ? undefined : orders.get(id)))
    },
    hideUntil: (id, instantMs) => void visibleFrom.set(id, instantMs),
    nextId: () => `p-${lastNumber + 1}`,
  }
}

function newestOf(ids: readonly string[], page: OrderPage, shown: (id: string) => ParisOrder | undefined): ParisOrder[] {
  const found: ParisOrder[] = []
  let skipped = 0
  for (let at = ids.length - 1; at >= 0 && found.length < page.limit; at -= 1) {
    const order = shown(ids[at] ?? '')
    if (order === undefined) continue
    if (skipped < page.offset) skipped += 1
    else found.push(order)
  }
  return found
}
