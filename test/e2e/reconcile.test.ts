import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningHub, startHub, until } from '../support/running-hub.ts'

describe('the reconciler', () => {
  let running: RunningHub
  beforeAll(async () => {
    running = await startHub()
  })
  afterAll(() => running.stop())

  async function delivered(team: string): Promise<{ reference: string; externalId: string }> {
    const order = { state: 'sale', team, lines: [{ sku: 'SKU-001', quantity: 2, price: 10_000 }] }
    const { orders } = (await running.odoo('POST', '/admin/orders', order)) as { orders: { id: number }[] }
    const reference = `odoo-${orders[0]?.id}`
    const { external_id } = await until(async () => {
      const { rows } = await running.owner.query<{ external_id: string }>(
        `SELECT b.external_id FROM binding b JOIN delivery d ON d.binding_id = b.id WHERE b.reference = $1 AND b.channel <> 'odoo' AND d.state = 'delivered'`,
        [reference],
      )
      return rows[0]
    })
    return { reference, externalId: external_id }
  }

  const drifts = async (reference: string): Promise<{ kind: string; cause: string; fields: { field: string }[]; resolved: boolean }[]> =>
    (
      await running.owner.query(
        `SELECT d.kind, d.cause, d.fields, d.resolved_at IS NOT NULL AS resolved FROM drift d JOIN binding b ON b.order_id = d.order_id AND b.channel = d.channel WHERE b.reference = $1 ORDER BY d.id`,
        [reference],
      )
    ).rows

  test('content changed behind our back at the marketplace is a drift, repaired through the outbox', async () => {
    const { reference, externalId } = await delivered('Paris')
    await running.paris('PATCH', `/admin/orders/${externalId}`, { items: [{ sku: 'SKU-001', qty: 9 }] })
    const found = await until(async () => ((await drifts(reference)).some((d) => d.resolved) ? drifts(reference) : undefined))
    expect(found[0]).toMatchObject({ kind: 'content', cause: 'drift' })
    expect(found[0]?.fields).toMatchObject([{ field: 'lines.SKU-001.quantity' }])
    const { entries } = (await running.paris('GET', '/admin/ledger')) as {
      entries: { kind: string; id: string; order: { items: { qty: number }[] } }[]
    }
    expect(entries.filter((e) => e.kind === 'order' && e.id === externalId).at(-1)?.order.items).toMatchObject([{ qty: 2 }])
  })

  test('an order that vanished after its delivery is delivered-then-missing, and is not made anew', async () => {
    const { reference, externalId } = await delivered('Paris')
    await running.paris('POST', `/admin/orders/${externalId}/delete`)
    const found = await until(async () => {
      const open = await drifts(reference)
      return open.length > 0 ? open : undefined
    })
    expect(found).toMatchObject([{ kind: 'missing', cause: 'delivered-then-missing', resolved: false }])
    const { rows } = await running.owner.query(
      `SELECT count(*)::int AS versions FROM delivery d JOIN binding b ON b.id = d.binding_id WHERE b.reference = $1`,
      [reference],
    )
    expect(rows).toEqual([{ versions: 1 }])
  })

  test('a notification that never arrived is read from the missed feed or found by the sweep', async () => {
    await running.meli('PUT', '/admin/faults', [{ match: { path: '^/webhooks/' }, fault: 'lost-webhook' }])
    const bought = (await running.meli('POST', '/admin/purchases', {
      seller: 1001,
      items: [{ sku: 'SKU-002', quantity: 1, unit_price: 9_990 }],
    })) as { order_ids: (string | number)[] }
    await until(
      async () =>
        (
          await running.owner.query(`SELECT FROM silver_order WHERE origin = 'mercadolibre:1001' AND order_key = $1`, [
            String(bought.order_ids[0]),
          ])
        ).rowCount,
    )
    await running.meli('DELETE', '/admin/faults')
    const { rows } = await running.owner.query(`SELECT count(*)::int AS orders FROM silver_order WHERE order_key = $1`, [
      String(bought.order_ids[0]),
    ])
    expect(rows).toEqual([{ orders: 1 }])
  })

  test('a status of an old Paris order whose webhook was lost is found by looking at the order itself, for one born there and one sent there', async () => {
    const drafted = { buyer: 'Eva', items: [{ sku: 'SKU-001', qty: 1 }], created_at: new Date(Date.now() - 3 * 86_400_000).toISOString() }
    const { id } = (await running.paris('POST', '/admin/orders', drafted)) as { id: string }
    await running.paris('POST', `/admin/orders/${id}/emit-webhook`, { status: 'confirmed' })
    const { reference, externalId } = await delivered('Paris')
    const silver = async (orderKey: string): Promise<{ lifecycle: string; fulfilment: string } | undefined> =>
      (await running.owner.query(`SELECT lifecycle, fulfilment FROM silver_order WHERE order_key = $1`, [orderKey])).rows[0]
    await until(() => silver(id))
    // No list of the last hours holds either: what changes from here on is in no sweep.
    await running.paris('PUT', '/admin/faults', [{ match: { method: 'GET', path: '^/orders$' }, fault: 'status', status: 503 }])
    await running.paris('PATCH', `/admin/orders/${id}`, { status: 'cancelled' })
    await running.paris('PATCH', `/admin/orders/${externalId}`, { status: 'shipped' })
    await until(async () => (await silver(id))?.lifecycle === 'cancelled')
    await until(async () => (await silver(reference.replace('odoo-', '')))?.fulfilment === 'shipped')
    await running.paris('DELETE', '/admin/faults')
    const inOdoo = async () => {
      const { orders } = (await running.odoo('GET', `/admin/orders?client_order_ref=${id}`)) as { orders: { state: string }[] }
      return orders.map(({ state }) => state)
    }
    await expect.poll(inOdoo, { timeout: 20_000 }).toEqual(['cancel'])
  })

  test('an ERP order whose transaction committed late is found though its write date lies behind the cursor', async () => {
    const late = { state: 'sale', team: 'MercadoLibre', commit_after_ms: 2_500, lines: [{ sku: 'SKU-003', quantity: 1, price: 7_000 }] }
    const { orders } = (await running.odoo('POST', '/admin/orders', late)) as { orders: { id: number }[] }
    await delivered('MercadoLibre')
    const { rows } = await until(async () => {
      const found = await running.owner.query(
        `SELECT state FROM delivery d JOIN binding b ON b.id = d.binding_id WHERE b.reference = $1 AND b.channel <> 'odoo' AND state = 'delivered'`,
        [`odoo-${orders[0]?.id}`],
      )
      return found.rowCount ? found : undefined
    })
    expect(rows).toHaveLength(1)
  })
})
