import { quantityFrom } from '../../core/money.ts'
import type { Fragment, Identifier } from '../../core/order.ts'
import type { ErpBatch, ErpDoubled, ErpFound, ErpQuarantined, ErpStock, ErpVersion } from '../../ports/erp.ts'
import { type MemoryErpBook, type MemoryErpOrder, secondOf, totalOf } from './erp-book.ts'

const ownOrders = (book: MemoryErpBook): MemoryErpOrder[] => [...book.orders.values()].filter((order) => order.byHub === null)
const versionOf = ({ id, version }: MemoryErpOrder): ErpVersion => ({ erpId: id, version })
const isWithin = (version: string, fromIso: string, toIso: string): boolean =>
  Date.parse(version) >= Date.parse(fromIso) && Date.parse(version) <= Date.parse(toIso)

export function changedOrders(book: MemoryErpBook, fromIso: string, toIso: string): ErpVersion[] {
  return ownOrders(book)
    .filter((order) => isWithin(order.version, fromIso, toIso))
    .map(versionOf)
}

export function createdOrders(book: MemoryErpBook, fromIso: string): ErpVersion[] {
  return ownOrders(book)
    .filter((order) => order.createdMs >= Date.parse(fromIso))
    .map(versionOf)
}

export function changedPickings(
  book: MemoryErpBook,
  { fromIso, toIso, origins }: { fromIso: string; toIso: string; origins: readonly string[] },
): Fragment[] {
  return [...book.orders.values()]
    .filter((order) => order.byHub !== null && order.picking && origins.includes(order.origin) && isWithin(order.version, fromIso, toIso))
    .map(({ id, version, picking }) => ({
      entity: 'picking',
      externalId: id,
      orderKey: id,
      version,
      identifiers: [],
      fulfilment: picking?.state === 'done' ? 'shipped' : picking?.state === 'assigned' ? 'ready_to_ship' : 'none',
      ...(picking?.tracking ? { tracking: picking.tracking } : {}),
    }))
}

export function doubledOrders(book: MemoryErpBook, fromIso: string): ErpDoubled[] {
  const live = [...book.orders.values()].filter(
    (order) => order.createdMs >= Date.parse(fromIso) && order.state !== 'cancel' && order.reference !== '' && order.origin !== '',
  )
  return [...Map.groupBy(live, ({ origin, reference }) => JSON.stringify([origin, reference])).values()].flatMap((same) => {
    const [first] = same
    return first && same.length > 1 ? [{ origin: first.origin, reference: first.reference, erpIds: same.map(({ id }) => id) }] : []
  })
}

export function changedStock(book: MemoryErpBook, fromIso: string, toIso: string): ErpStock[] {
  return [...book.products]
    .filter(([, { movedAt }]) => isWithin(movedAt, fromIso, toIso))
    .map(([sku, { movedAt }]) => ({ sku, quantity: book.free(sku), version: movedAt }))
}

export function readBatch(book: MemoryErpBook, ids: readonly string[]): ErpBatch {
  const batch: ErpBatch = { orders: [], quarantined: [], missing: [] }
  for (const id of ids) {
    const order = book.orders.get(id)
    if (!order) batch.missing.push(id)
    if (!order || order.byHub !== null) continue
    const problem = problemOf(order)
    if (problem) batch.quarantined.push(problem)
    else batch.orders.push({ fragment: fragmentOf(order), personal: { buyerName: `Customer of ${order.name}` } })
  }
  return batch
}

function problemOf(order: MemoryErpOrder): ErpQuarantined | undefined {
  if (order.state === 'cancel') return undefined
  const record = { erpId: order.id, erpName: order.name, version: order.version }
  const [at, line] = [...order.lines.entries()].find(([, one]) => one.sku === null || one.quantity <= 0) ?? []
  if (at === undefined || !line) return undefined
  return line.sku === null
    ? { ...record, field: `order_line[${at + 1}].product_id.default_code`, problem: 'the product has no SKU' }
    : { ...record, field: `order_line[${at + 1}].product_uom_qty`, problem: 'the quantity is not positive' }
}

function fragmentOf(order: MemoryErpOrder): Fragment {
  const { id, name, reference, state, picking } = order
  const number = /^ML-(\d+)$/.exec(reference)?.[1]
  const identifiers: Identifier[] = [
    { kind: 'erp-id', value: id },
    { kind: 'erp-name', value: name },
    { kind: 'reference', value: `ODOO-${id}` },
    ...(reference === '' ? [] : [{ kind: 'client-order-ref' as const, value: reference }]),
    ...(number === undefined ? [] : [{ kind: 'bare' as const, value: number }]),
  ]
  return {
    entity: 'order',
    externalId: id,
    orderKey: id,
    version: order.version,
    identifiers,
    payment: 'paid',
    lifecycle: state === 'cancel' ? 'cancelled' : 'open',
    fulfilment: picking?.state === 'done' ? 'shipped' : state === 'sale' ? 'to_prepare' : 'none',
    currency: order.currency,
    totalMinor: totalOf(order),
    lines: order.lines.flatMap(({ sku, quantity, unitPriceMinor }, i) =>
      sku === null ? [] : [{ lineId: `${id}-${i + 1}`, sku, quantity: quantityFrom(quantity) ?? '0', unitPriceMinor }],
    ),
    ...(picking?.tracking ? { tracking: picking.tracking } : {}),
    confirmed: state === 'sale',
    createdAt: secondOf(order.createdMs),
    rawStatus: state,
  }
}

export function findOrders(book: MemoryErpBook, typed: string): ErpFound[] {
  const text = typed.trim().toUpperCase()
  if (text === '') return []
  return [...book.orders.values()]
    .filter(({ id, name, reference }) => [`ODOO-${id}`, name, reference.toUpperCase()].includes(text) || reference === `ML-${text}`)
    .map(({ id, name, reference, state, version }) => ({ erpId: id, erpName: name, reference: reference || null, state, version }))
}
