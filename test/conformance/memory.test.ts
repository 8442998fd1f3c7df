import { erpConformance } from './erp.ts'
import { marketplaceConformance } from './marketplace.ts'
import { memoryErpWorld } from './memory-erp-world.ts'
import { memoryWorld } from './memory-world.ts'

marketplaceConformance('the marketplace in memory', () => Promise.resolve(memoryWorld()))
erpConformance('the ERP in memory', () => Promise.resolve(memoryErpWorld()))
