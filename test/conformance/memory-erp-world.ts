import { memoryErp } from '../../src/drivers/memory/erp.ts'
import { cancelOrder, confirmOrder, memoryErpBook, type MemoryErpBook, totalOf } from '../../src/drivers/memory/erp-book.ts'
import type { ErpWorld, Person } from './erp-world.ts'

const SKUS = ['CONF-A', 'CONF-B'] as const
const LISTED_MINOR = 11_900

export interface MemoryErpWorld extends ErpWorld {
  book: MemoryErpBook
}

/** The ERP in memory, with people in it. */
export function memoryErpWorld(): MemoryErpWorld {
  const book = memoryErpBook()
  for (const sku of SKUS) book.products.set(sku, { priceMinor: LISTED_MINOR, onHand: 200, movedAt: new Date(0).toISOString() })
  return {
    book,
    skus: SKUS,
    listedMinor: LISTED_MINOR,
    refusesLateCancel: true,
    keepsDemand: false,
    person: personOf(book),
    open: ({ partner, writeTimeoutMs, password, database } = {}) => {
      const failsWith = password !== undefined ? ('unauthorized' as const) : database !== undefined ? ('unavailable' as const) : undefined
      return Promise.resolve(
        memoryErp(book, {
          ...(partner === undefined ? {} : { partner }),
          ...(writeTimeoutMs === undefined ? {} : { writeTimeoutMs }),
          ...(failsWith === undefined ? {} : { failsWith }),
        }),
      )
    },
    close: () => Promise.resolve(),
  }
}

function personOf(book: MemoryErpBook): Person {
  const orderOf = (id: string) => {
    const order = book.orders.get(id)
    if (!order) throw new Error(`no order ${id}`)
    return order
  }
  const write = async (...all: Parameters<MemoryErpBook['write']>): Promise<void> => void (await book.write(...all))
  return {
    createOrder({ reference = '', origin = '', confirmed, lines }) {
      const order = book.add({ reference, origin, lines: lines.map(({ price, ...line }) => ({ ...line, unitPriceMinor: price })) })
      return confirmed ? write(order.id, confirmOrder).then(() => order.id) : Promise.resolve(order.id)
    },
    confirm: (id) => write(id, confirmOrder),
    cancel: (id) => write(id, (order) => void cancelOrder(order)),
    deliver: (id) => write(id, (order) => void (order.picking = { tracking: '', ...order.picking, state: 'done' })),
    remove: (id) => Promise.resolve(void book.orders.delete(id)),
    touch: (id) => write(id, () => undefined),
    setQuantity: (id, sku, quantity) =>
      write(id, (order) => {
        for (const line of order.lines) if (line.sku === sku) line.quantity = quantity
      }),
    setTracking: (id, tracking) => write(id, (order) => void (order.picking = { state: 'assigned', ...order.picking, tracking })),
    setStock: (sku, quantity) => Promise.resolve(book.stock(sku, quantity)),
    holdWrite: (id) => Promise.resolve(book.hold(id)),
    see(id) {
      const { state, reference, origin, messages, picking } = orderOf(id)
      const pickings = picking ? [{ ...picking }] : []
      const lines = orderOf(id).lines.map(({ sku, quantity }) => ({ sku: sku ?? '', quantity }))
      const waiting = picking?.state === 'assigned' ? lines.filter((line) => line.quantity > 0) : []
      const toDeliver = Object.fromEntries(waiting.map(({ sku, quantity }) => [sku, quantity]))
      const seen = {
        state,
        totalMinor: totalOf(orderOf(id)),
        reference,
        origin,
        note: '',
        messages: [...messages],
        pickings,
        lines,
        toDeliver,
      }
      return Promise.resolve(seen)
    },
    countByReference: (reference) => Promise.resolve([...book.orders.values()].filter((order) => order.reference === reference).length),
  }
}
