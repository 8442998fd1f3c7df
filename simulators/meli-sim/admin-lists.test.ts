import { expect, test } from 'vitest'
import { list, runSim, SELLER } from './running-sim.ts'

test('a purchase may say the id of its order, and the admin lists show the order and what was notified of it', async () => {
  const sim = await runSim()
  await sim.connect(SELLER)
  await sim.admin('PUT', '/callback', { url: 'http://127.0.0.1:1/nobody' })
  const purchase = { seller: SELLER, buyer: { nickname: 'CAMILA' }, items: [{ sku: 'A', unit_price: 990, order_id: 2000009040000101 }] }
  expect((await sim.admin('POST', '/purchases', purchase)).status).toBe(201)
  expect((await sim.admin('POST', '/purchases', purchase)).status).toBe(409)

  const { body } = await sim.admin('GET', '/orders?nickname=CAMILA')
  expect(body.total).toBe(1)
  expect(list(body.orders)[0]).toMatchObject({ id: 2000009040000101, nickname: 'CAMILA', status: 'paid', shipment_status: 'ready_to_ship' })
  expect((await sim.admin('GET', '/orders?id=1')).body.total).toBe(0)
  const notified = await sim.admin('GET', '/notifications?resource=/orders/2000009040000101')
  expect(list(notified.body.notifications)).toMatchObject([{ topic: 'orders_v2', user_id: SELLER }])
})
