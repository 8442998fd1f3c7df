import { z } from 'zod'
import { IntegrationError } from '../../core/integration-error.ts'
import type { AttemptLog } from '../../ports/attempt-log.ts'
import { type MeliAnswer, type MeliClient, readAnswer } from './client.ts'
import { Id, NumericId } from './lossless-json.ts'
import { MeliOrder } from './order.ts'
import { MeliPack } from './pack.ts'
import { MeliShipment } from './shipment.ts'

/** The reads of one account, each recorded as an attempt of its own. */
export interface Reads {
  client: MeliClient
  log: AttemptLog
  signal: AbortSignal
}

export interface FetchedOrder {
  order: MeliOrder
  /** Names of `X-Content-Missing` when the answer was a 206, else null. */
  missing: readonly string[] | null
}

export function getOrder(reads: Reads, id: string): Promise<FetchedOrder> {
  return get(reads, 'get-order', `/orders/${digits(id)}`, (answer) => ({
    order: readAnswer(MeliOrder, answer),
    missing: answer.status === 206 ? (answer.headers['x-content-missing'] ?? '').split(',').map((name) => name.trim()) : null,
  }))
}

export function getPack(reads: Reads, id: string): Promise<MeliPack> {
  return get(reads, 'get-pack', `/packs/${digits(id)}`, (answer) => readAnswer(MeliPack, answer))
}

export function getShipment(reads: Reads, id: string): Promise<MeliShipment> {
  return get(reads, 'get-shipment', `/shipments/${digits(id)}`, (answer) => readAnswer(MeliShipment, answer))
}

const ShipmentItems = z.array(z.object({ order_id: NumericId.nullish() }))

/** Orders that a shipment carries; its newer shape does not name them. */
export async function getShipmentOrders(reads: Reads, id: string): Promise<string[]> {
  const items = await get(reads, 'get-shipment-items', `/shipments/${digits(id)}/items`, (answer) => readAnswer(ShipmentItems, answer))
  return [...new Set(items.flatMap((one) => one.order_id ?? []))]
}

const Owner = z.object({ order_id: NumericId.nullish(), order: z.object({ id: NumericId.nullish() }).nullish() })
const Collection = Owner.extend({ collection: Owner.nullish() })

/** Order of a payment; the shape of `/collections` is not documented, so its known places are tried. */
export async function getPaymentOrder(reads: Reads, id: string): Promise<string> {
  const body = await get(reads, 'get-payment', `/collections/${digits(id)}`, (answer) => readAnswer(Collection, answer))
  const orderId = body.order_id ?? body.order?.id ?? body.collection?.order_id ?? body.collection?.order?.id
  if (orderId) return orderId
  throw new IntegrationError('rejected', { causeCode: 'inbound-dead', summary: `payment ${id} belongs to no order` })
}

const Claim = z.object({ resource: z.string(), resource_id: NumericId })

/** What a claim is about. */
export async function getClaimSubject(reads: Reads, id: string): Promise<{ kind: 'order' | 'shipment' | 'payment'; id: string }> {
  const path = `/post-purchase/v1/claims/${digits(id)}`
  const { resource: kind, resource_id } = await get(reads, 'get-claim', path, (answer) => readAnswer(Claim, answer))
  if (kind === 'order' || kind === 'shipment' || kind === 'payment') return { kind, id: resource_id }
  throw new IntegrationError('rejected', { causeCode: 'inbound-dead', summary: `claim ${id} is about no order` })
}

const ItemIds = z.object({ results: z.array(z.string().regex(/^M[A-Z]{2}\d{1,20}$/)) })

/** Listings of the seller with this SKU. */
export async function searchItems(reads: Reads, userId: string, sku: string): Promise<string[]> {
  const query = new URLSearchParams({ seller_sku: sku })
  const path = `/users/${digits(userId)}/items/search?${query.toString()}`
  return (await get(reads, 'search-items', path, (answer) => readAnswer(ItemIds, answer))).results
}

const Item = z.object({
  id: z.string(),
  user_product_id: z
    .string()
    .regex(/^[A-Z]{1,10}\d{1,20}$/)
    .nullish(),
  available_quantity: z.number().int(),
})

export interface Item {
  id: string
  userProductId: string | null
  quantity: number
}

export async function getItem(reads: Reads, id: string): Promise<Item> {
  const item = await get(reads, 'get-item', `/items/${encodeURIComponent(id)}`, (answer) => readAnswer(Item, answer))
  return { id: item.id, userProductId: item.user_product_id ?? null, quantity: item.available_quantity }
}

const Location = z.object({ type: z.string(), quantity: z.number().int(), store_id: Id.nullish(), network_node_id: Id.nullish() })
const Locations = z.object({ locations: z.array(Location) })
export type StockLocation = z.infer<typeof Location>

/** Stock of a user product and the version that a write of it must name. */
export interface Stock {
  version: string | null
  locations: StockLocation[]
}

export function getStock(reads: Reads, userProductId: string): Promise<Stock> {
  return get(reads, 'get-stock', `/user-products/${encodeURIComponent(userProductId)}/stock`, (answer) => ({
    version: answer.headers['x-version'] ?? null,
    locations: readAnswer(Locations, answer).locations,
  }))
}

const Paging = z.object({ total: z.number().int().min(0) })
const SweepAnswer = z.object({
  results: z.array(MeliOrder.pick({ id: true, pack_id: true, last_updated: true, date_created: true })),
  paging: Paging,
})
const SearchAnswer = z.object({ results: z.array(MeliOrder), paging: Paging })

/** `GET /orders/search` of this seller. Rows of cancelled orders come only with `order.status=cancelled`. */
export async function sweepOrders(
  client: MeliClient,
  query: Record<string, string>,
  signal: AbortSignal,
): Promise<z.infer<typeof SweepAnswer>> {
  return readAnswer(SweepAnswer, await client.call({ method: 'GET', path: searchPath(query), signal }))
}

export function searchOrders(reads: Reads, query: Record<string, string>): Promise<z.infer<typeof SearchAnswer>> {
  return get(reads, 'search-orders', searchPath(query), (answer) => readAnswer(SearchAnswer, answer))
}

const searchPath = (query: Record<string, string>): string => `/orders/search?${new URLSearchParams(query).toString()}`

// The answer is read inside the attempt: one that does not fit its schema is a failed request, and is recorded as such.
function get<T>({ client, log, signal }: Reads, operation: string, path: string, read: (answer: MeliAnswer) => T): Promise<T> {
  const headers: Record<string, string> = path.startsWith('/shipments/') ? { 'x-format-new': 'true' } : {}
  return log.read(operation, async (requestId) => read(await client.call({ method: 'GET', path, headers, requestId, signal })))
}

/** Only digits reach a path. What is stored was checked on its way in, so anything else is a bug. */
export function digits(id: string): string {
  if (/^\d{1,20}$/.test(id)) return id
  throw new Error('an id of MercadoLibre that is not digits')
}
