import { survivesFaults } from './marketplace-faults.ts'
import { readsOrders } from './marketplace-reading.ts'
import { deliversOrders } from './marketplace-target.ts'
import { readsWebhooks } from './marketplace-webhooks.ts'
import type { MarketplaceWorld } from './marketplace-world.ts'
import { afterAll, beforeAll, describe } from './suite.ts'

/** What every Marketplace promises, whatever it is. `make` starts one with buyers in it; one for the whole suite. */
export function marketplaceConformance(name: string, make: () => Promise<MarketplaceWorld>): void {
  describe(`${name}: a Marketplace`, () => {
    let world: MarketplaceWorld | undefined
    beforeAll(async () => {
      world = await make()
    }, 60_000)
    afterAll(async () => {
      await world?.close()
    })
    const there = (): MarketplaceWorld => {
      if (!world) throw new Error('the marketplace did not start')
      return world
    }
    deliversOrders(there)
    survivesFaults(there)
    readsOrders(there)
    readsWebhooks(there)
  })
}
