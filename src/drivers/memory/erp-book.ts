import type { ShownContent } from '../../ports/target.ts'

export interface MemoryErpLine {
  /** The hub's id of it; absent for a line that a person typed. */
  lineId?: string
  /** null is a product without SKU. */
  sku: string | null
  quantity: number
  /** Gross, minor units. */
  unitPriceMinor: number
}

export interface MemoryErpOrder {
  id: string
  name: string
  reference: string
  origin: string
  /** What the hub created it with; null for an order that a person typed. */
  byHub: { channel: string; lines: ShownContent['lines'] } | null
  state: 'draft' | 'sale' | 'cancel'
  lines: MemoryErpLine[]
  currency: string
  messages: string[]
  /** What the hub last wrote: the status it told, and the tracking number that it put on the picking. */
  told: string | null
  tracked: string | null
  picking: { state: 'assigned' | 'done' | 'cancel'; tracking: string } | null
  createdMs: number
  version: string
}

/** The books of an ERP in memory: what its people see and do. Every adapter opened on it shares it. */
export interface MemoryErpBook {
  orders: Map<string, MemoryErpOrder>
  /** Listed gross price and pieces on hand, by SKU. */
  products: Map<string, { priceMinor: number; onHand: number; movedAt: string }>
  partners: Set<string>
  /** The server's time, milliseconds since the epoch. */
  nowMs(): number
  add(order: Partial<MemoryErpOrder> & Pick<MemoryErpOrder, 'lines'>): MemoryErpOrder
  /** Changes an order and gives it a new version. Waits for a write that is still open on it. */
  write(id: string, change: (order: MemoryErpOrder) => void): Promise<MemoryErpOrder>
  /** Opens a write of nothing: its version is of now, and shows after `commit`. */
  hold(id: string): { commit(): Promise<void> }
  /** Puts pieces on hand. */
  stock(sku: string, onHand: number): void
  /** Pieces on hand that no confirmed order waits for, never negative. */
  free(sku: string): number
}

export function memoryErpBook(nowMs: () => number = Date.now): MemoryErpBook {
  const orders: MemoryErpBook['orders'] = new Map()
  const products: MemoryErpBook['products'] = new Map()
  const open = new Map<string, Promise<void>>()
  let lastId = 0

  const moved = (order: MemoryErpOrder): void => {
    for (const { sku } of order.lines) {
      const product = sku === null ? undefined : products.get(sku)
      if (product) product.movedAt = secondOf(nowMs())
    }
  }
  return {
    orders,
    products,
    partners: new Set(),
    nowMs,
    add(given) {
      lastId += 1
      const order = orderOf(String(lastId), nowMs(), given)
      orders.set(order.id, order)
      if (order.state === 'sale') moved(order)
      return order
    },
    async write(id, change) {
      await open.get(id)
      const order = orders.get(id)
      if (!order) throw new Error(`no order ${id}`)
      change(order)
      order.version = secondOf(nowMs())
      moved(order)
      return order
    },
    hold(id) {
      const version = secondOf(nowMs())
      let release = (): void => {}
      open.set(id, new Promise((resolve) => (release = resolve)))
      return {
        commit() {
          const order = orders.get(id)
          if (order) order.version = version
          open.delete(id)
          release()
          return Promise.resolve()
        },
      }
    },
    stock(sku, onHand) {
      products.set(sku, { priceMinor: products.get(sku)?.priceMinor ?? 0, onHand, movedAt: secondOf(nowMs()) })
    },
    free(sku) {
      const waiting = [...orders.values()]
        .filter((order) => order.state === 'sale' && order.picking?.state !== 'done')
        .flatMap((order) => order.lines.filter((line) => line.sku === sku))
        .reduce((pieces, line) => pieces + line.quantity, 0)
      return Math.max(0, Math.floor((products.get(sku)?.onHand ?? 0) - waiting))
    },
  }
}

function orderOf(id: string, atMs: number, given: Parameters<MemoryErpBook['add']>[0]): MemoryErpOrder {
  return {
    id,
    name: `S${id.padStart(5, '0')}`,
    reference: '',
    origin: '',
    byHub: null,
    state: 'draft',
    currency: 'CLP',
    messages: [],
    told: null,
    tracked: null,
    picking: null,
    createdMs: atMs,
    version: secondOf(atMs),
    ...given,
  }
}

/** Whole seconds, as an ERP's write dates are. */
export function secondOf(ms: number): string {
  return new Date(Math.floor(ms / 1000) * 1000).toISOString()
}

export function totalOf(order: Pick<MemoryErpOrder, 'lines'>): number {
  return order.lines.reduce((total, line) => total + Math.round(line.quantity * line.unitPriceMinor), 0)
}

/** Confirms a draft: it gets its picking. */
export function confirmOrder(order: MemoryErpOrder): void {
  if (order.state !== 'draft') return
  order.state = 'sale'
  order.picking = { state: 'assigned', tracking: '' }
}

/** Cancels what is not delivered yet; answers whether it did. */
export function cancelOrder(order: MemoryErpOrder): boolean {
  if (order.picking?.state === 'done') return false
  order.state = 'cancel'
  if (order.picking) order.picking.state = 'cancel'
  return true
}
