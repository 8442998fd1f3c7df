import type { DesiredOrder } from '../../core/desired.ts'
import type { Operation } from '../../core/delivery.ts'
import { IntegrationError } from '../../core/integration-error.ts'
import { quantityFrom } from '../../core/money.ts'
import type { Erp } from '../../ports/erp.ts'
import type { Sent, Shown, Wanted } from '../../ports/target.ts'
import { cancelOrder, confirmOrder, type MemoryErpBook, type MemoryErpLine, type MemoryErpOrder, totalOf } from './erp-book.ts'
import { type HeldLine, lineChanges, nextErpStep, noteOf, noteText } from './erp-step.ts'
import { changedPickings, changedOrders, changedStock, createdOrders, doubledOrders, findOrders, readBatch } from './erp-reading.ts'

export interface MemoryErpOptions {
  /** The generic customer of a marketplace; created by a request of its own. */
  partner?: string
  /** How long a write may wait for another one, milliseconds. */
  writeTimeoutMs?: number
  /** Every call fails with it, as one with a wrong credential or database would. */
  failsWith?: 'unauthorized' | 'unavailable'
}

const MOST_IDS = 200

/** An ERP in memory, for flow tests. What it is told stands in `book`, which several adapters may share. */
export function memoryErp(book: MemoryErpBook, options: MemoryErpOptions = {}): Erp {
  async function ask<T>(signal: AbortSignal, answer: () => T): Promise<T> {
    if (options.failsWith) throw new IntegrationError(options.failsWith, { summary: `told to fail with ${options.failsWith}` })
    if (signal.aborted) throw new IntegrationError('no-answer', { summary: 'the call was given up' })
    return answer()
  }
  return {
    channel: 'odoo',
    looksFirst: true, // a person may have created it
    serverTime: (signal) => ask(signal, () => new Date(book.nowMs()).toISOString()),
    changedOrders: (fromIso, toIso, signal) => ask(signal, () => changedOrders(book, fromIso, toIso)),
    orderVersionsSince: (fromIso, signal) => ask(signal, () => createdOrders(book, fromIso)),
    doubledOrders: (fromIso, signal) => ask(signal, () => doubledOrders(book, fromIso)),
    async readOrders(ids, signal) {
      if (ids.length > MOST_IDS) throw new RangeError(`${ids.length} ids in one call, at most ${MOST_IDS} are read`)
      return ask(signal, () => readBatch(book, ids))
    },
    changedPickings: (window, signal) => ask(signal, () => changedPickings(book, window)),
    changedStock: (fromIso, toIso, signal) => ask(signal, () => changedStock(book, fromIso, toIso)),
    find: (typed, signal) => ask(signal, () => findOrders(book, typed)),
    health: (signal) =>
      ask(signal, () => ({
        version: '1.0',
        transport: 'json-2',
        database: 'memory',
        user: 'hub@example.com',
        keyExpiresAt: null,
        problems: [],
      })),
    lookUp: (wanted, log, signal) => log.read('look up', () => ask(signal, () => shownOf(orderOf(book, wanted)))),
    next: nextErpStep,
    send: async (...[wanted, operation, , , signal, isLate]) => {
      await ask(signal, () => undefined)
      if (isLate?.()) throw new IntegrationError('unreachable', { summary: 'not sent: too late after its intent' })
      if (wanted.desired.kind !== 'order') throw new IntegrationError('unsupported', { summary: 'the ERP is told no stock' })
      const desired = wanted.desired
      const work = operation === 'create' ? create(book, wanted, desired, options) : amend(book, wanted, desired, operation)
      return inTime(work, options.writeTimeoutMs ?? 5_000)
    },
  }
}

// An order of the ERP itself is found by its own id, one of the hub's only where both id and reference are right.
function orderOf(book: MemoryErpBook, { desired, externalId, reference }: Wanted): MemoryErpOrder | undefined {
  if (desired.kind !== 'order') return undefined
  if (desired.origin === 'odoo') return book.orders.get(desired.orderKey)
  // Two accounts may number their orders alike: the channel is part of the name.
  const ours = [...book.orders.values()].find((order) => order.byHub?.channel === desired.origin && order.reference === reference)
  return externalId === null || ours?.id === externalId ? ours : undefined
}

