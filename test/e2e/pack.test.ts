import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningHub, startHub, until } from '../support/running-hub.ts'

interface ErpSnapshot {
  id: number
  state: string
  amount_total: number
  lines: { sku: string; quantity: number; external_id: string | null }[]
  pickings: { state: string; demand: { sku: string; quantity: number }[] }[]
}

describe('a pack whose orders come and go, end to end on the simulators', () => {
  let running: RunningHub
  beforeAll(async () => {
    running = await startHub()
  })
  afterAll(() => running.stop())

  const item = (sku: string, unit_price: number) => ({ sku, quantity: 1, unit_price })
  const purchase = async (items: object[], pack: boolean): Promise<{ orders: string[]; pack: string }> => {
    const bought = (await running.meli('POST', '/admin/purchases', { seller: 1001, items, pack })) as {
      order_ids: (number | string)[]
      pack_id: number | string | null
    }
    return { orders: bought.order_ids.map(String), pack: String(bought.pack_id) }
  }
  const erpOrders = async (reference: string): Promise<ErpSnapshot[]> =>
    ((await running.odoo('GET', `/admin/orders?client_order_ref=${reference}`)) as { orders: ErpSnapshot[] }).orders
  const erpOrder = (reference: string, isDue: (order: ErpSnapshot) => boolean) =>
    until(async () => (await erpOrders(reference)).find(isDue))
  const quantities = (order: ErpSnapshot) => Object.fromEntries(order.lines.map((line) => [line.sku, line.quantity]))
  const deliveries = async (reference: string): Promise<{ state: string; cause: string | null; summary: string | null }[]> =>
    (
      await running.owner.query<{ state: string; cause: string | null; summary: string | null }>(
        `SELECT d.state, d.cause, d.summary FROM delivery d JOIN binding b ON b.id = d.binding_id WHERE b.reference = $1 AND b.channel = 'odoo' ORDER BY d.version`,
        [reference],
      )
    ).rows

  test('a late order of a pack is appended to the order that Odoo holds', async () => {
    const { pack } = await purchase([item('SKU-002', 15_990)], true)
    const before = await erpOrder(pack, (order) => order.state === 'sale')
    await running.meli('POST', `/admin/packs/${pack}/add-order`, item('SKU-003', 4_990))
    const after = await erpOrder(pack, (order) => order.lines.length === 2)
    expect(after).toMatchObject({ id: before.id, state: 'sale', amount_total: 15_990 + 4_990 })
    expect(new Set(after.lines.map((line) => line.external_id)).size).toBe(2)
    expect(after.pickings.flatMap((picking) => picking.demand.map((one) => one.sku)).sort()).toEqual(['SKU-002', 'SKU-003'])
    await until(async () => (await deliveries(pack)).at(-1)?.state === 'delivered')
    expect(await erpOrders(pack)).toHaveLength(1)
  })

  test('a cancelled order of a pack goes to quantity 0 while the other stands', async () => {
    const { pack, orders } = await purchase([item('SKU-002', 15_990), item('SKU-003', 4_990)], true)
    await erpOrder(pack, (order) => order.state === 'sale')
    await running.meli('POST', `/admin/orders/${orders[1]}/status`, { status: 'cancelled' })
    const after = await erpOrder(pack, (order) => order.amount_total === 15_990)
    expect(quantities(after)).toEqual({ 'SKU-002': 1, 'SKU-003': 0 })
    expect(after.state).toBe('sale')
    await until(async () => (await deliveries(pack)).at(-1)?.state === 'delivered')
  })

  test('an order that gains a pack later stays one order, and its new sibling joins it', async () => {
    const { orders } = await purchase([item('SKU-002', 15_990)], false)
    const [first = ''] = orders
    const before = await erpOrder(first, (order) => order.state === 'sale')
    const { pack_id } = (await running.meli('POST', `/admin/orders/${first}/pack`, {})) as { pack_id: number | string }
    await running.meli('POST', `/admin/packs/${pack_id}/add-order`, item('SKU-004', 9_990))
    const after = await erpOrder(first, (order) => order.lines.length === 2)
    expect(after).toMatchObject({ id: before.id, amount_total: 15_990 + 9_990 })
    expect(await erpOrders(String(pack_id))).toHaveLength(0)
    const { rows } = await running.owner.query(`SELECT DISTINCT order_id FROM identifier WHERE value = ANY($1)`, [[first, String(pack_id)]])
    expect(rows).toHaveLength(1)
  })

  test('a late order after a person changed the Odoo order is a dead letter that says so', async () => {
    const { pack } = await purchase([item('SKU-002', 15_990)], true)
    const { id } = await erpOrder(pack, (order) => order.state === 'sale')
    await running.odoo('POST', `/admin/orders/${id}/edit`, { lines: [{ sku: 'SKU-002', quantity: 5 }] })
    await running.meli('POST', `/admin/packs/${pack}/add-order`, item('SKU-003', 4_990))
    const dead = await until(async () => (await deliveries(pack)).find((one) => one.state === 'dead'))
    expect(dead).toMatchObject({ cause: 'erp-conflict', summary: expect.stringContaining('a person changed') })
    expect((await erpOrders(pack)).map(quantities)).toEqual([{ 'SKU-002': 5 }])
  })
})
