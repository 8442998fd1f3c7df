import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HUB_YAML, type RunningHub, startHub, until } from '../support/running-hub.ts'

describe('where Odoo ships for MercadoLibre, end to end on the simulators', () => {
  let running: RunningHub
  beforeAll(async () => {
    running = await startHub({
      yaml: HUB_YAML.replace("'mercadolibre:1001': {", "'mercadolibre:1001': { shipsFrom: odoo,").replace(
        "'paris:main': {",
        "'paris:main': { shipsFrom: odoo,",
      ),
    })
  })
  afterAll(() => running.stop())

  interface Entry {
    kind: string
    id: string
    method?: string
    path?: string
    order?: { external_reference: string | null; shipment_status: string | null; tracking_number: string | null }
  }
  const entries = async (): Promise<Entry[]> => ((await running.meli('GET', '/admin/ledger')) as { entries: Entry[] }).entries
  const reports = async (shipment: string): Promise<number> =>
    (await entries()).filter((e) => e.kind === 'request' && e.path?.includes(`/shipments/${shipment}/seller_notifications`)).length
  const deliveries = async (channel: string, reference: string) =>
    (
      await running.owner.query<{ state: string; cause: string | null; content: { fulfilment: string | null; tracking: string | null } }>(
        `SELECT d.state, d.cause, w.content FROM delivery d JOIN binding b ON b.id = d.binding_id JOIN desired w ON w.id = d.desired_id
         WHERE b.channel = $1 AND b.reference = $2 ORDER BY d.version`,
        [channel, reference],
      )
    ).rows
  const orderThere = async (orderId: string) => (await entries()).filter((e) => e.kind === 'order' && e.id === orderId).at(-1)?.order

  test('a sale of MercadoLibre that Odoo delivered is reported there once, with its tracking number', async () => {
    const shipping = { mode: 'me1', logistic_type: 'default', status: 'handling', substatus: null }
    const bought = (await running.meli('POST', '/admin/purchases', {
      seller: 1001,
      items: [{ sku: 'SKU-002', quantity: 1, unit_price: 15_990 }],
      pack: true,
      shipping,
    })) as { order_ids: number[]; pack_id: number; shipment_id: number }
    const erpOrder = async () =>
      ((await running.odoo('GET', `/admin/orders?client_order_ref=${bought.pack_id}`)) as { orders: { id: number; state: string }[] })
        .orders[0]
    const { id } = await until(async () => {
      const order = await erpOrder()
      return order?.state === 'sale' ? order : undefined
    })
    await running.odoo('POST', `/admin/orders/${id}/deliver`, { tracking: 'CL-4711' })
    const shipped = await until(async () => {
      const order = await orderThere(String(bought.order_ids[0]))
      return order?.shipment_status === 'shipped' ? order : undefined
    })
    expect(shipped.tracking_number).toBe('CL-4711')
    await until(async () => (await deliveries('mercadolibre:1001', String(bought.pack_id))).at(-1)?.state === 'delivered')
    expect(await reports(String(bought.shipment_id))).toBe(1)
    // Odoo is not told its own word: no note, and the tracking number stays the person's.
    const { messages } = (await running.odoo('GET', `/admin/orders/${id}`)) as { messages: { body: string }[] }
    expect(messages.filter((m) => m.body.includes('shipped'))).toEqual([])
  })

  test('an ERP order that left Odoo is reported at MercadoLibre, and Paris, which takes no such word, is owed none', async () => {
    const order = async (team: string): Promise<number> => {
      const lines = [{ sku: 'SKU-001', quantity: 1, price: 10_000 }]
      const { orders } = (await running.odoo('POST', '/admin/orders', { state: 'sale', partner: 'Ana', team, lines })) as {
        orders: { id: number }[]
      }
      return orders[0]?.id ?? 0
    }
    const [ml, paris] = [await order('MercadoLibre'), await order('Paris')]
    await until(async () => (await deliveries('mercadolibre:1001', `odoo-${ml}`)).at(-1)?.state === 'delivered')
    await until(async () => (await deliveries('paris:main', `odoo-${paris}`)).at(-1)?.state === 'delivered')
    for (const id of [ml, paris]) await running.odoo('POST', `/admin/orders/${id}/deliver`, { tracking: `CL-${id}` })
    const there = await until(async () => {
      const entry = (await entries()).filter((e) => e.kind === 'order' && e.order?.external_reference === `odoo-${ml}`).at(-1)
      return entry?.order?.shipment_status === 'shipped' ? entry.order : undefined
    })
    expect(there.tracking_number).toBe(`CL-${ml}`)
    await until(async () => {
      const { rows } = await running.owner.query(
        `SELECT FROM silver_order WHERE origin = 'odoo' AND order_key = $1 AND fulfilment = 'shipped'`,
        [String(paris)],
      )
      return rows.length === 1
    })
    const owed = await deliveries('paris:main', `odoo-${paris}`)
    expect(owed.map((one) => [one.state, one.content.fulfilment])).toEqual([['delivered', null]])
  })
})
