import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningHub, startHub, until } from '../support/running-hub.ts'

interface ErpSnapshot {
  id: number
  state: string
  client_order_ref: string | null
  amount_total: number
  tracking: string | null
  lines: { sku: string; quantity: number }[]
  messages: { body: string }[]
}

describe('the two journeys, end to end on the simulators', () => {
  let running: RunningHub
  beforeAll(async () => {
    running = await startHub()
  })
  afterAll(() => running.stop())

  const newErpOrder = async (body: Record<string, unknown>): Promise<{ id: number; name: string }> => {
    const answer = (await running.odoo('POST', '/admin/orders', {
      state: 'sale',
      partner: 'María Pérez',
      lines: [{ sku: 'SKU-001', quantity: 2, price: 10_000 }],
      ...body,
    })) as {
      orders: { id: number; name: string }[]
    }
    const [order] = answer.orders
    if (!order) throw new Error('odoo-sim made no order')
    return order
  }
  const erpOrder = async (id: number): Promise<ErpSnapshot> => (await running.odoo('GET', `/admin/orders/${id}`)) as ErpSnapshot
  const bindingOf = async (
    reference: string,
  ): Promise<{ external_id: string | null; state: string; cause: string | null; summary: string | null } | undefined> =>
    (
      await running.owner.query(
        `SELECT b.external_id, d.state, d.cause, d.summary FROM binding b JOIN delivery d ON d.binding_id = b.id WHERE b.reference = $1 AND b.channel <> 'odoo' ORDER BY d.version DESC LIMIT 1`,
        [reference],
      )
    ).rows[0]
  const delivered = (reference: string) =>
    until(async () => ((await bindingOf(reference))?.state === 'delivered' ? await bindingOf(reference) : undefined))

  test('an ERP order appears at MercadoLibre, its amendment and its cancellation follow', async () => {
    const { id } = await newErpOrder({ team: 'MercadoLibre', client_order_ref: 'ML-777' })
    const bound = await delivered(`odoo-${id}`)
    const there = async (): Promise<{ status: string; total_amount: number }> => {
      const state = (await running.meli('GET', '/admin/ledger')) as {
        entries: { kind: string; id: string; order: { status: string; total_amount: number } }[]
      }
      return (
        state.entries.filter((e) => e.kind === 'order' && e.id === bound?.external_id).at(-1)?.order ?? { status: 'none', total_amount: 0 }
      )
    }
    expect(await there()).toMatchObject({ status: 'paid' })
    const total = (await erpOrder(id)).amount_total
    expect((await there()).total_amount).toBe(total)
    await running.odoo('POST', `/admin/orders/${id}/edit`, { lines: [{ sku: 'SKU-001', quantity: 3 }] })
    await until(async () => (await there()).total_amount > total)
    await running.odoo('POST', `/admin/orders/${id}/cancel`)
    await until(async () => (await there()).status === 'cancelled')
  })

  test('an ERP order appears at Paris, and what Paris ships is noted in Odoo once', async () => {
    const { id } = await newErpOrder({ team: 'Paris' })
    const bound = await delivered(`odoo-${id}`)
    await running.paris('POST', `/admin/orders/${bound?.external_id}/emit-webhook`, { status: 'delivered' })
    const noted = await until(async () => {
      const { messages } = await erpOrder(id)
      return messages.some((m) => m.body.includes('delivered')) ? messages : undefined
    })
    expect(noted.filter((m) => m.body.includes('[rosh:'))).toHaveLength(1)
  })

  test('a purchase at MercadoLibre becomes a confirmed order in Odoo with the same total, then its tracking', async () => {
    const bought = (await running.meli('POST', '/admin/purchases', {
      seller: 1001,
      items: [
        { sku: 'SKU-002', quantity: 1, unit_price: 15_990 },
        { sku: 'SKU-003', quantity: 2, unit_price: 4_990 },
      ],
      pack: true,
    })) as { pack_id: number | string; shipment_id: number | string }
    const inOdoo = async (): Promise<ErpSnapshot | undefined> => {
      const { orders } = (await running.odoo('GET', `/admin/orders?client_order_ref=${bought.pack_id}`)) as { orders: { id: number }[] }
      return orders[0] ? erpOrder(orders[0].id) : undefined
    }
    const order = await until(async () => {
      const found = await inOdoo()
      return found?.state === 'sale' ? found : undefined
    })
    expect(order.amount_total).toBe(15_990 + 2 * 4_990)
    await running.meli('POST', `/admin/shipments/${bought.shipment_id}/status`, { status: 'shipped', tracking_number: 'CL123' })
    await until(async () => (await inOdoo())?.tracking === 'CL123')
    const { orders } = (await running.odoo('GET', `/admin/orders?client_order_ref=${bought.pack_id}`)) as { orders: unknown[] }
    expect(orders).toHaveLength(1)
  })

  test('a SKU the marketplace does not know is a dead letter that names it; the fix and a newer version deliver', async () => {
    await running.meli('POST', '/admin/unknown-skus', { skus: ['SKU-009'] })
    const { id } = await newErpOrder({ team: 'MercadoLibre', lines: [{ sku: 'SKU-009', quantity: 1, price: 5_000 }] })
    const dead = await until(async () => ((await bindingOf(`odoo-${id}`))?.state === 'dead' ? bindingOf(`odoo-${id}`) : undefined))
    expect(dead).toMatchObject({ cause: 'sku-unknown' })
    expect(dead?.summary).toContain('SKU-009')
    await running.meli('DELETE', '/admin/unknown-skus')
    await running.odoo('POST', `/admin/orders/${id}/edit`, { lines: [{ sku: 'SKU-001', quantity: 1, price: 5_000 }] })
    await delivered(`odoo-${id}`)
  })

  test('a record that cannot be mapped is quarantined with its field; the rest flows', async () => {
    const bad = await newErpOrder({ team: 'MercadoLibre', lines: [{ sku: 'SKU-001', quantity: 0, price: 100 }] })
    const good = await newErpOrder({ team: 'MercadoLibre' })
    await delivered(`odoo-${good.id}`)
    const { rows } = await running.owner.query(`SELECT field FROM erp_quarantine WHERE erp_id = $1 AND resolved_at IS NULL`, [
      String(bad.id),
    ])
    expect(rows).toHaveLength(1)
  })

  test('an order of which one item was refunded is created in Odoo, and its tracking number follows', async () => {
    const bought = (await running.meli('POST', '/admin/purchases', {
      seller: 1001,
      items: [{ sku: 'SKU-002', quantity: 2, unit_price: 15_990 }],
      status: 'partially_refunded',
    })) as { order_ids: (number | string)[]; shipment_id: number | string }
    const inOdoo = async (): Promise<ErpSnapshot | undefined> => {
      const { orders } = (await running.odoo('GET', `/admin/orders?client_order_ref=${bought.order_ids[0]}`)) as {
        orders: { id: number }[]
      }
      return orders[0] ? erpOrder(orders[0].id) : undefined
    }
    await until(async () => (await inOdoo())?.state === 'sale')
    await running.meli('POST', `/admin/shipments/${bought.shipment_id}/status`, { status: 'shipped', tracking_number: 'CL124' })
    expect(await until(async () => (await inOdoo())?.tracking)).toBe('CL124')
  })

  test('an order whose webhook was lost is found by the sweep', async () => {
    const bought = (await running.meli('POST', '/admin/purchases', {
      seller: 1002,
      items: [{ sku: 'SKU-004', quantity: 1, unit_price: 9_990 }],
      no_notify: true,
    })) as { order_ids: (number | string)[] }
    const found = await until(async () => {
      const { orders } = (await running.odoo('GET', `/admin/orders?client_order_ref=${bought.order_ids[0]}`)) as { orders: unknown[] }
      return orders.length > 0 ? orders : undefined
    })
    expect(found).toHaveLength(1)
  })
})
