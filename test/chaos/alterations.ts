import { type AlteredWorld, LINES } from './altered-world.ts'
import type { Bought, ErpMade } from './made.ts'

/** One change of one field in one system, behind the hub's back. */
export interface Alteration {
  name: string
  kind: 'unequal' | 'lost' | 'doubled'
  field: RegExp
  /** Alters an order of its own and answers what people call it. */
  alter(world: AlteredWorld): Promise<string>
}

type Expected = Pick<Alteration, 'name' | 'kind' | 'field'>
const unequal = (name: string, field: RegExp): Expected => ({ name, kind: 'unequal', field })
const lost = (name: string): Expected => ({ name, kind: 'lost', field: /^order$/ })
const doubled = (name: string): Expected => ({ name, kind: 'doubled', field: /^reference$/ })

function taken<T>(from: T[]): T {
  const one = from.pop()
  if (one === undefined) throw new Error('the world has no order left for this case')
  return one
}

type OnMade = (world: AlteredWorld, order: ErpMade) => Promise<unknown>
const onErpToMeli = (expected: Expected, change: OnMade): Alteration => onMade('erpToMeli', expected, change)

function onMade(from: 'erpToMeli' | 'erpToParis', expected: Expected, change: OnMade): Alteration {
  return {
    ...expected,
    async alter(world) {
      const order = taken(world.fresh[from])
      await change(world, order)
      return order.name
    },
  }
}

const edited =
  (body: unknown): OnMade =>
  ({ running }, { id }) =>
    running.odoo('POST', `/admin/orders/${id}/edit`, body)
const put =
  (change: Record<string, unknown>): OnMade =>
  (world, order) =>
    world.putToMeli(order, change)
const items = (first: Record<string, unknown>, second: Record<string, unknown> = {}) => ({
  order_items: [
    { seller_sku: 'SKU-001', quantity: 2, unit_price: 11_900, ...first },
    { seller_sku: 'SKU-004', quantity: 1, unit_price: 5_950, ...second },
  ],
})
const meliOrder =
  (act: string, body: Record<string, unknown>): OnMade =>
  async ({ running, targetOf }, { id }) =>
    running.meli('POST', `/admin/orders/${await targetOf('mercadolibre:1001', `odoo-${id}`)}/${act}`, { ...body, no_notify: true })

/** An order of the ERP that stands at MercadoLibre. */
export const erpToMeli: Alteration[] = [
  onErpToMeli(unequal('the quantity in the ERP', /^lines\.SKU-001\.quantity$/), edited({ lines: [{ sku: 'SKU-001', quantity: 3 }] })),
  onErpToMeli(
    unequal('a SKU in the ERP', /^lines\.SKU-005\.quantity$/),
    edited({ lines: [{ sku: 'SKU-005', quantity: 1, price: 1_000 }] }),
  ),
  onErpToMeli(unequal('the price in the ERP', /^lines\.SKU-001\.unit_price$/), edited({ lines: [{ sku: 'SKU-001', price: 11_000 }] })),
  onErpToMeli(unequal('the total in the ERP', /^total$/), edited({ lines: [{ sku: 'SKU-001', price: 12_000 }] })),
  onErpToMeli(unequal('the lifecycle in the ERP', /^lifecycle$/), ({ running }, { id }) =>
    running.odoo('POST', `/admin/orders/${id}/cancel`, {}),
  ),
  onErpToMeli(unequal('the fulfilment in the ERP', /^fulfilment$/), ({ running }, { id }) =>
    running.odoo('POST', `/admin/orders/${id}/deliver`, {}),
  ),
  onErpToMeli(unequal('the quantity at MercadoLibre', /^lines\.SKU-001\.quantity$/), put(items({ quantity: 3 }))),
  onErpToMeli(unequal('the SKU at MercadoLibre', /^lines\.SKU-005\.quantity$/), put(items({}, { seller_sku: 'SKU-005' }))),
  onErpToMeli(unequal('the price at MercadoLibre', /^lines\.SKU-001\.unit_price$/), put(items({ unit_price: 11_800 }))),
  onErpToMeli(unequal('the total at MercadoLibre', /^total$/), meliOrder('status', { total_amount: 29_751 })),
  onErpToMeli(unequal('the currency at MercadoLibre', /^currency$/), put({ currency_id: 'USD' })),
  onErpToMeli(unequal('the lifecycle at MercadoLibre', /^lifecycle$/), meliOrder('status', { status: 'cancelled' })),
  onErpToMeli(unequal('the fulfilment at MercadoLibre', /^fulfilment$/), async ({ running, targetOf }, { id }) => {
    const orderId = await targetOf('mercadolibre:1001', `odoo-${id}`)
    const { entries } = (await running.meli('GET', '/admin/ledger')) as {
      entries: { kind: string; id: string; order?: { shipping: { id: number } } }[]
    }
    const shipment = entries.findLast((entry) => entry.kind === 'order' && entry.id === orderId)?.order?.shipping.id
    return running.meli('POST', `/admin/shipments/${shipment}/status`, { status: 'shipped', no_notify: true })
  }),
  onErpToMeli(lost('an order dropped at MercadoLibre'), meliOrder('delete', {})),
  onErpToMeli(doubled('a second order at MercadoLibre'), meliOrder('duplicate', {})),
]

const BOTH = [
  { sku: 'SKU-001', qty: 2 },
  { sku: 'SKU-004', qty: 1 },
]
const parisOrder =
  (method: string, pathOf: (id: string) => string, body?: unknown): OnMade =>
  async ({ running, targetOf }, { id }) =>
    running.paris(method, pathOf(await targetOf('paris:main', `odoo-${id}`)), body)
