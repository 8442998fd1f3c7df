import { expect, test } from 'vitest'
import { list, runSim, SELLER } from './running-sim.ts'
import type { RunningSim } from './running-sim.ts'

const ME1 = { mode: 'me1', logistic_type: 'default', status: 'ready_to_ship', substatus: null }

async function buy(sim: RunningSim, more: Record<string, unknown> = {}) {
  const { body } = await sim.admin('POST', '/purchases', { seller: SELLER, items: [{ sku: 'A', unit_price: 1_000 }], ...more })
  return { shipment: body.shipment_id, order: body.order_ids?.[0] }
}

test('a shipment has a new and a legacy shape', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  const { shipment } = await buy(sim)
  const fresh = (await sim.call(token, 'GET', `/shipments/${shipment}`, undefined, { 'x-format-new': 'true' })).body
  expect(fresh).toMatchObject({ id: shipment, status: 'ready_to_ship', substatus: 'ready_to_print', external_reference: null })
  expect(fresh.logistic).toMatchObject({ mode: 'me2', type: 'drop_off', direction: 'forward' })
  const legacy = (await sim.call(token, 'GET', `/shipments/${shipment}`)).body
  expect(legacy).toMatchObject({ logistic_type: 'drop_off', mode: 'me2' })
  expect(legacy).not.toHaveProperty('logistic')
})

test('the address is hidden until the payment is confirmed', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  const { shipment, order } = await buy(sim, { status: 'payment_in_process' })
  const destination = async () =>
    (await sim.call(token, 'GET', `/shipments/${shipment}`, undefined, { 'x-format-new': 'true' })).body.destination
  expect(await destination()).toMatchObject({ shipping_address: null, receiver_name: null })
  await sim.admin('POST', `/orders/${order}/status`, { status: 'paid' })
  expect((await destination())?.shipping_address).toMatchObject({ country: { id: 'CL' } })
})

test('a shipment moves on its own version and keeps its history', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  const { shipment, order } = await buy(sim)
  const before = (await sim.call(token, 'GET', `/orders/${order}`)).body.last_updated
  await sim.admin('POST', `/shipments/${shipment}/status`, { status: 'shipped', tracking_number: 'CL123' })
  await sim.admin('POST', `/shipments/${shipment}/status`, { status: 'delivered' })
  expect((await sim.call(token, 'GET', `/orders/${order}`)).body.last_updated).toBe(before)
  const history = list((await sim.call(token, 'GET', `/shipments/${shipment}/history`)).body)
  expect(history.map((row) => row.status)).toEqual(['ready_to_ship', 'shipped', 'delivered'])
  const snapshots = (await sim.ledger()).flatMap((one) => (one.kind === 'order' ? [one.order] : []))
  expect(snapshots.at(-1)).toMatchObject({ shipment_status: 'delivered', tracking_number: 'CL123' })
})

test('an order may have no shipment, or get it later', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  const none = await buy(sim, { shipping: 'none' })
  const order = (await sim.call(token, 'GET', `/orders/${none.order}`)).body
  expect(order.shipping).toEqual({ id: null })
  expect(list(order.tags)).toContain('no_shipping')
  const later = await buy(sim, { shipping: 'later' })
  expect((await sim.call(token, 'GET', `/orders/${later.order}/shipments`)).status).toBe(204)
  const { id } = (await sim.admin('POST', `/orders/${later.order}/shipment`)).body
  await sim.admin('POST', `/orders/${later.order}/shipment`, { type: 'return' })
  const listed = (await sim.call(token, 'GET', `/orders/${later.order}/shipments`, undefined, { 'x-new-domain': 'true' })).body
  expect(list(listed).map((row) => row.type)).toEqual(['forward', 'return'])
  expect((await sim.call(token, 'GET', `/orders/${later.order}/shipments`)).body).toMatchObject({ id, logistic_type: 'drop_off' })
  expect((await sim.call(token, 'GET', `/orders/${later.order}`)).body.shipping).toEqual({ id })
})

test('a seller reports ME1 shipments only, in documented steps, and delivered is for ever', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  const { shipment } = await buy(sim, { shipping: ME1 })
  const carried = await buy(sim)
  const report = (id: unknown, body: Record<string, unknown>) =>
    sim.call(token, 'POST', `/shipments/${id}/seller_notifications`, { payload: { service_id: 282578, comment: '', date: '' }, ...body })
  const shipped = await report(shipment, { status: 'shipped', substatus: 'null', tracking_number: 'T1', tracking_url: 'https://t.test/T1' })
  expect([shipped.status, shipped.body.tracking_number]).toEqual([200, 'T1'])
  expect((await report(carried.shipment, { status: 'shipped' })).body.error).toBe('invalid_shipment_mode')
  expect((await report(shipment, { status: 'shipped', substatus: 'stolen' })).body.error).toBe('invalid_status')
  expect((await report(shipment, { status: 'shipped', payload: { service_id: 1 } })).status).toBe(400)
  expect((await report(shipment, { status: 'delivered', substatus: null })).status).toBe(200)
  expect((await report(shipment, { status: 'shipped' })).body.error).toBe('invalid_transition')
  expect((await sim.call(token, 'GET', `/shipments/${shipment}/lead_time`)).status).toBe(404)
})

test('"I have the product" is for ME2 with manufacturing time', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  const made = await buy(sim, { shipping: { status: 'pending', substatus: 'manufacturing', manufacturing_time: true } })
  const stocked = await buy(sim)
  expect((await sim.call(token, 'POST', `/shipments/${made.shipment}/process/ready_to_ship`)).body).toEqual({ status: 200 })
  expect((await sim.call(token, 'POST', `/shipments/${stocked.shipment}/process/ready_to_ship`)).status).toBe(400)
})

test('a sale takes one PDF and one XML, not for Full', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  const { order } = await buy(sim)
  const full = await buy(sim, { shipping: { logistic_type: 'fulfillment' } })
  const attach = async (id: unknown, type: string) => {
    const body = new FormData()
    body.set('fiscal_document', new Blob(['%PDF-1.4'], { type }), 'boleta.pdf')
    const url = `${sim.url}/packs/${id}/fiscal_documents`
    return (await fetch(url, { method: 'POST', headers: { authorization: `Bearer ${token}` }, body })).status
  }
  expect((await sim.call(token, 'GET', `/packs/${order}/fiscal_documents`)).status).toBe(404)
  const seen = [await attach(order, 'application/pdf'), await attach(order, 'application/pdf'), await attach(order, 'text/xml')]
  expect(seen).toEqual([201, 409, 201])
  expect(await attach(full.order, 'application/pdf')).toBe(403)
  expect(await attach(order, 'image/png')).toBe(400)
  const listed = (await sim.call(token, 'GET', `/packs/${order}/fiscal_documents`)).body
  expect(listed.fiscal_documents?.[0]).toMatchObject({ filename: 'boleta.pdf', bytes: 8 })
})
