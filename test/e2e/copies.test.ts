import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Desk } from '../../src/desk.ts'
import { type Agent, agentOf, deskOf, missingEvidence } from '../support/agent.ts'
import { type RunningHub, startHub, until } from '../support/running-hub.ts'

describe('more than one order at a target under one reference of ours', () => {
  let running: RunningHub
  let desk: Desk
  let agent: Agent
  beforeAll(async () => {
    running = await startHub()
    desk = await deskOf(running)
    agent = await agentOf(desk, 'viewer')
  })
  afterAll(async () => {
    await agent.close()
    await desk.close()
    await running.stop()
  })

  async function delivered(team: string): Promise<{ reference: string; externalId: string }> {
    const order = { state: 'sale', team, lines: [{ sku: 'SKU-001', quantity: 2, price: 10_000 }] }
    const { orders } = (await running.odoo('POST', '/admin/orders', order)) as { orders: { id: number }[] }
    const reference = `odoo-${orders[0]?.id}`
    const bound = await until(() => boundAt(`b.reference = $1 AND b.channel <> 'odoo'`, reference))
    return { reference, externalId: bound.external_id }
  }

  async function boundAt(where: string, value: string): Promise<{ external_id: string; reference: string } | undefined> {
    const { rows } = await running.owner.query<{ external_id: string; reference: string }>(
      `SELECT b.external_id, b.reference FROM binding b JOIN delivery d ON d.binding_id = b.id WHERE ${where} AND d.state = 'delivered'`,
      [value],
    )
    return rows[0]
  }

  /** The diagnosis once it is that one. */
  const diagnosed = (id: string, cause: string): Promise<Awaited<ReturnType<Agent['trace']>>> =>
    until(async () => {
      const traced = await agent.trace(id)
      return traced.cause === cause ? traced : undefined
    })

  async function namesBoth(id: string, ids: readonly string[]): Promise<void> {
    const traced = await diagnosed(id, 'duplicated-at-target')
    const said = traced.evidence.map((e) => e.says).join(' ')
    for (const one of ids) expect(said).toContain(one)
    expect(await missingEvidence(running, traced.evidence)).toEqual([])
  }

  const drifts = async (reference: string): Promise<{ kind: string; there: string; resolved: boolean }[]> =>
    (
      await running.owner.query(
        `SELECT d.kind, d.fields -> 0 ->> 'there' AS there, d.resolved_at IS NOT NULL AS resolved
         FROM drift d JOIN binding b ON b.order_id = d.order_id AND b.channel = d.channel WHERE b.reference = $1 AND d.kind = 'duplicate'`,
        [reference],
      )
    ).rows

  test('a copy at MercadoLibre that no notification told of is found by the sweep, until it is cancelled', async () => {
    const { reference, externalId } = await delivered('MercadoLibre')
    const copy = (await running.meli('POST', `/admin/orders/${externalId}/duplicate`, { no_notify: true })) as { id: number }
    await namesBoth(reference, [externalId, String(copy.id)])
    expect(await drifts(reference)).toEqual([{ kind: 'duplicate', there: `${externalId}, ${copy.id}`, resolved: false }])
    await running.meli('POST', `/admin/orders/${copy.id}/status`, { status: 'cancelled' })
    await diagnosed(reference, 'delivered')
    expect(await drifts(reference)).toMatchObject([{ resolved: true }])
    expect(await boundAt('b.reference = $1', reference)).toMatchObject({ external_id: externalId })
  })

  test('a copy at Paris is found, and is none any more once it was removed there', async () => {
    const { reference, externalId } = await delivered('Paris')
    const copy = (await running.paris('POST', `/admin/orders/${externalId}/duplicate`)) as { id: string }
    await namesBoth(reference, [externalId, copy.id])
    await running.paris('POST', `/admin/orders/${copy.id}/delete`)
    await diagnosed(reference, 'delivered')
    expect(await drifts(reference)).toMatchObject([{ resolved: true }])
  })

  test('a marketplace order that somebody typed into Odoo a second time is found by Odoo’s own count', async () => {
    const items = [{ sku: 'SKU-002', quantity: 1, unit_price: 9_990 }]
    const bought = (await running.meli('POST', '/admin/purchases', { seller: 1001, items })) as { order_ids: (string | number)[] }
    const key = String(bought.order_ids[0])
    const bound = await until(() =>
      boundAt(`b.channel = 'odoo' AND b.order_id = (SELECT id FROM silver_order WHERE order_key = $1) AND d.channel = 'odoo'`, key),
    )
    const typed = {
      state: 'draft',
      client_order_ref: bound.reference,
      origin: 'mercadolibre:1001',
      lines: [{ sku: 'SKU-002', quantity: 1, price: 9_990 }],
    }
    const { orders } = (await running.odoo('POST', '/admin/orders', typed)) as { orders: { id: number }[] }
    const copy = String(orders[0]?.id)
    // By the name in Odoo: what the marketplace calls it now means two orders.
    const { name } = (await running.odoo('GET', `/admin/orders/${bound.external_id}`)) as { name: string }
    await namesBoth(name, [bound.external_id, copy])
    await running.odoo('POST', `/admin/orders/${copy}/cancel`)
    await diagnosed(name, 'delivered')
    expect(await drifts(bound.reference)).toMatchObject([{ resolved: true }])
  })
})
