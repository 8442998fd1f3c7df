import { afterAll, beforeAll, expect, test } from 'vitest'
import { unbalanced } from '../../src/cli/status.ts'
import { type RunningHub, startHub, until } from '../support/running-hub.ts'

let running: RunningHub
beforeAll(async () => {
  running = await startHub()
})
afterAll(() => running.stop())

interface Flow {
  flow: string
  taken: number
  accounted: number
}

const flows = async (): Promise<Flow[]> =>
  (await running.owner.query<Flow>(`SELECT flow, taken::int AS taken, accounted::int AS accounted FROM conservation ORDER BY flow`)).rows

const order = (change: object): object => ({
  state: 'sale',
  team: 'MercadoLibre',
  lines: [{ sku: 'SKU-001', quantity: 1, price: 5_000 }],
  ...change,
})

test('what was taken in is accounted for in every snapshot, while orders of every kind are planned', { timeout: 90_000 }, async () => {
  const snapshots: Flow[][] = []
  let sampling = true
  const sampler = (async () => {
    while (sampling) snapshots.push(await flows())
  })()
  const kinds = [
    ...Array.from({ length: 6 }, () => order({ count: 5 })), // two of them at once to one channel and to another
    ...Array.from({ length: 6 }, () => order({ team: 'Paris', count: 5 })),
    ...Array.from({ length: 4 }, () => order({ team: undefined, count: 5 })), // by default to every marketplace
    ...Array.from({ length: 3 }, () => order({ team: 'Web', count: 2 })), // not routed
    ...Array.from({ length: 3 }, () => order({ state: 'draft', count: 2 })), // nothing owed
    ...Array.from({ length: 3 }, () => order({ lines: [{ sku: 'SKU-003', quantity: 0, price: 5_000 }] })), // quarantined
  ]
  const made: number[] = []
  for (const one of kinds) {
    const { orders } = (await running.odoo('POST', '/admin/orders', one)) as { orders: { id: number }[] }
    made.push(...orders.map((o) => o.id))
    const first = orders[0]?.id
    if (made.length % 3 === 0) await running.odoo('POST', `/admin/orders/${first}/cancel`)
    await running.meli('POST', '/admin/purchases', { seller: 1001, items: [{ sku: 'SKU-002', quantity: 1, unit_price: 9_990 }] })
  }
  const erp = async (): Promise<Flow | undefined> => (await flows()).find((f) => f.flow === 'erp')
  await until(async () => (await erp())?.taken === made.length, 60_000)
  sampling = false
  await sampler
  const seen = new Set(snapshots.map((rows) => rows.find((f) => f.flow === 'erp')?.taken))
  expect(seen.size, 'the sampler saw the count grow').toBeGreaterThan(3)
  expect(snapshots.flat().filter((f) => f.taken !== f.accounted)).toEqual([])
  expect((await flows()).map((f) => f.flow)).toEqual(['deliveries', 'erp', 'inbound'])
  expect(await unbalanced(running.hub.pools.reader)).toEqual([])
})

test('an order that is owed to a channel and has no version for it is red', async () => {
  await running.halt()
  const { rows } = await running.owner.query<{ id: string }>(
    `UPDATE silver_order SET route = jsonb_set(route, '{channels}', route -> 'channels' || '["mercadolibre:1002"]')
     WHERE id = (SELECT order_id FROM binding WHERE channel = 'mercadolibre:1001' AND kind = 'order' AND order_id NOT IN (SELECT order_id FROM binding WHERE channel = 'mercadolibre:1002' AND order_id IS NOT NULL)
                 AND order_id IN (SELECT id FROM silver_order WHERE origin = 'odoo' AND confirmed AND lifecycle <> 'cancelled') LIMIT 1) RETURNING id`,
  )
  expect(rows).toHaveLength(1)
  expect(await unbalanced(running.hub.pools.reader)).toEqual([
    expect.stringMatching(/^conservation is broken: erp took \d+ and accounts for \d+$/),
  ])
})
