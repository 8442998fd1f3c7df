import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunningHub, startHub, until } from '../support/running-hub.ts'

// The collector's own window opens once in ten minutes here: what comes sooner came by a hint.
let running: RunningHub
beforeAll(async () => {
  running = await startHub({ env: { OUTBOX_POLL_INTERVAL_SECONDS: '600', RECONCILER_INTERVAL_SECONDS: '600' } })
  await until(async () => (await running.owner.query(`SELECT FROM cursor WHERE name = 'erp-orders' AND moved_at IS NOT NULL`)).rowCount)
  await running.odoo('PUT', '/admin/webhook', { url: hook() })
}, 60_000)
afterAll(() => running.stop())

const hook = (): string => `${running.webhooks}/webhooks/odoo/${running.hub.config.odooPathSecret.reveal()}`
const order = { state: 'sale', team: 'MercadoLibre', lines: [{ sku: 'SKU-001', quantity: 1, price: 5_000 }] }

async function confirmed(): Promise<string> {
  const { orders } = (await running.odoo('POST', '/admin/orders', order)) as { orders: { name: string }[] }
  return orders[0]?.name ?? ''
}

async function deliveredTo(name: string): Promise<string | undefined> {
  const { rows } = await running.owner.query<{ channel: string }>(
    `SELECT d.channel FROM delivery d JOIN identifier i ON i.order_id = d.order_id WHERE i.value = $1 AND d.state = 'delivered'`,
    [name],
  )
  return rows[0]?.channel
}

test("Odoo's automation webhook has the order read long before the collector's own window", async () => {
  const name = await confirmed()
  expect(await until(() => deliveredTo(name))).toBe('mercadolibre:1001')
})

test('a hint of an order that nobody can read yet changes nothing and stays accounted for', async () => {
  const body = JSON.stringify({ _action: 'on write', _id: 999_999, _model: 'sale.order', write_date: '2026-11-25 12:00:00.000001' })
  const reply = await fetch(hook(), { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  expect(reply.status).toBe(200)
  const { event_id: eventId } = (await reply.json()) as { event_id: string }
  const state = await until(async () => {
    const { rows } = await running.owner.query<{ state: string }>(`SELECT state FROM inbound_event WHERE event_id = $1`, [eventId])
    return rows[0]?.state === 'pending' ? undefined : rows[0]?.state
  })
  expect(state).toBe('applied')
})

test('a hint of another model wakes the collector', async () => {
  await running.odoo('PUT', '/admin/webhook', { url: null })
  const name = await confirmed()
  const body = JSON.stringify({ _action: 'on write', _id: 1, _model: 'stock.picking', write_date: '2026-11-25 12:00:00.000001' })
  await fetch(hook(), { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  expect(await until(() => deliveredTo(name))).toBe('mercadolibre:1001')
})

test('while Odoo cannot be read a hint waits, and is applied once it answers again', async () => {
  await running.odoo('POST', '/admin/faults', { fault: 'status', status: 503 })
  const body = JSON.stringify({ _action: 'on write', _id: 1, _model: 'sale.order', write_date: '2026-11-25 12:00:00.000002' })
  const reply = await fetch(hook(), { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  const { event_id: eventId } = (await reply.json()) as { event_id: string }
  const stateOf = async () =>
    (
      await running.owner.query<{ state: string; cause: string | null }>(`SELECT state, cause FROM inbound_event WHERE event_id = $1`, [
        eventId,
      ])
    ).rows[0]
  await until(async () => (await stateOf())?.cause === 'erp-unreachable')
  await running.odoo('DELETE', '/admin/faults')
  expect(await until(async () => (await stateOf())?.state === 'applied' && 'applied')).toBe('applied')
})
