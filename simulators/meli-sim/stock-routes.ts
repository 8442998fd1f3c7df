import { z } from 'zod'
import type { Answer, Call, Route } from './call.ts'
import { jsonOf } from './call.ts'
import type { Item, StockLocation } from './item.ts'
import { itemView, stockView, visible } from './item.ts'
import { setStock } from './listing.ts'
import type { Sim } from './sim.ts'
import { accessDenied, notFound, refusal } from './vendor-error.ts'

export const stockRoutes: Route[] = [
  { method: 'GET', url: '/users/:userId/items/search', access: 'seller', answer: searchItems },
  { method: 'GET', url: '/items/:id', access: 'seller', answer: item },
  { method: 'PUT', url: '/items/:id', access: 'seller', answer: updateItem },
  { method: 'GET', url: '/user-products/:id', access: 'seller', answer: userProduct },
  { method: 'GET', url: '/user-products/:id/stock', access: 'seller', answer: stock },
  { method: 'PUT', url: '/user-products/:id/stock/type/seller_warehouse', access: 'seller', answer: updateStock },
  { method: 'PUT', url: '/user-products/:id/stock/type/selling_address', access: 'seller', answer: updateSellingAddress },
]

const ItemBody = z.object({ available_quantity: z.number().int().min(0).max(99_999) })
const StockBody = z.object({
  locations: z.array(z.object({ store_id: z.string(), network_node_id: z.string(), quantity: z.number().int().min(0).max(99_999) })).min(1),
})

const SellingAddressBody = z.object({ quantity: z.number().int().min(0).max(99_999) })

function searchItems(sim: Sim, call: Call): Answer {
  const userId = Number(call.params.userId)
  if (userId !== call.seller.user_id) throw accessDenied()
  const sku = call.query.get('seller_sku') ?? call.query.get('sku')
  const limit = Math.min(Number(call.query.get('limit') ?? 50) || 50, 100)
  const offset = Number(call.query.get('offset') ?? 0) || 0
  const found = [...sim.world.items.values()].filter((one) => one.seller_id === userId && (sku === null || one.sku === sku))
  const results = found.slice(offset, offset + limit).map((one) => one.id)
  return { status: 200, body: { seller_id: String(userId), results, paging: { total: found.length, offset, limit } } }
}

function item(sim: Sim, call: Call): Answer {
  return { status: 200, body: itemView(visible(ownItem(sim.world.items.get(call.params.id ?? ''), call, 'Item'), sim.nowMs())) }
}

/** Classic sellers write their stock here; sellers with warehouses must write it per user product. */
function updateItem(sim: Sim, call: Call): Answer {
  const found = ownItem(sim.world.items.get(call.params.id ?? ''), call, 'Item')
  const body = bodyOf(call, ItemBody)
  if (!isClassic(call)) {
    const message = 'available_quantity is not modifiable: the seller manages stock by user product'
    throw refusal(400, 'validation_error', message, [{ code: 'item.available_quantity.not_modifiable', type: 'error', message }])
  }
  if (found.status === 'closed') throw refusal(400, 'validation_error', `Item ${found.id} is closed`)
  const location = { type: 'seller_warehouse', network_node_id: '123451', store_id: '9876543', quantity: body.available_quantity }
  const changed = setStock(sim, found, [location], { by: 'client', requestId: call.requestId })
  call.note('stock-set')
  return { status: 200, body: itemView(changed) }
}

function userProduct(sim: Sim, call: Call): Answer {
  const found = ownItem(sim.world.itemsByUserProduct.get(call.params.id ?? ''), call, 'User product')
  return { status: 200, body: { id: found.user_product_id, name: found.title, user_id: found.seller_id, domain_id: null, attributes: [] } }
}

function stock(sim: Sim, call: Call): Answer {
  const found = ownItem(sim.world.itemsByUserProduct.get(call.params.id ?? ''), call, 'User product')
  const shown = visible(found, sim.nowMs())
  return { status: 200, body: stockView(shown, isClassic(call)), headers: { 'x-version': String(shown.version) } }
}

/** Absolute, per warehouse; warehouses that are not named keep their quantity. */
function updateStock(sim: Sim, call: Call): Answer {
  const found = ownItem(sim.world.itemsByUserProduct.get(call.params.id ?? ''), call, 'User product')
  const version = versionOf(call)
  if (!call.seller.user_product_seller) throw refusal(400, 'bad_request', 'The seller has no warehouse_management')
  const { locations } = bodyOf(call, StockBody)
  if (version !== String(found.version)) throw refusal(409, 'conflict', 'Version mismatch')
  const unknown = locations.find((one) => !found.locations.some((known) => isSamePlace(known, one)))
  if (unknown)
    throw refusal(400, 'bad_request', `Unknown location: store_id ${unknown.store_id}, network_node_id ${unknown.network_node_id}`)
  const next = found.locations.map((known) => ({
    ...known,
    quantity: locations.find((one) => isSamePlace(known, one))?.quantity ?? known.quantity,
  }))
  const changed = setStock(sim, found, next, { by: 'client', requestId: call.requestId })
  call.note('stock-set')
  return { status: 200, body: stockView(changed, false), headers: { 'x-version': String(changed.version) } }
}

/** Full and Flex together: 204 now, visible later. What MercadoLibre stores itself cannot be written. */
function updateSellingAddress(sim: Sim, call: Call): Answer {
  const found = ownItem(sim.world.itemsByUserProduct.get(call.params.id ?? ''), call, 'User product')
  const version = versionOf(call)
  if (!call.seller.full_and_flex) throw refusal(400, 'bad_request', 'The seller does not sell with Full and Flex together')
  const { quantity } = bodyOf(call, SellingAddressBody)
  if (version !== String(found.version)) throw refusal(409, 'conflict', 'Version mismatch')
  const next = found.locations.map((known) => (known.type === 'selling_address' ? { ...known, quantity } : known))
  setStock(sim, found, next, { by: 'client', requestId: call.requestId, appliesInMs: sim.settings.stockApplyMs })
  call.note('stock-set')
  return { status: 204 }
}

function versionOf(call: Call): string {
  const version = call.headers['x-version']
  if (version === undefined) throw refusal(400, 'bad_request', 'Missing X-Version header')
  return version
}

/** Neither warehouses nor Full with Flex: the stock stands on the listing. */
function isClassic(call: Call): boolean {
  return !call.seller.user_product_seller && !call.seller.full_and_flex
}

function isSamePlace(a: StockLocation, b: { store_id: string; network_node_id: string }): boolean {
  return a.store_id === b.store_id && a.network_node_id === b.network_node_id
}

function ownItem(found: Item | undefined, call: Call, what: string): Item {
  if (!found) throw notFound(what)
  if (found.seller_id !== call.seller.user_id) throw accessDenied()
  return found
}

function bodyOf<T extends z.ZodType>(call: Call, schema: T): z.infer<T> {
  const parsed = schema.safeParse(jsonOf(call))
  if (parsed.success) return parsed.data
  const cause = parsed.error.issues.map((issue) => ({
    code: issue.code,
    type: 'error',
    message: `${issue.path.join('.')}: ${issue.message}`,
  }))
  throw refusal(400, 'validation_error', 'Validation error', cause)
}