function shownOf(order: MemoryErpOrder | undefined): Shown {
  if (!order) return { kind: 'absent' }
  const { id, state, currency, picking, tracked, told, byHub } = order
  const held = order.lines.map(heldLine)
  const lines = held.filter((line) => line.quantity !== '0').map(({ sku, quantity, unitPriceMinor }) => ({ sku, quantity, unitPriceMinor }))
  return {
    kind: 'found',
    externalId: id,
    content: {
      lifecycle: state === 'cancel' ? 'cancelled' : 'open',
      fulfilment: null,
      currency,
      totalMinor: totalOf(order),
      lines,
      extra: {
        state,
        delivered: picking?.state === 'done',
        tracking: picking?.tracking ?? null,
        tracked,
        told,
        edited: byHub !== null && JSON.stringify(byHub.lines) !== JSON.stringify(lines),
        held: JSON.stringify(held),
      },
    },
  }
}

function heldLine({ lineId, sku, quantity, unitPriceMinor }: MemoryErpLine): HeldLine {
  return { lineId: lineId ?? null, sku: sku ?? '', quantity: quantityFrom(quantity) ?? '0', unitPriceMinor }
}

async function create(
  book: MemoryErpBook,
  wanted: Wanted,
  desired: DesiredOrder,
  { partner = 'Customer' }: MemoryErpOptions,
): Promise<Sent> {
  if (!book.partners.has(partner)) {
    book.partners.add(partner)
    return { externalId: null, shown: { kind: 'absent' } }
  }
  const lines = desired.lines.map((line) => lineFor(book, line))
  if (orderOf(book, wanted)) throw new IntegrationError('conflict', { summary: 'the order is there already' })
  const order = book.add({
    lines,
    reference: wanted.reference,
    origin: desired.origin,
    byHub: { channel: desired.origin, lines: asWritten(lines) },
    currency: desired.currency ?? 'CLP',
  })
  return { externalId: order.id, shown: shownOf(order) }
}

function lineFor(book: MemoryErpBook, { lineId, sku, quantity, unitPriceMinor }: DesiredOrder['lines'][number]): MemoryErpLine {
  const product = book.products.get(sku)
  if (product) return { lineId, sku, quantity: Number(quantity), unitPriceMinor: unitPriceMinor ?? product.priceMinor }
  throw new IntegrationError('rejected', { causeCode: 'sku-unknown', summary: `the ERP has no product with the SKU ${sku}` })
}

function asWritten(lines: readonly MemoryErpLine[]): { sku: string; quantity: string; unitPriceMinor: number }[] {
  return lines
    .filter((line) => line.quantity !== 0)
    .map(heldLine)
    .map(({ sku, quantity, unitPriceMinor }) => ({ sku, quantity, unitPriceMinor }))
}

// Decided anew from what is there: what another sender appended meanwhile is not appended again.
function writeLines(book: MemoryErpBook, order: MemoryErpOrder, desired: DesiredOrder): void {
  const { missing, surplus } = lineChanges(desired, order.lines.map(heldLine))
  order.lines.push(...missing.map((line) => lineFor(book, line)))
  for (const line of order.lines) if (surplus.some((one) => one.lineId === line.lineId)) line.quantity = 0
  if (order.byHub) order.byHub.lines = asWritten(order.lines)
}

async function amend(book: MemoryErpBook, wanted: Wanted, desired: DesiredOrder, operation: Operation): Promise<Sent> {
  const known = orderOf(book, wanted)
  if (!known) throw new IntegrationError('not-found', { summary: 'the order is not there' })
  if (operation === 'cancel' && known.picking?.state === 'done') return { externalId: known.id, shown: null } // it only asks a person
  const order = await book.write(known.id, (one) => {
    if (operation === 'confirm') confirmOrder(one)
    else if (operation === 'cancel') cancelOrder(one)
    else if (operation === 'update') writeLines(book, one, desired)
    else if (operation === 'note') {
      one.told = noteOf(desired)
      one.messages.push(noteText(wanted.reference, desired))
    } else if (operation === 'track' && one.picking) {
      one.picking.tracking = desired.tracking ?? ''
      one.tracked = desired.tracking
    } else throw new IntegrationError('unsupported', { summary: `the ERP takes no ${operation}` })
  })
  return { externalId: order.id, shown: shownOf(order) }
}

// What is too late for its caller may still land.
async function inTime<T>(work: Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new IntegrationError('no-answer', { summary: `no answer within ${limitMs} ms` })), limitMs)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
    work.catch(() => undefined) // its caller has an answer already
  }
}
