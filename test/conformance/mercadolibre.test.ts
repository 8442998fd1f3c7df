import { marketplaceConformance } from './marketplace.ts'
import { mercadolibreWorld } from './mercadolibre-world.ts'

marketplaceConformance('MercadoLibre, against meli-sim', mercadolibreWorld)
