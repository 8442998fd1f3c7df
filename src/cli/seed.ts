import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Config } from '../config.ts'
import { packageRoot } from '../home.ts'
import { CliError, type Register } from './context.ts'
import { ownHub } from './own-hub.ts'
import { type ErpListing, listErpOrders, type PlannedErpOrder, plannedErpOrders, seedErpOrders, seedMasterData } from './seed/erp-orders.ts'
import { dispatchOrders } from './seed/dispatches.ts'
import { type Incident, Incidents, isPlanted, type Patience, plantFirst, plantLate } from './seed/incident.ts'
import { listMeliOrders, type PlannedPurchase, plannedPurchases, seedPurchases } from './seed/mercadolibre-purchases.ts'
import { listParisOrders, type PlannedParisOrder, plannedParisOrders, seedParisOrders } from './seed/paris-orders.ts'
import { sideBySide, type SimulatorApi, simulatorApi } from './seed/simulator-api.ts'

export interface SeedOptions {
  config: Config
  /** Takes every fault knob of the simulators away first. */
  reset?: boolean
  /** Consent to write to a real system. */
  yes?: boolean
  /** The summary is what counts: no progress lines. */
  json: boolean
  /** How long the incidents that wait for the hub are waited for, milliseconds. */
  patienceMs?: number
  progress: (line: string) => void
  signal: AbortSignal
}

interface Counted {
  planned: number
  /** New in this run. */
  created: number
}

export interface SeedSummary {
  erpOrders: Counted
  purchases: Counted
  parisOrders: Counted
  incidents: Counted
  /** References of incidents that need the hub to run first; the next run plants them. */
  waiting: string[]
  elapsedMs: number
}

/** Orders of the Monday, incidents included. */
const MONDAY = { erpOrders: 500, purchases: 200, parisOrders: 100 } as const
const PATIENCE_MS = 6_000

/** `rosh seed`: fills the simulators of a running demo. */
export const registerSeed: Register = (program, context) => {
  program
    .command('seed')
    .description('fill the simulators with a Monday: orders in every system and incidents of many causes; what is there already stays')
    .option('--reset', 'take the fault knobs of the simulators away first')
    .option('--yes', 'consent to write to a real system')
    .option('--json', 'print one JSON object')
    .action(async (options: { reset?: boolean; yes?: boolean; json?: boolean }) => {
      const config = ownHub(context)
      const { progress, signal } = context
      const { reset = false, yes = false, json = false } = options
      const summary = await seedCommand({ config, reset, yes, json, progress, signal })
      context.print(json ? JSON.stringify(summary) : sentenceOf(summary))
    })
}

/**
 * Seeds the Monday through the simulators' HTTP APIs alone. Run again it does only what is missing. Throws a CliError where a part is real:
 * `--yes` is needed, and no real system can be seeded yet.
 */
export async function seedCommand(options: SeedOptions): Promise<SeedSummary> {
  const { config, signal } = options
  refuseRealSystems(config, options.yes ?? false)
  const startedMs = performance.now()
  const say = options.json ? () => {} : options.progress
  const api = simulatorApi(config, signal)
  try {
    if (options.reset) await clearKnobs(api)
    const settle = await connectCallbacks(api, config)
    const planted = await seedAll(api, config, { say, signal, patienceMs: options.patienceMs ?? PATIENCE_MS })
    await settle()
    return { ...planted, elapsedMs: Math.round(performance.now() - startedMs) }
  } finally {
    await api.close()
  }
}

function refuseRealSystems(config: Config, yes: boolean): void {
  const real = [
    ...(config.odoo.simulated ? [] : [`Odoo at ${config.odoo.url} (products, partners and orders are not created there yet)`]),
    ...(config.mercadolibre.simulated ? [] : ['MercadoLibre (only a buyer creates orders there)']),
    ...(config.paris.simulated ? [] : [`Paris at ${config.paris.url} (only its simulator takes orders by hand)`]),
  ]
  if (real.length === 0) return
  const why = yes
    ? 'it cannot be seeded; unset its variables to seed the simulators'
    : 'a real system is written to only with --yes; unset its variables to seed the simulators'
  throw new CliError('real-system', `not seeded: ${real.join('; ')}: ${why}`)
}

