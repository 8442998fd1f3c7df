import { marketplaceConformance } from './marketplace.ts'
import { parisWorld } from './paris-world.ts'

marketplaceConformance('Paris by its contract, against paris-mock', () => parisWorld({ lookUpByQuery: false }))
marketplaceConformance('Paris that filters by reference, against paris-mock', () => parisWorld({ lookUpByQuery: true, searchLagMs: 100 }))
