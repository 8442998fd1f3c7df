import { type MemoryWorld, memoryWorld } from '../memory-world.ts'
import type { Marketplace } from '../../../src/ports/marketplace.ts'

/** A driver that breaks one promise of the port and keeps the others. */
export interface Broken<World> {
  /** Where the promise stands, and the promise. */
  breaks: string
  /** Sentences of the suite that must turn red. */
  red: string[]
  make(): World
}

export type Change = (memory: Marketplace, world: MemoryWorld) => Partial<Marketplace>

/** The memory marketplace with some of its methods replaced. */
export function changed(change: Change): MemoryWorld {
  const world = memoryWorld()
  return { ...world, marketplace: { ...world.marketplace, ...change(world.marketplace, world) } }
}