async function clearKnobs(api: SimulatorApi): Promise<void> {
  for (const on of ['odoo-sim', 'meli-sim', 'paris-mock'] as const) await api.text({ on, method: 'DELETE', path: '/admin/faults' })
  await api.text({ on: 'odoo-sim', method: 'DELETE', path: '/admin/fail-writes' })
  for (const on of ['meli-sim', 'paris-mock'] as const) {
    await api.text({ on, method: 'DELETE', path: '/admin/unknown-skus' })
    await api.text({ on, method: 'DELETE', path: '/admin/refuse-references' })
  }
}

const NICKNAMES = ['TIENDA OFICIAL ANDES', 'OUTLET ANDES']
const TOPICS = ['orders_v2', 'shipments']
const ParisWebhooks = z.object({ retryDelaysMs: z.array(z.number()) })

/**
 * Tells the simulators where the hub listens. What it answers is called at the end: it gives Paris its patience back and sets Odoo's
 * automation up, which people switch off for an import, because hundreds of new orders would post thousands of webhooks.
 */
async function connectCallbacks(api: SimulatorApi, config: Config): Promise<() => Promise<void>> {
  const hub = `http://127.0.0.1:${config.httpPort}/webhooks`
  const setOdoo = async (url: string | null): Promise<void> =>
    void (await api.text({ on: 'odoo-sim', method: 'PUT', path: '/admin/webhook', body: { url } }))
  await setOdoo(null)
  for (const [at, seller] of sellersOf(config).entries()) {
    const nickname = NICKNAMES[at]
    const body = { user_id: seller, ...(nickname === undefined ? {} : { nickname }) }
    await api.text({ on: 'meli-sim', method: 'POST', path: '/admin/accounts', body })
  }
  const url = `${hub}/mercadolibre/${config.mercadolibre.pathSecret.reveal()}`
  await api.text({ on: 'meli-sim', method: 'PUT', path: '/admin/callback', body: { url, topics: TOPICS } })
  await api.text({ on: 'paris-mock', method: 'POST', path: '/webhooks/register', body: { url: `${hub}/paris` } })
  const paris = { on: 'paris-mock', path: '/admin/webhooks' } as const
  const { retryDelaysMs } = await api.ask(ParisWebhooks, { ...paris, method: 'GET' })
  await api.text({ ...paris, method: 'PUT', body: { secret: config.paris.apiSecret.reveal(), retryDelaysMs: [100] } })
  return async () => {
    await api.text({ ...paris, method: 'PUT', body: { retryDelaysMs } })
    await setOdoo(`${hub}/odoo/${config.odooPathSecret.reveal()}`)
  }
}

function sellersOf(config: Config): number[] {
  return config.file.mercadolibre.accounts.map(Number)
}

interface Around {
  say: (line: string) => void
  signal: AbortSignal
  patienceMs: number
}

// Incidents go first: some of them wait for what the hub makes of them, and the rest of the Monday gives it the time.
async function seedAll(api: SimulatorApi, config: Config, around: Around): Promise<Omit<SeedSummary, 'elapsedMs'>> {
  const incidents = readIncidents()
  const knownErp = await listErpOrders(api)
  const plan: Plan = {
    incidents,
    erp: plannedErpOrders(MONDAY.erpOrders - bornIn(incidents, 'odoo')),
    purchases: plannedPurchases(MONDAY.purchases - bornIn(incidents, 'mercadolibre'), sellersOf(config)),
    paris: plannedParisOrders(MONDAY.parisOrders - bornIn(incidents, 'paris')),
  }
  const origins = new Set(knownErp.map((order) => order.origin))
  if (plan.erp.some(({ order }) => !origins.has(order.origin))) await seedMasterData(api)
  const first = await plantAll(api, incidents, around)
  // No deadline before the rest of the Monday is in.
  const patience = { deadlineMs: Number.POSITIVE_INFINITY, signal: around.signal }
  const orders = seedOrders(api, plan, { knownErp, say: around.say }).finally(() => {
    patience.deadlineMs = performance.now() + around.patienceMs
  })
  const [created, late] = await Promise.all([orders, plantRest(api, incidents, patience)])
  await dispatchOrders(api, plan.erp, { known: await listErpOrders(api), patience })
  return {
    erpOrders: { planned: plan.erp.length, created: created.erp },
    purchases: { planned: plan.purchases.length, created: created.purchases },
    parisOrders: { planned: plan.paris.length, created: created.paris },
    incidents: { planned: incidents.length, created: first.created },
    waiting: [...new Set([...first.waiting, ...late])],
  }
}

