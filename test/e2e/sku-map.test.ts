import { afterAll, beforeAll, expect, test } from 'vitest'
import { HUB_YAML, type RunningHub, startHub, until } from '../support/running-hub.ts'

let running: RunningHub
beforeAll(async () => {
  const mapped = HUB_YAML.replace("'mercadolibre:1001': {", "'mercadolibre:1001': { skuMap: { TAZA-ML: SKU-002 },")
  running = await startHub({
    yaml: mapped.replace("'mercadolibre:1002': {", "'mercadolibre:1002': { warehouse: { storeId: '2', networkNodeId: '2' },"),
  })
})
afterAll(() => running.stop())

test('a sale under the marketplace’s SKU stands in Odoo under Odoo’s', async () => {
  const items = [{ sku: 'TAZA-ML', quantity: 2, unit_price: 4_990 }]
  const { pack_id } = (await running.meli('POST', '/admin/purchases', { seller: 1001, items, pack: true })) as { pack_id: number }
  const order = await until(async () => {
    const { orders } = (await running.odoo('GET', `/admin/orders?client_order_ref=${pack_id}`)) as {
      orders: { state: string; lines: { sku: string; quantity: number }[] }[]
    }
    return orders[0]?.state === 'sale' ? orders[0] : undefined
  })
  expect(order.lines.map(({ sku, quantity }) => [sku, quantity])).toEqual([['SKU-002', 2]])
})

test('an ERP order and the stock of its product go out under the marketplace’s SKU', async () => {
  await running.meli('POST', '/admin/items', { user_id: 1001, sku: 'TAZA-ML', price: 4_990, available_quantity: 1 })
  const lines = [{ sku: 'SKU-002', quantity: 3, price: 4_990 }]
  const { orders } = (await running.odoo('POST', '/admin/orders', { state: 'sale', team: 'MercadoLibre', lines })) as {
    orders: { id: number }[]
  }
  interface Entry {
    kind: string
    sku?: string
    stock?: { seller_id: number; locations: { quantity: number }[] }
    order?: { external_reference: string | null; order_items: { item: { seller_sku: string } }[] }
  }
  const entries = async () => ((await running.meli('GET', '/admin/ledger')) as { entries: Entry[] }).entries
  const there = await until(async () => (await entries()).find((e) => e.order?.external_reference === `odoo-${orders[0]?.id}`)?.order)
  expect(there.order_items.map((line) => line.item.seller_sku)).toEqual(['TAZA-ML'])
  await running.odoo('POST', '/admin/stock', { sku: 'SKU-002', quantity: 77 })
  const written = async (): Promise<number> => {
    const shown = (await entries()).filter((e) => e.kind === 'stock' && e.sku === 'TAZA-ML' && e.stock?.seller_id === 1001).at(-1)?.stock
    return shown?.locations.reduce((total, location) => total + location.quantity, 0) ?? 0
  }
  // Less what confirmed orders wait for.
  await until(async () => (await written()) > 60 && (await written()) <= 74)
})

test('of a seller’s several warehouses the one in the file is written', async () => {
  await running.meli('POST', '/admin/accounts', { user_id: 1002, user_product_seller: true })
  const locations = ['1', '2'].map((id) => ({ network_node_id: id, store_id: id, quantity: 5 }))
  await running.meli('POST', '/admin/items', { user_id: 1002, sku: 'SKU-005', price: 4_990, locations })
  await running.odoo('POST', '/admin/stock', { sku: 'SKU-005', quantity: 41 })
  interface Entry {
    kind: string
    sku?: string
    stock?: { seller_id: number; locations: { store_id: string; quantity: number }[] }
  }
  const written = async () => {
    const { entries } = (await running.meli('GET', '/admin/ledger')) as { entries: Entry[] }
    const last = entries.filter((e) => e.kind === 'stock' && e.sku === 'SKU-005' && e.stock?.seller_id === 1002).at(-1)?.stock
    return last?.locations.map(({ store_id, quantity }) => [store_id, quantity])
  }
  await expect.poll(written, { timeout: 20_000 }).toEqual([
    ['1', 5],
    ['2', 41],
  ])
})
