import { amendsFromTheMarketplace } from './erp-amend.ts'
import { collectsOrders } from './erp-collect.ts'
import { holdsItsConnection } from './erp-connection.ts'
import { createsOrders } from './erp-create.ts'
import { followsThePack } from './erp-pack.ts'
import type { ErpWorld } from './erp-world.ts'
import { afterAll, beforeAll, describe } from './suite.ts'

/** What every Erp promises, whatever it is. `make` starts an ERP with people in it; one for the whole suite. */
export function erpConformance(name: string, make: () => Promise<ErpWorld>): void {
  describe(`${name}: an Erp`, () => {
    let world: ErpWorld | undefined
    beforeAll(async () => {
      world = await make()
    }, 120_000)
    afterAll(async () => {
      await world?.close()
    })
    const there = (): ErpWorld => {
      if (!world) throw new Error('the ERP did not start')
      return world
    }
    collectsOrders(there)
    createsOrders(there)
    amendsFromTheMarketplace(there)
    followsThePack(there)
    holdsItsConnection(there)
  })
}
