import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Shown, Wanted } from '../../src/ports/target.ts'
import { aLog, aWanted, failureOf, patient } from './marketplace-world.ts'
import { type MeliWorld, mercadolibreWorld, SELLER } from './mercadolibre-world.ts'

const ABSENT: Shown = { kind: 'absent' }
let world: MeliWorld

beforeAll(async () => {
  world = await mercadolibreWorld()
}, 60_000)
afterAll(() => world.close())

const send = (wanted: Wanted, operation: 'stock', shown: Shown) =>
  world.marketplace.send(wanted, operation, shown, crypto.randomUUID(), patient())

describe('stock', () => {
  const wantedStock = (sku: string, quantity: number, version = 1): Wanted => ({
    ...aWanted(world),
    version,
    desired: { kind: 'stock', sku, quantity },
  })
  const lookUp = (wanted: Wanted) => world.marketplace.lookUp(wanted, aLog().log, patient())
  const stockOf = async (sku: string) => {
    const rows = (await world.ledger()).flatMap((one) => (one.kind === 'stock' && one.sku === sku ? [one.stock] : []))
    return (rows.at(-1) as { locations: { quantity: number }[] } | undefined)?.locations.map((one) => one.quantity)
  }
  const asUserProductSeller = (is: boolean) => world.admin('POST', '/accounts', { user_id: SELLER, user_product_seller: is })

  test('of a classic listing is written on the listing, once a version', async () => {
    await asUserProductSeller(false)
    await world.admin('POST', '/items', { user_id: SELLER, sku: 'CLASSIC', available_quantity: 3 })
    const wanted = wantedStock('CLASSIC', 8)
    const shown = await lookUp(wanted)
    expect(world.marketplace.next(wanted, shown)).toEqual({ kind: 'send', operation: 'stock' })
    const sent = await send(wanted, 'stock', shown)
    expect(await stockOf('CLASSIC')).toEqual([8])
    expect(world.marketplace.next(wanted, sent.shown ?? ABSENT)).toEqual({ kind: 'done', reason: 'sent' })
    expect(world.marketplace.next({ ...wanted, version: 2 }, await lookUp(wanted))).toEqual({ kind: 'send', operation: 'stock' })
  })

  test('of a user product is written with the version that was read, and a stale one is a conflict', async () => {
    await asUserProductSeller(true)
    await world.admin('POST', '/items', { user_id: SELLER, sku: 'VERSIONED', available_quantity: 3 })
    const wanted = wantedStock('VERSIONED', 8)
    const stale = await lookUp(wanted)
    await send(wanted, 'stock', stale)
    expect(await stockOf('VERSIONED')).toEqual([8])
    expect((await failureOf(send(wanted, 'stock', stale))).code).toBe('conflict')
    await send(wantedStock('VERSIONED', 0), 'stock', await lookUp(wanted))
    expect(await stockOf('VERSIONED')).toEqual([0])
  })

  test('in several warehouses needs one to be named', async () => {
    await asUserProductSeller(true)
    const locations = ['1', '2'].map((id) => ({ network_node_id: id, store_id: id, quantity: 5 }))
    await world.admin('POST', '/items', { user_id: SELLER, sku: 'SPREAD', locations })
    const wanted = wantedStock('SPREAD', 4)
    expect(world.marketplace.next(wanted, await lookUp(wanted))).toMatchObject({ kind: 'refused', cause: 'unsupported-by-target' })
  })

  test('of a SKU that is not listed needs nothing', async () => {
    const wanted = wantedStock('NOBODY-SELLS-THIS', 4)
    expect(world.marketplace.next(wanted, await lookUp(wanted))).toEqual({ kind: 'done', reason: 'nothing-to-do' })
  })
})
