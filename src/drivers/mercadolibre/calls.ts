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

export async function getOrder(reads: Reads, id: string): Promise<FetchedOrder> {
  const answer = await get(reads, 'get-order', `/orders/${digits(id)}`)
  const missing = answer.status === 206 ? (answer.headers['x-content-missing'] ?? '').split(',').map((name) => name.trim()) : null
  return { order: readAnswer(MeliOrder, answer), missing }
}

export async function getPack(reads: Reads, id: string): Promise<MeliPack> {
  return readAnswer(MeliPack, await get(reads, 'get-pack', `/packs/${digits(id)}`))
}

export async function getShipment(reads: Reads, id: string): Promise<MeliShipment> {
  return readAnswer(MeliShipment, await get(reads, 'get-shipment', `/shipments/${digits(id)}`, { 'x-format-new': 'true' }))
}

/** Orders that a shipment carries; its newer shape does not name them. */
export async function getShipmentOrders(reads: Reads, id: string): Promise<string[]> {
  const schema = z.array(z.object({ order_id: NumericId.nullish() }))
  const items = readAnswer(schema, await get(reads, 'get-shipment-items', `/shipments/${digits(id)}/items`))
  return [...new Set(items.flatMap((one) => one.order_id ?? []))]
}

const Owner = z.object({ order_id: NumericId.nullish(), order: z.object({ id: NumericId.nullish() }).nullish() })

/** Order of a payment; the shape of `/collections` is not documented, so its known places are tried. */
export async function getPaymentOrder(reads: Reads, id: string): Promise<string> {
  const answer = await get(reads, 'get-payment', `/collections/${digits(id)}`)
  const body = readAnswer(Owner.extend({ collection: Owner.nullish() }), answer)
  const orderId = body.order_id ?? body.order?.id ?? body.collection?.order_id ?? body.collection?.order?.id
  if (orderId) return orderId
  throw new IntegrationError('rejected', {
    httpStatus: answer.status,
    causeCode: 'inbound-dead',
    summary: `payment ${id} belongs to no order`,
  })
}

/** What a claim is about. */
export async function getClaimSubject(reads: Reads, id: string): Promise<{ kind: 'order' | 'shipment' | 'payment'; id: string }> {
  const answer = await get(reads, 'get-claim', `/post-purchase/v1/claims/${digits(id)}`)
  const claim = readAnswer(z.object({ resource: z.string(), resource_id: NumericId }), answer)
  const { resource: kind, resource_id } = claim
  if (kind === 'order' || kind === 'shipment' || kind === 'payment') return { kind, id: resource_id }
  throw new IntegrationError('rejected', { httpStatus: answer.status, causeCode: 'inbound-dead', summary: `claim ${id} is about no order` })
}

/** Listings of the seller with this SKU. */
export async function searchItems(reads: Reads, userId: string, sku: string): Promise<string[]> {
  const query = new URLSearchParams({ seller_sku: sku })
  const answer = await get(reads, 'search-items', `/users/${digits(userId)}/items/search?${query.toString()}`)
  return readAnswer(z.object({ results: z.array(z.string().regex(/^M[A-Z]{2}\d{1,20}$/)) }), answer).results
}

export interface Item {
  id: string
  userProductId: string | null
  quantity: number
}

export async function getItem(reads: Reads, id: string): Promise<Item> {
  const answer = await get(reads, 'get-item', `/items/${encodeURIComponent(id)}`)
  const schema = z.object({
    id: z.string(),
    user_product_id: z
      .string()
      .regex(/^[A-Z]{1,10}\d{1,20}$/)
      .nullish(),
    available_quantity: z.number().int(),
  })
  const item = readAnswer(schema, answer)
  return { id: item.id, userProductId: item.user_product_id ?? null, quantity: item.available_quantity }
}

const Location = z.object({ type: z.string(), quantity: z.number().int(), store_id: Id.nullish(), network_node_id: Id.nullish() })
export type StockLocation = z.infer<typeof Location>

/** Stock of a user product and the version that a write of it must name. */
export interface Stock {
  version: string | null
  locations: StockLocation[]
}

export async function getStock(reads: Reads, userProductId: string): Promise<Stock> {
  const answer = await get(reads, 'get-stock', `/user-products/${encodeURIComponent(userProductId)}/stock`)
  const { locations } = readAnswer(z.object({ locations: z.array(Location) }), answer)
  return { version: answer.headers['x-version'] ?? null, locations }
}

const SearchRow = MeliOrder.pick({ id: true, pack_id: true, last_updated: true })
const SearchAnswer = z.object({ results: z.array(z.unknown()), paging: z.object({ total: z.number().int().min(0) }) })

export interface FoundOrders<T> {
  results: T[]
  total: number
}

/** `GET /orders/search` of this seller. Rows of cancelled orders come only with `order.status=cancelled`. */
export async function sweepOrders(
  client: MeliClient,
  query: Record<string, string>,
  signal: AbortSignal,
): Promise<FoundOrders<z.infer<typeof SearchRow>>> {
  const answer = await client.call({ method: 'GET', path: searchPath(query), signal })
  const { results, paging } = readAnswer(SearchAnswer, answer)
  return { results: readAnswer(z.array(SearchRow), { ...answer, body: results }), total: paging.total }
}

export async function searchOrders(reads: Reads, query: Record<string, string>): Promise<FoundOrders<MeliOrder>> {
  const answer = await get(reads, 'search-orders', searchPath(query))
  const { results, paging } = readAnswer(SearchAnswer, answer)
  return { results: readAnswer(z.array(MeliOrder), { ...answer, body: results }), total: paging.total }
}

const searchPath = (query: Record<string, string>): string => `/orders/search?${new URLSearchParams(query).toString()}`

function get(reads: Reads, operation: string, path: string, headers: Record<string, string> = {}): Promise<MeliAnswer> {
  const { client, log, signal } = reads
  return log.read(operation, (requestId) => client.call({ method: 'GET', path, headers, requestId, signal }))
}

/** Only digits reach a path. What is stored was checked on its way in, so anything else is a bug. */
export function digits(id: string): string {
  if (/^\d{1,20}$/.test(id)) return id
  throw new Error('an id of MercadoLibre that is not digits')
}
