import { marketplaceConformance } from './marketplace.ts'
import { memoryWorld } from './memory-world.ts'

marketplaceConformance('the marketplace in memory', () => Promise.resolve(memoryWorld()))
