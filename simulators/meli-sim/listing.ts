import type { Account } from './account.ts'
import type { Item, StockLocation } from './item.ts'
import { availableQuantity, withQuantity } from './item.ts'
import type { Sim } from './sim.ts'
import { saveItem } from './sim.ts'
import { vendorTime } from './vendor-time.ts'
import { nextId, skuKey } from './world.ts'

interface NewItem {
  sku: string
  title?: string | undefined
  price: number
  currency: string
  quantity?: number | undefined
  locations?: StockLocation[] | undefined
  logisticType?: string | undefined
}

/** Stock of a listing nobody gave a quantity for. */
const DEFAULT_QUANTITY = 1_000

/** The seller's listing of a SKU; one that is not there yet is listed on the fly. */
export function itemFor(sim: Sim, seller: Account, from: NewItem, by: 'client' | 'admin'): Item {
  return sim.world.itemsBySku.get(skuKey(seller.user_id, from.sku)) ?? addItem(sim, seller, from, by)
}

export function addItem(sim: Sim, seller: Account, from: NewItem, by: 'client' | 'admin'): Item {
  const item: Item = {
    id: `MLC${nextId(sim.world, 'item')}`,
    user_product_id: `MLCU${nextId(sim.world, 'userProduct')}`,
    seller_id: seller.user_id,
    sku: from.sku,
    title: from.title ?? from.sku,
    price: from.price,
    currency_id: from.currency,
    status: 'active',
    sub_status: [],
    logistic_type: from.logisticType ?? 'drop_off',
    version: 1,
    locations: from.locations ?? newLocations(seller, from.quantity ?? DEFAULT_QUANTITY),
    last_updated: vendorTime(sim.nowMs()),
  }
  saveItem(sim, item, by, null)
  return item
}

function newLocations(seller: Account, quantity: number): StockLocation[] {
  if (!seller.full_and_flex) return [{ type: 'seller_warehouse', network_node_id: '123451', store_id: '9876543', quantity }]
  return [
    { type: 'selling_address', quantity },
    { type: 'meli_facility', quantity: 0 },
  ]
}

/** The marketplace takes a sale off its own stock, warehouse by warehouse, and never below zero. */
export function takeFromStock(sim: Sim, item: Item, quantity: number, silent: boolean): void {
  let left = quantity
  const locations = item.locations.map((location) => {
    const taken = Math.min(location.quantity, left)
    left -= taken
    return { ...location, quantity: location.quantity - taken }
  })
  setStock(sim, item, locations, { by: 'admin', requestId: null, silent })
}

interface StockAct {
  by: 'client' | 'admin'
  requestId: string | null
  /** Without notifications. */
  silent?: boolean
  /** Reads show the quantity of before this long. */
  appliesInMs?: number
}

export function setStock(sim: Sim, item: Item, locations: StockLocation[], act: StockAct): Item {
  const { before, ...now } = withQuantity(item, locations, vendorTime(sim.nowMs()))
  const shown = before && before.untilMs > sim.nowMs() ? before : item
  const later = act.appliesInMs ? { untilMs: sim.nowMs() + act.appliesInMs, version: shown.version, locations: shown.locations } : null
  const changed: Item = later ? { ...now, before: later } : now
  saveItem(sim, changed, act.by, act.requestId)
  if (act.silent) return changed
  const userId = item.seller_id
  if (availableQuantity(changed) !== availableQuantity(item)) sim.notifier.notify({ topic: 'items', resource: `/items/${item.id}`, userId })
  sim.notifier.notify({ topic: 'stock-location', resource: `/user-products/${item.user_product_id}/stock`, userId })
  return changed
}
