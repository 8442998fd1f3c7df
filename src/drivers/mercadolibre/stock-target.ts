import type { Step } from '../../core/delivery.ts'
import type { DesiredStock } from '../../core/desired.ts'
import { IntegrationError } from '../../core/integration-error.ts'
import type { IsLate, Sent, Shown, ShownContent, Wanted } from '../../ports/target.ts'
import { getItem, getStock, type Item, type Reads, searchItems, type Stock, type StockLocation } from './calls.ts'
import type { MeliClient, MeliRequest } from './client.ts'

export interface StockTarget {
  client: MeliClient
  userId: string
  canUpdate: boolean
  /** Of several warehouses, the one whose stock the hub writes. */
  warehouse: { storeId: string; networkNodeId: string } | null
}

type WantedStock = Wanted & { desired: DesiredStock }

/**
 * How the stock of a listing is written: per listing (`items`), per warehouse of a user product (`seller_warehouse`), or beside what
 * MercadoLibre stores itself (`selling_address`). The last two name the version they were read at.
 */
type Way = 'items' | 'seller_warehouse' | 'selling_address'

/** Listing, quantity and version of a SKU. Absent: the seller lists no such SKU. */
export async function lookUpStock(target: StockTarget, { desired }: WantedStock, reads: Reads): Promise<Shown> {
  const ids = await searchItems(reads, target.userId, desired.sku)
  const id = ids[0]
  if (id === undefined) return { kind: 'absent' }
  const item = await getItem(reads, id)
  const extra: ShownContent['extra'] = { listings: ids.length, userProductId: item.userProductId }
  const stock = item.userProductId === null ? null : await stockIfShown(reads, item.userProductId)
  const place = stock ? placeOf(stock.locations, target.warehouse) : null
  if (!stock || !place) return shown(item, desired.sku, { ...extra, way: 'items' satisfies Way }, item.quantity)
  const { way, location, warehouses } = place
  const at = { storeId: location?.store_id ?? null, networkNodeId: location?.network_node_id ?? null }
  return shown(item, desired.sku, { ...extra, way, version: stock.version, warehouses, ...at }, location?.quantity ?? 0)
}

async function stockIfShown(reads: Reads, userProductId: string): Promise<Stock | null> {
  try {
    return await getStock(reads, userProductId)
  } catch (error) {
    if (error instanceof IntegrationError && error.code === 'not-found') return null
    throw error
  }
}

interface Place {
  way: Exclude<Way, 'items'>
  location: StockLocation | undefined
  warehouses: number
}

/** Null: the stock stands on the listing itself. */
function placeOf(locations: StockLocation[], configured: StockTarget['warehouse']): Place | null {
  const warehouses = locations.filter((one) => one.type === 'seller_warehouse')
  if (warehouses.length > 0) {
    const named = warehouses.find((one) => one.store_id === configured?.storeId && one.network_node_id === configured?.networkNodeId)
    return { way: 'seller_warehouse', location: configured ? named : warehouses[0], warehouses: named ? 1 : warehouses.length }
  }
  const own = locations.find((one) => one.type === 'selling_address')
  const isShared = locations.some((one) => one.type === 'meli_facility')
  return own && isShared ? { way: 'selling_address', location: own, warehouses: 1 } : null
}

function shown(item: Item, sku: string, extra: ShownContent['extra'], quantity: number): Shown {
  const lines = [{ sku, quantity: String(quantity), unitPriceMinor: null }]
  return {
    kind: 'found',
    externalId: item.id,
    content: { lifecycle: null, fulfilment: null, currency: null, totalMinor: null, lines, extra },
  }
}

/** Always a write, once a version: a read right after a write may still show the quantity before it. */
export function nextForStock(target: Pick<StockTarget, 'canUpdate'>, wanted: WantedStock, seen: Shown): Step {
  if (!target.canUpdate) return { kind: 'unsupported', operation: 'stock' }
  const { sku } = wanted.desired
  // A product that this account does not sell has no stock there to keep; once it is listed, the next movement sets it.
  if (seen.kind === 'absent') return { kind: 'done', reason: 'nothing-to-do' }
  const { extra } = seen.content
  if (extra.writtenVersion === wanted.version) return { kind: 'done', reason: 'sent' }
  if (Number(extra.listings) > 1 && extra.way === 'items') {
    return { kind: 'refused', cause: 'rejected-by-target', summary: `${String(extra.listings)} listings share the SKU ${sku}` }
  }
  if (extra.way === 'seller_warehouse' && (Number(extra.warehouses) > 1 || extra.storeId === null)) {
    return {
      kind: 'refused',
      cause: 'unsupported-by-target',
      summary: 'the seller has several warehouses: name one of them as `warehouse` of the channel in hub.yaml',
    }
  }
  return { kind: 'send', operation: 'stock' }
}

export async function sendStock(
  target: StockTarget,
  what: { wanted: WantedStock; shown: Shown; requestId: string; isLate?: IsLate | undefined },
  signal: AbortSignal,
): Promise<Sent> {
  const { wanted, shown: seen, requestId, isLate } = what
  if (!target.canUpdate) throw new IntegrationError('unsupported', { summary: 'the channel takes no stock' })
  if (seen.kind === 'absent') throw new IntegrationError('not-found', { causeCode: 'sku-unknown', summary: 'no listing has this SKU' })
  await target.client.call({ ...callFor(seen, wanted.desired.quantity), requestId, signal, isLate })
  const { content } = seen
  const lines = [{ sku: wanted.desired.sku, quantity: String(wanted.desired.quantity), unitPriceMinor: null }]
  const extra = { ...content.extra, writtenVersion: wanted.version }
  return { externalId: seen.externalId, shown: { ...seen, content: { ...content, lines, extra } } }
}

function callFor(seen: Extract<Shown, { kind: 'found' }>, quantity: number): MeliRequest {
  const { extra } = seen.content
  if (extra.way === 'items') {
    return { method: 'PUT', path: `/items/${encodeURIComponent(seen.externalId)}`, body: { available_quantity: quantity } }
  }
  const path = `/user-products/${encodeURIComponent(String(extra.userProductId))}/stock/type/${String(extra.way)}`
  const locations = [{ store_id: extra.storeId, network_node_id: extra.networkNodeId, quantity }]
  return {
    method: 'PUT',
    path,
    headers: { 'x-version': String(extra.version ?? '') },
    body: extra.way === 'seller_warehouse' ? { locations } : { quantity },
  }
}
