/** A listing with its user product. Stock is absolute everywhere. */
export interface Item {
  id: string
  user_product_id: string
  seller_id: number
  sku: string
  title: string
  price: number
  currency_id: string
  status: 'active' | 'paused' | 'closed'
  sub_status: string[]
  logistic_type: string
  /** Version of the stock, what `x-version` carries. */
  version: number
  locations: StockLocation[]
  last_updated: string
  /** What reads still show until then, where a write takes effect later. */
  before?: { untilMs: number; version: number; locations: StockLocation[] }
}

export interface StockLocation {
  type: string
  /** Only of a seller's warehouse. */
  network_node_id?: string | undefined
  store_id?: string | undefined
  quantity: number
}

export function availableQuantity(item: Item): number {
  return item.locations.reduce((sum, location) => sum + location.quantity, 0)
}

/** `GET /items/{id}`, the fields an integration reads. */
export function itemView(item: Item): Record<string, unknown> {
  return {
    id: item.id,
    site_id: 'MLC',
    title: item.title,
    seller_id: item.seller_id,
    category_id: 'MLC1055',
    user_product_id: item.user_product_id,
    price: item.price,
    currency_id: item.currency_id,
    available_quantity: availableQuantity(item),
    sold_quantity: 0,
    listing_type_id: 'gold_special',
    condition: 'new',
    permalink: `https://articulo.mercadolibre.cl/${item.id}`,
    shipping: { mode: 'me2', logistic_type: item.logistic_type, free_shipping: false },
    seller_custom_field: null,
    attributes: [{ id: 'SELLER_SKU', name: 'SKU', value_id: null, value_name: item.sku }],
    variations: [],
    status: item.status,
    sub_status: item.sub_status,
    last_updated: item.last_updated,
  }
}

/** The item as reads show it now: an asynchronous write may not be visible yet. */
export function visible(item: Item, nowMs: number): Item {
  if (item.before === undefined || nowMs >= item.before.untilMs) return item
  return { ...item, version: item.before.version, locations: item.before.locations }
}

/** `GET /user-products/{id}/stock`. A classic seller has one location, the selling address. */
export function stockView(item: Item, isClassic: boolean): Record<string, unknown> {
  const locations = isClassic ? [{ type: 'selling_address', quantity: availableQuantity(item) }] : item.locations
  return { locations, user_id: item.seller_id, id: item.user_product_id }
}

/** Zero pauses a listing; stock brings back only one that was paused for want of stock. */
export function withQuantity(item: Item, locations: StockLocation[], at: string): Item {
  const next = { ...item, locations, version: item.version + 1, last_updated: at }
  const quantity = availableQuantity(next)
  if (quantity === 0 && item.status === 'active') return { ...next, status: 'paused', sub_status: ['out_of_stock'] }
  if (quantity > 0 && item.status === 'paused' && item.sub_status.includes('out_of_stock'))
    return { ...next, status: 'active', sub_status: [] }
  return next
}
