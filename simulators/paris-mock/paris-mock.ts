import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { RunningSimulator } from '../process.ts'
import { createSimulator, sha256 } from '../server.ts'
import type { Simulator } from '../server.ts'
import { addAdminRoutes } from './admin.ts'
import { createIdempotencyKeys } from './idempotency-keys.ts'
import type { IdempotencyKeys } from './idempotency-keys.ts'
import { keepState } from './kept-state.ts'
import type { KeptState } from './kept-state.ts'
import { addContractRoutes } from './routes.ts'
import { standardSecretFrom } from './settings.ts'
import type { Behaviour, WebhookSettings } from './settings.ts'
import { addStockRoutes } from './stock.ts'
import { createOrderStore } from './store.ts'
import type { OrderStore } from './store.ts'
import { createWebhookSender } from './webhook.ts'
import type { WebhookSender } from './webhook.ts'

export interface ParisMockOptions extends Partial<Behaviour>, Partial<Omit<WebhookSettings, 'secret'>> {
  ledgerPath: string
  /** 0, the default, takes a free one. */
  port?: number
  /** Default 127.0.0.1. */
  host?: string
  /** `X-Admin-Key`; default `change-me`. */
  adminKey?: string
  /** `X-API-Key`; default: the admin key. */
  apiKey?: string
  /** Key of `X-Paris-Signature`; default: the admin key. */
  webhookSecret?: string
  /** Registered at start beside those the ledger knows. */
  webhookUrls?: string[]
  seed?: number
  log?: boolean
}

/** What the routes work on. */
export interface ParisMock {
  app: FastifyInstance
  store: OrderStore
  closing: AbortSignal
  requireAdminKey: Simulator['requireAdminKey']
  sender: WebhookSender
  idempotencyKeys: IdempotencyKeys
  behaviour: () => Behaviour
  changeBehaviour: (change: Partial<Behaviour>) => Promise<Behaviour>
  webhookSettings: () => WebhookSettings
  changeWebhookSettings: (change: Partial<WebhookSettings>) => WebhookSettings
  webhookUrls: KeptState<string[]>
  unknownSkus: KeptState<string[]>
  refusedReferences: KeptState<RefusedReference[]>
  apiKeySha256: KeptState<string>
  startApiKeySha256: string
}

export type RefusedReference = z.infer<typeof refusedReference>

const refusedReference = z.object({ reference: z.string(), status: z.int(), message: z.string() })

/** Stands in for Paris under the mock contract; state is rebuilt from the ledger at `ledgerPath`. */
export async function startParisMock(options: ParisMockOptions): Promise<RunningSimulator> {
  const key = options.adminKey ?? 'change-me'
  const simulator = await createSimulator({
    name: 'paris-mock',
    ledgerPath: options.ledgerPath,
    key,
    errorBody: (_status, message) => ({ detail: message }),
    ...(options.seed === undefined ? {} : { seed: options.seed }),
    ...(options.log === undefined ? {} : { log: options.log }),
  })
  try {
    const mock = build(simulator, options, key)
    addContractRoutes(mock)
    addStockRoutes(simulator.app, simulator.ledger, (sku) => mock.unknownSkus.get().includes(sku))
    addAdminRoutes(mock)
    await registerAtStart(mock.webhookUrls, options.webhookUrls ?? [])
    const address = await simulator.listen(options.port ?? 0, options.host)
    return { ...address, close: () => simulator.close() }
  } catch (error) {
    await simulator.close()
    throw error
  }
}

function build(simulator: Simulator, options: ParisMockOptions, key: string): ParisMock {
  const { app, ledger, faults, closing, requireAdminKey } = simulator
  let behaviour = behaviourAtStart(options)
  let webhookSettings = webhookSettingsAtStart(options, key)
  const startApiKeySha256 = sha256(options.apiKey ?? key)
  return {
    app,
    closing,
    requireAdminKey,
    store: createOrderStore(ledger),
    sender: createWebhookSender({ ledger, faults, closing, settings: () => webhookSettings }),
    idempotencyKeys: createIdempotencyKeys(ledger),
    behaviour: () => behaviour,
    async changeBehaviour(change) {
      behaviour = { ...behaviour, ...change }
      // Evidence for whoever reads the ledger; not read back at a restart.
      await ledger.append({ kind: 'state', id: 'behaviour', state: behaviour })
      return behaviour
    },
    webhookSettings: () => webhookSettings,
    changeWebhookSettings(change) {
      const rotated = change.secret === undefined ? {} : { standardSecrets: [standardSecretFrom(change.secret)] }
      webhookSettings = { ...webhookSettings, ...rotated, ...change }
      return webhookSettings
    },
    webhookUrls: keepState(ledger, 'webhook-urls', z.array(z.string()), []),
    unknownSkus: keepState(ledger, 'unknown-skus', z.array(z.string()), []),
    refusedReferences: keepState(ledger, 'refused-references', z.array(refusedReference), []),
    apiKeySha256: keepState(ledger, 'api-key-sha256', z.string(), startApiKeySha256),
    startApiKeySha256,
  }
}

function behaviourAtStart(options: ParisMockOptions): Behaviour {
  return {
    profile: options.profile ?? 'external-ref-unique',
    searchLagMs: options.searchLagMs ?? 0,
    processingMs: options.processingMs ?? 0,
    referenceLookUp: options.referenceLookUp ?? true,
  }
}

function webhookSettingsAtStart(options: ParisMockOptions, key: string): WebhookSettings {
  const secret = options.webhookSecret ?? key
  return {
    secret,
    standardWebhooks: options.standardWebhooks ?? false,
    standardSecrets: options.standardSecrets ?? [standardSecretFrom(secret)],
    retryDelaysMs: options.retryDelaysMs ?? [200, 1000],
    timeoutMs: options.timeoutMs ?? 5000,
  }
}

async function registerAtStart(kept: KeptState<string[]>, urls: readonly string[]): Promise<void> {
  const all = [...new Set([...kept.get(), ...urls])]
  if (all.length > kept.get().length) await kept.set(all)
}
