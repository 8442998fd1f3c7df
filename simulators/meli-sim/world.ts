import type { LedgerEntry } from '../ledger.ts'
import type { Account, AuthorizationCode } from './account.ts'
import type { Item } from './item.ts'
import type { Notification } from './notification.ts'
import type { Callback } from './notifier.ts'
import type { Order } from './order.ts'
import type { Pack } from './pack.ts'
import { indexOrder, newIndex, unindexOrder } from './search-index.ts'
import type { SearchIndex } from './search-index.ts'
import type { Shipment } from './shipment.ts'

/** Everything the simulator knows, in memory; the ledger is where it comes back from. */
export interface World {
  accounts: Map<number, Account>
  codes: Map<string, AuthorizationCode>
  orders: Map<number, Order>
  deletedOrders: Set<number>
  packs: Map<number, Pack>
  shipments: Map<number, Shipment>
  shipmentsByOrder: Map<number, Set<number>>
  items: Map<string, Item>
  itemsBySku: Map<string, Item>
  itemsByUserProduct: Map<string, Item>
  notes: Map<number, OrderNote[]>
  fiscalDocuments: Map<number, FiscalDocument[]>
  notifications: Map<number, Notification>
  callback: Callback | null
  index: SearchIndex
  /** Idempotency-Key of a create -> order id. */
  byIdempotencyKey: Map<string, number>
  tokenRequests: TokenRequests
  unknownSkus: Set<string>
  refusedReferences: Map<string, { status: number; message: string }>
  counters: Map<string, number>
}

export interface OrderNote {
  id: string
  note: string
  date_created: string
  date_last_updated: string
}

export interface FiscalDocument {
  id: string
  filename: string
  file_type: string
  bytes: number
  date: string
}

interface TokenRequests {
  total: number
  authorization_code: number
  refresh_token: number
  refused: number
}

/** First values follow the magnitude of the vendor's ids: all above 2^31. */
const FIRST = {
  order: 2_000_009_047_700_000,
  pack: 2_000_006_181_500_000,
  shipment: 43_729_500_000,
  payment: 84_000_000_000,
  buyer: 1_944_600_000,
  item: 1_500_000_000,
  userProduct: 300_000_000,
  notification: 1,
  secret: 1,
  note: 1,
  document: 1,
} as const
type Counter = keyof typeof FIRST

export function newWorld(): World {
  return {
    accounts: new Map(),
    codes: new Map(),
    orders: new Map(),
    deletedOrders: new Set(),
    packs: new Map(),
    shipments: new Map(),
    shipmentsByOrder: new Map(),
    items: new Map(),
    itemsBySku: new Map(),
    itemsByUserProduct: new Map(),
    notes: new Map(),
    fiscalDocuments: new Map(),
    notifications: new Map(),
    callback: null,
    index: newIndex(),
    byIdempotencyKey: new Map(),
    tokenRequests: { total: 0, authorization_code: 0, refresh_token: 0, refused: 0 },
    unknownSkus: new Set(),
    refusedReferences: new Map(),
    counters: new Map(),
  }
}

/** The next id of its kind. Ids are counters: the same calls give the same ids. */
export function nextId(world: World, counter: Counter): number {
  const id = (world.counters.get(counter) ?? FIRST[counter]) + 1
  world.counters.set(counter, id)
  return id
}

function sawId(world: World, counter: Counter, id: number): void {
  if (id > (world.counters.get(counter) ?? FIRST[counter])) world.counters.set(counter, id)
}

/** Rebuilds the world from the ledger of an earlier run. */
export function replay(world: World, entries: readonly LedgerEntry[], searchLagMs: number): void {
  for (const entry of entries) {
    if (entry.kind === 'order') applyOrderEntry(world, entry, searchLagMs)
    if (entry.kind === 'stock') putItem(world, entry.stock as Item)
    if (entry.kind === 'account') world.accounts.set(Number(entry.id), entry.state as Account)
    if (entry.kind === 'state') applyState(world, entry.id, entry.state)
  }
}