const patched = (body: unknown): OnMade => parisOrder('PATCH', (id) => `/admin/orders/${id}`, body)

/** An order of the ERP that stands at Paris, whose contract carries no prices. */
export const erpToParis: Alteration[] = [
  onMade(
    'erpToParis',
    unequal('the quantity at Paris', /^lines\.SKU-001\.quantity$/),
    patched({ items: [{ sku: 'SKU-001', qty: 3 }, BOTH[1]] }),
  ),
  onMade(
    'erpToParis',
    unequal('the SKU at Paris', /^lines\.SKU-006\.quantity$/),
    patched({ items: [BOTH[0], { sku: 'SKU-006', qty: 1 }] }),
  ),
  onMade('erpToParis', unequal('the lifecycle at Paris', /^lifecycle$/), patched({ status: 'cancelled' })),
  onMade('erpToParis', unequal('the fulfilment at Paris', /^fulfilment$/), patched({ status: 'shipped' })),
  onMade(
    'erpToParis',
    unequal('the reference at Paris', /^reference$/),
    parisOrder('PUT', (id) => `/orders/${id}`, { buyer: 'María', external_ref: 'odoo-88888', items: BOTH }),
  ),
  onMade(
    'erpToParis',
    lost('an order dropped at Paris'),
    parisOrder('POST', (id) => `/admin/orders/${id}/delete`),
  ),
  onMade(
    'erpToParis',
    doubled('a second order at Paris'),
    parisOrder('POST', (id) => `/admin/orders/${id}/duplicate`),
  ),
]

const keyOf = (sale: Bought): string => String(sale.pack_id ?? sale.order_ids[0])

function onSale(expected: Expected, change: (world: AlteredWorld, sale: Bought) => Promise<unknown>): Alteration {
  return {
    ...expected,
    async alter(world) {
      const sale = taken(world.fresh.meliSales)
      await change(world, sale)
      return `ML-${keyOf(sale)}`
    },
  }
}
const itsCopy =
  (act: string, body: unknown = {}) =>
  async ({ running, targetOf }: AlteredWorld, sale: Bought) =>
    running.odoo('POST', `/admin/orders/${await targetOf('odoo', keyOf(sale))}/${act}`, body)
const itsOrder =
  (act: string, body: Record<string, unknown> = {}) =>
  ({ running }: AlteredWorld, sale: Bought) =>
    running.meli('POST', `/admin/orders/${sale.order_ids[0]}/${act}`, { ...body, no_notify: true })

/** A sale of MercadoLibre that stands in the ERP. */
export const meliSales: Alteration[] = [
  onSale(unequal('the quantity in the ERP', /^lines\.SKU-002\.quantity$/), itsCopy('edit', { lines: [{ sku: 'SKU-002', quantity: 1 }] })),
  onSale(unequal('the price in the ERP', /^lines\.SKU-002\.unit_price$/), itsCopy('edit', { lines: [{ sku: 'SKU-002', price: 1_000 }] })),
  onSale(unequal('the reference in the ERP', /^reference$/), itsCopy('edit', { fields: { client_order_ref: 'another' } })),
  onSale(unequal('the lifecycle in the ERP', /^lifecycle$/), itsCopy('cancel')),
  onSale(unequal('the fulfilment in the ERP', /^fulfilment$/), itsCopy('deliver')),
  onSale(lost('an order dropped in the ERP'), itsCopy('delete')),
  onSale(doubled('a second order in the ERP'), ({ running }, sale) =>
    running.odoo('POST', '/admin/orders', {
      state: 'draft',
      partner: 'María Pérez',
      origin: 'mercadolibre:1001',
      client_order_ref: keyOf(sale),
      lines: LINES,
    }),
  ),
  onSale(unequal('the quantity at MercadoLibre', /^lines\.SKU-002\.quantity$/), itsOrder('status', { quantity: 5 })),
  onSale(unequal('the total at MercadoLibre', /^total$/), itsOrder('status', { total_amount: 1 })),
  onSale(unequal('the lifecycle at MercadoLibre', /^lifecycle$/), itsOrder('status', { status: 'cancelled' })),
  onSale(unequal('the fulfilment at MercadoLibre', /^fulfilment$/), ({ running }, sale) =>
    running.meli('POST', `/admin/shipments/${sale.shipment_id}/status`, { status: 'shipped', no_notify: true }),
  ),
  onSale(lost('an order dropped at MercadoLibre'), itsOrder('delete')),
]

function onParisSale(expected: Expected, change: (world: AlteredWorld, id: string) => Promise<unknown>): Alteration {
  return {
    ...expected,
    async alter(world) {
      const { id } = taken(world.fresh.parisSales)
      await change(world, id)
      return `PARIS-${id}`
    },
  }
}

/** A sale of Paris that stands in the ERP. */
export const parisSales: Alteration[] = [
  onParisSale(unequal('the quantity at Paris', /^lines\.SKU-003\.quantity$/), ({ running }, id) =>
    running.paris('PATCH', `/admin/orders/${id}`, { items: [{ sku: 'SKU-003', qty: 7 }] }),
  ),
  onParisSale(unequal('the lifecycle at Paris', /^lifecycle$/), ({ running }, id) =>
    running.paris('PATCH', `/admin/orders/${id}`, { status: 'cancelled' }),
  ),
  onParisSale(unequal('the fulfilment at Paris', /^fulfilment$/), ({ running }, id) =>
    running.paris('PATCH', `/admin/orders/${id}`, { status: 'delivered' }),
  ),
  onParisSale(lost('an order dropped at Paris'), ({ running }, id) => running.paris('POST', `/admin/orders/${id}/delete`)),
]
