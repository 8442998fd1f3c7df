import { afterAll, beforeAll, expect, test } from 'vitest'
import type { DesiredOrder } from '../../src/core/desired.ts'
import type { Shown, Wanted } from '../../src/ports/target.ts'
import { aLog, failureOf, patient } from './marketplace-world.ts'
import { type MeliWorld, mercadolibreWorld, SELLER } from './mercadolibre-world.ts'

let world: MeliWorld
beforeAll(async () => {
  world = await mercadolibreWorld()
})
afterAll(() => world.close())

const reports = async (shipment: string): Promise<number> =>
  (await world.requests()).filter((one) => one.method === 'POST' && one.path.includes(`/shipments/${shipment}/seller_notifications`)).length

async function bought(shipping: object, pack = false): Promise<{ key: string; shipment: string }> {
  const items = [{ sku: 'TAZA', quantity: 1, unit_price: 5_000 }, ...(pack ? [{ sku: 'OLLA', quantity: 1, unit_price: 9_000 }] : [])]
  const sale = (await world.admin('POST', '/purchases', { seller: SELLER, items, pack, shipping, no_notify: true })) as {
    order_ids: number[]
    pack_id: number | null
    shipment_id: number
  }
  return { key: String(sale.pack_id ?? sale.order_ids[0]), shipment: String(sale.shipment_id) }
}

const ME1 = { mode: 'me1', logistic_type: 'default', status: 'handling', substatus: null }
const owed = (key: string, desired: Partial<DesiredOrder>): Wanted => ({
  channel: `mercadolibre:${SELLER}`,
  reference: key,
  generation: 1,
  version: 1,
  externalId: null,
  firstSentAt: null,
  personal: null,
  desired: {
    kind: 'order',
    origin: `mercadolibre:${SELLER}`,
    orderKey: key,
    lifecycle: 'open',
    fulfilment: 'shipped',
    tracking: 'CL-9',
    confirm: true,
    currency: 'CLP',
    totalMinor: null,
    lines: [],
    ...desired,
  },
})
const look = (wanted: Wanted): Promise<Shown> => world.real.lookUp(wanted, aLog().log, patient())

test.each([
  ['an order', false],
  ['a pack', true],
])('%s that a buyer made is reported shipped at the real account, once, with its tracking number', async (_what, pack) => {
  const { key, shipment } = await bought(ME1, pack)
  const wanted = owed(key, {})
  const shown = await look(wanted)
  expect(world.real.next(wanted, shown)).toEqual({ kind: 'send', operation: 'track' })
  await world.real.send(wanted, 'track', shown, crypto.randomUUID(), patient())
  const after = await look(wanted)
  expect(after).toMatchObject({ externalId: key, content: { fulfilment: 'shipped', extra: { tracking: 'CL-9' } } })
  expect(world.real.next(wanted, after)).toEqual({ kind: 'done', reason: 'already-there' })
  expect(await reports(shipment)).toBe(1)
})

test('a lost answer to `delivered` is settled by reading the shipment, and it is not reported again', async () => {
  const { key, shipment } = await bought(ME1)
  const wanted = owed(key, { fulfilment: 'delivered' })
  const shown = await look(wanted)
  await world.admin('PUT', '/faults', [{ match: { method: 'POST', path: '/seller_notifications' }, fault: 'accept-then-reset', times: 1 }])
  const failure = await failureOf(world.real.send(wanted, 'track', shown, crypto.randomUUID(), patient()))
  await world.heal()
  expect(failure.code).toBe('no-answer')
  expect(world.real.next(wanted, await look(wanted))).toEqual({ kind: 'done', reason: 'already-there' })
  expect(await reports(shipment)).toBe(1)
})

test('a shipment that a carrier reports is refused before any request, with its mode', async () => {
  const { key, shipment } = await bought({ mode: 'me2', logistic_type: 'cross_docking', status: 'ready_to_ship', substatus: null })
  const wanted = owed(key, {})
  expect(world.real.next(wanted, await look(wanted))).toMatchObject({
    kind: 'refused',
    cause: 'unsupported-by-target',
    summary: expect.stringContaining('me2'),
  })
  expect(await reports(shipment)).toBe(0)
})