export function putItem(world: World, item: Item): void {
  world.items.set(item.id, item)
  world.itemsBySku.set(skuKey(item.seller_id, item.sku), item)
  world.itemsByUserProduct.set(item.user_product_id, item)
  sawId(world, 'item', Number(item.id.slice(3)))
  sawId(world, 'userProduct', Number(item.user_product_id.slice(4)))
}

export function putShipment(world: World, shipment: Shipment): void {
  world.shipments.set(shipment.id, shipment)
  for (const orderId of shipment.order_ids) {
    const ids = world.shipmentsByOrder.get(orderId) ?? new Set()
    world.shipmentsByOrder.set(orderId, ids.add(shipment.id))
  }
}

export function skuKey(sellerId: number, sku: string): string {
  return `${sellerId} ${sku}`
}

/** The ledger's snapshot of an order: the vendor's shape, with what its shipment shows beside it. */
export function snapshot(world: World, order: Order): Record<string, unknown> {
  const shipment = order.shipping.id === null ? undefined : world.shipments.get(order.shipping.id)
  return {
    ...order,
    external_reference: order.external_reference ?? null,
    shipment_status: shipment?.status ?? null,
    shipment_substatus: shipment?.substatus ?? null,
    tracking_number: shipment?.tracking_number ?? null,
  }
}

function fromSnapshot(stored: unknown): Order {
  const fields = Object.entries(stored as Record<string, unknown>)
  const own = fields.filter(([name, value]) => !SHIPMENT_FIELDS.includes(name) && !(name === 'external_reference' && value === null))
  return Object.fromEntries(own) as unknown as Order
}

/** What a snapshot holds beside the order. */
const SHIPMENT_FIELDS = ['shipment_status', 'shipment_substatus', 'tracking_number']

function applyOrderEntry(world: World, entry: Extract<LedgerEntry, { kind: 'order' }>, searchLagMs: number): void {
  const order = fromSnapshot(entry.order)
  sawId(world, 'order', order.id)
  sawId(world, 'buyer', order.buyer.id)
  for (const payment of order.payments) sawId(world, 'payment', payment.id)
  if (entry.act === 'deleted') {
    forgetOrder(world, order.id)
    return
  }
  world.orders.set(order.id, order)
  indexOrder(world.index, order, { changedAtMs: Date.parse(entry.at), lagMs: searchLagMs })
}

export function forgetOrder(world: World, id: number): void {
  world.orders.delete(id)
  world.deletedOrders.add(id)
  unindexOrder(world.index, id)
}

function applyState(world: World, id: string, state: unknown): void {
  const separator = id.indexOf(':')
  const kind = separator === -1 ? id : id.slice(0, separator)
  const key = separator === -1 ? '' : id.slice(separator + 1)
  switch (kind) {
    case 'code':
      world.codes.set(key, state as AuthorizationCode)
      break
    case 'counter':
      sawId(world, key as Counter, state as number)
      break
    case 'shipment':
      putShipment(world, state as Shipment)
      sawId(world, 'shipment', Number(key))
      break
    case 'pack':
      world.packs.set(Number(key), state as Pack)
      sawId(world, 'pack', Number(key))
      break
    case 'notification':
      world.notifications.set(Number(key), state as Notification)
      sawId(world, 'notification', Number(key))
      break
    case 'callback':
      world.callback = state as Callback | null
      break
    case 'notes':
      world.notes.set(Number(key), state as OrderNote[])
      break
    case 'fiscal-documents':
      world.fiscalDocuments.set(Number(key), state as FiscalDocument[])
      break
    case 'idempotency-key':
      world.byIdempotencyKey.set(key, state as number)
      break
    case 'token-requests':
      world.tokenRequests = state as TokenRequests
      break
    case 'unknown-skus':
      world.unknownSkus = new Set(state as string[])
      break
    case 'refused-references':
      world.refusedReferences = new Map(state as [string, { status: number; message: string }][])
      break
  }
}
