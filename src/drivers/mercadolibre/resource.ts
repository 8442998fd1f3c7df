/** What a notification may point at. URLs are built from these ids alone, never from the text that was received. */
export type Pointer = { kind: 'order' | 'shipment' | 'payment' | 'claim' | 'stock'; id: string; resource: string }

interface Rule {
  pattern: RegExp
  kind: Pointer['kind']
  write: (id: string) => string
}

const ID = '(\\d{1,20})'
const order: Rule = { pattern: new RegExp(`^/orders/${ID}$`), kind: 'order', write: (id) => `/orders/${id}` }
const shipment: Rule = { pattern: new RegExp(`^/shipments/${ID}$`), kind: 'shipment', write: (id) => `/shipments/${id}` }
const payment: Rule = { pattern: new RegExp(`^/collections/${ID}$`), kind: 'payment', write: (id) => `/collections/${id}` }
const claim: Rule = {
  pattern: new RegExp(`^/post-purchase/v\\d{1,2}/claims/${ID}$`),
  kind: 'claim',
  write: (id) => `/post-purchase/v1/claims/${id}`,
}
const item: Rule = { pattern: /^\/items\/(M[A-Z]{2}\d{1,20})$/, kind: 'stock', write: (id) => `/items/${id}` }
const userProduct: Rule = {
  pattern: /^\/user-products\/([A-Z]{1,10}\d{1,20})\/stock$/,
  kind: 'stock',
  write: (id) => `/user-products/${id}/stock`,
}
const operation: Rule = {
  pattern: new RegExp(`^/stock/fulfillment/operations/${ID}$`),
  kind: 'stock',
  write: (id) => `/stock/fulfillment/operations/${id}`,
}

/** Literal topics: `stock-location` is labelled `stock_locations` and price changes come as `items`. */
const BY_TOPIC: ReadonlyMap<string, Rule> = new Map([
  ['orders_v2', order],
  ['shipments', shipment],
  ['payments', payment],
  ['items', item],
  ['stock-location', userProduct],
  ['fbm_stock_operations', operation],
  ['post_purchase', claim],
  ['claims', claim],
])

/** Topics whose notifications lead to an order; the missed feed is read for these. */
export const ORDER_TOPICS: readonly string[] = [...BY_TOPIC].filter(([, rule]) => rule.kind !== 'stock').map(([topic]) => topic)

/** Undefined: an unknown topic. Null: a known one whose resource fails the whitelist. */
export function pointerOf(topic: string, resource: string): Pointer | null | undefined {
  const rule = BY_TOPIC.get(topic)
  return rule === undefined ? undefined : matched(rule, normalised(resource))
}

/** The pointer that `fetchOrder` takes; undefined when it is none of the whitelist. */
export function salePointer(resource: string): Pointer | undefined {
  for (const rule of [order, shipment, payment, claim]) {
    const pointer = matched(rule, resource)
    if (pointer) return pointer
  }
  return undefined
}

/** A leading slash where it is missing; older claims came without the `post-purchase` prefix. */
export function normalised(resource: string): string {
  const path = resource.startsWith('/') ? resource : `/${resource}`
  const old = /^\/(?:(v\d{1,2})\/)?claims\/(\d{1,20})$/.exec(path)
  return old ? `/post-purchase/${old[1] ?? 'v1'}/claims/${old[2]}` : path
}

function matched(rule: Rule, resource: string): Pointer | null {
  const id = rule.pattern.exec(resource)?.[1]
  return id === undefined ? null : { kind: rule.kind, id, resource: rule.write(id) }
}
