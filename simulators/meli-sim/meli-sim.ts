import type { RunningSimulator } from '../process.ts'
import { createSimulator } from '../server.ts'
import type { Simulator } from '../server.ts'
import { adminAccountRoutes } from './admin-account-routes.ts'
import { adminKnobRoutes } from './admin-knob-routes.ts'
import { adminOrderRoutes } from './admin-order-routes.ts'
import { addRoutes } from './call.ts'
import { fiscalDocumentRoutes } from './fiscal-document-routes.ts'
import { missedFeedRoutes } from './missed-feed-routes.ts'
import { createNotifier } from './notifier.ts'
import type { Callback } from './notifier.ts'
import { oauthRoutes } from './oauth-routes.ts'
import { orderRoutes } from './order-routes.ts'
import { rateLimits } from './rate-limits.ts'
import { defaultLedgerProfile, defaultSettings, Settings } from './settings.ts'
import type { LedgerProfile } from './settings.ts'
import { shipmentRoutes } from './shipment-routes.ts'
import { openWriter } from './sim.ts'
import type { Sim } from './sim.ts'
import { simulatorOrderRoutes } from './simulator-order-routes.ts'
import { stockRoutes } from './stock-routes.ts'
import { newWorld, replay } from './world.ts'

export interface MeliSimOptions {
  ledgerPath: string
  /** 0, the default, takes a free one. */
  port?: number
  /** Default 127.0.0.1. */
  host?: string
  /** `X-Admin-Key`; default `change-me`. */
  adminKey?: string
  /** The app: a numeric id, as the vendor's. Also the `application_id` of notifications. */
  clientId?: string
  clientSecret?: string
  /** When given, the only redirect_uri that is accepted. */
  redirectUri?: string
  /** Where notifications go; wins over the one that the ledger remembers. */
  callback?: Callback
  settings?: Partial<Settings>
  profile?: Partial<LedgerProfile>
  seed?: number
  log?: boolean
}

export const defaultClientId = '1234567890123456'

const routes = [
  ...oauthRoutes,
  ...orderRoutes,
  ...simulatorOrderRoutes,
  ...shipmentRoutes,
  ...fiscalDocumentRoutes,
  ...stockRoutes,
  ...missedFeedRoutes,
  ...adminAccountRoutes,
  ...adminOrderRoutes,
  ...adminKnobRoutes,
]

/** Stands in for MercadoLibre, site MLC; state is rebuilt from the ledger at `ledgerPath`. */
export async function startMeliSim(options: MeliSimOptions): Promise<RunningSimulator> {
  const simulator = await createSimulator({
    name: 'meli-sim',
    ledgerPath: options.ledgerPath,
    key: options.adminKey ?? 'change-me',
    errorBody: (status, message) => ({ message, error: status === 404 ? 'resource not found' : 'bad_request', status, cause: [] }),
    ...(options.seed === undefined ? {} : { seed: options.seed }),
    ...(options.log === undefined ? {} : { log: options.log }),
  })
  try {
    const sim = buildSim(simulator, options)
    addRoutes(simulator.app, sim, routes, simulator.requireAdminKey)
    simulator.closing.addEventListener('abort', () => sim.notifier.close())
    const address = await simulator.listen(options.port ?? 0, options.host)
    sim.notifier.resume()
    return { ...address, close: () => simulator.close() }
  } catch (error) {
    await simulator.close()
    throw error
  }
}

function buildSim(simulator: Simulator, options: MeliSimOptions): Sim {
  const world = newWorld()
  const settings = Settings.parse({ ...defaultSettings, ...options.settings })
  const profile = { ...defaultLedgerProfile, ...options.profile }
  replay(world, simulator.ledger.entries(), profile.searchLagMs)
  if (options.callback) world.callback = options.callback
  const ledger = openWriter(simulator.ledger)
  const clientId = options.clientId ?? defaultClientId
  const nowMs = () => Date.now()
  const random = seededRandom(options.seed ?? 1)
  const { faults } = simulator
  return {
    world,
    ledger,
    app: { clientId, clientSecret: options.clientSecret ?? 'change-me', redirectUri: options.redirectUri ?? null },
    settings,
    profile,
    limits: rateLimits(),
    partials: [],
    notifier: createNotifier({ world, ledger, faults, applicationId: clientId, settings: () => settings, nowMs, random }),
    login: null,
    closing: simulator.closing,
    nowMs,
  }
}

/** A linear congruential generator: enough to choose which notification is lost or late, the same in every run. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 4_294_967_296
  }
}
