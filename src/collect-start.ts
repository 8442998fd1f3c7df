import type { Config } from './config.ts'
import type { OrderStore } from './ports/order-store.ts'
import type { ReconcileStore } from './ports/reconcile-store.ts'

export interface CollectStart {
  /** Nothing older is read. ISO instant. */
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

/**
 * Where the sweeps of a marketplace account begin, by the same rule: the shop's past sales are not made orders of Odoo. A webhook about one of
 * them still is.
 */
export async function sweepStartOf(config: Config, channel: string, store: Pick<ReconcileStore, 'sweepStart'>): Promise<CollectStart> {
  const given = config.file.channels[channel]?.since
  if (given !== undefined) {
    const since = new Date(given).toISOString()
    return { since, says: `orders created since ${since} are swept (channels.${channel}.since)` }
  }
  const { simulated } = channel.startsWith('paris:') ? config.paris : config.mercadolibre
  if (simulated) return { since: new Date(0).toISOString(), says: 'every order of the simulated marketplace is swept' }
  const since = await store.sweepStart(channel, FIRST_SPAN_HOURS * 3_600_000)
  return {
    since,
    says: `orders created since ${since} are swept, ${FIRST_SPAN_HOURS} hours before the first start; set channels.${channel}.since in hub.yaml for another day`,
  }
}

/** What a start says of both, one line a system. */
export async function startsOf(
  config: Config,
  marketplaces: readonly { channel: string }[],
  stores: { store: Pick<OrderStore, 'collectStart'>; reconcile: Pick<ReconcileStore, 'sweepStart'> },
): Promise<string[]> {
  // A disabled channel has not started yet.
  const started = marketplaces.filter(({ channel }) => config.file.channels[channel]?.enabled !== false)
  const swept = started.map(async ({ channel }) => `${channel}: ${(await sweepStartOf(config, channel, stores.reconcile)).says}`)
  return Promise.all([collectStartOf(config, stores.store).then(({ says }) => `odoo: ${says}`), ...swept])
}
