import type { Config } from './config.ts'
import type { OrderStore } from './ports/order-store.ts'

export interface CollectStart {
  /** Nothing that changed in the ERP before is read. ISO instant. */
  since: string
  /** Why it is then, for people. */
  says: string
}

const FIRST_SPAN_HOURS = 24

/**
 * Where the reading of Odoo begins. A hub that is started on a running Odoo must not send its years of history to the marketplaces: without
 * a word in the YAML file it begins a day before its first start, and stays with that. The simulator holds nothing but the demo.
 */
export async function collectStartOf(config: Config, store: Pick<OrderStore, 'collectStart'>): Promise<CollectStart> {
  const { collectSince } = config.file
  if (collectSince !== undefined) {
    const since = new Date(collectSince).toISOString()
    return { since, says: `orders that changed in Odoo since ${since} are read (collectSince)` }
  }
  if (config.odoo.simulated) return { since: new Date(0).toISOString(), says: 'every order of the simulated Odoo is read' }
  const since = await store.collectStart(FIRST_SPAN_HOURS * 3_600_000)
  return {
    since,
    says: `orders that changed in Odoo since ${since} are read, ${FIRST_SPAN_HOURS} hours before the first start; set collectSince in hub.yaml for another day`,
  }
}