interface Plan {
  incidents: Incident[]
  erp: PlannedErpOrder[]
  purchases: PlannedPurchase[]
  paris: PlannedParisOrder[]
}

// Three systems, side by side as in life. Answers how many are new in each.
async function seedOrders(
  api: SimulatorApi,
  plan: Plan,
  { knownErp, say }: { knownErp: ErpListing; say: Around['say'] },
): Promise<{ purchases: number; paris: number; erp: number }> {
  const telling = (what: string, total: number, planned: readonly unknown[]) => (done: number) =>
    say(`${what} ${done + total - planned.length}/${total}`)
  const [purchases, paris, erp] = await Promise.all([
    seedPurchases(api, plan.purchases, {
      known: await listMeliOrders(api),
      progress: telling('MercadoLibre purchases', MONDAY.purchases, plan.purchases),
    }),
    seedParisOrders(api, plan.paris, {
      known: await listParisOrders(api),
      progress: telling('Paris orders', MONDAY.parisOrders, plan.paris),
    }),
    seedErpOrders(api, plan.erp, { known: knownErp, progress: telling('ERP orders', MONDAY.erpOrders, plan.erp) }),
  ])
  return { purchases, paris, erp }
}

/** The list of what is planted. No other file may open it: the hub must find the incidents by itself. */
export function readIncidents(): Incident[] {
  return Incidents.parse(JSON.parse(readFileSync(join(packageRoot, 'seed', 'monday-incidents.json'), 'utf8')))
}

// An order of ours that is only told of, and not there, is no order of the Monday.
function bornIn(incidents: readonly Incident[], system: Incident['system']): number {
  return incidents.filter((one) => one.system === system && one.declared.cause !== 'inbound-dead').length
}

async function plantAll(
  api: SimulatorApi,
  incidents: readonly Incident[],
  around: Around,
): Promise<{ created: number; waiting: string[] }> {
  const waiting: string[] = []
  let created = 0
  for (const incident of incidents) {
    if (await isPlanted(api, incident)) continue
    if (await plantFirst(api, incident, { deadlineMs: 0, signal: around.signal })) created += 1
    else waiting.push(incident.reference)
  }
  around.say(`incidents ${incidents.length - waiting.length}/${incidents.length}`)
  return { created, waiting }
}

async function plantRest(api: SimulatorApi, incidents: readonly Incident[], patience: Patience): Promise<string[]> {
  const waiting: string[] = []
  await sideBySide(incidents, incidents.length, async (incident) => {
    if (!(await plantLate(api, incident, patience))) waiting.push(incident.reference)
  })
  return waiting
}

function sentenceOf({ erpOrders, purchases, parisOrders, incidents, waiting, elapsedMs }: SeedSummary): string {
  const made = `${erpOrders.created} ERP orders, ${purchases.created} purchases, ${parisOrders.created} Paris orders, ${incidents.created} incidents`
  const rest = waiting.length === 0 ? '' : `; run it again while the hub runs for ${waiting.join(', ')}`
  return `seeded in ${(elapsedMs / 1000).toFixed(1)} s: ${made} are new${rest}`
}
