import { type Accounts, accountsOf, sealerOf } from './accounts.ts'
import { channelsOf, concurrencyOf, withAccounts } from './channel-settings.ts'
import type { Config } from './config.ts'
import type { Channel } from './core/channel.ts'
import { checkpointsOf } from './checkpoints.ts'
import { type HttpClient, httpClient } from './drivers/http.ts'
import { mercadolibreClient } from './drivers/mercadolibre/client.ts'
import { mercadolibreMarketplace } from './drivers/mercadolibre/marketplace.ts'
import { statusMapWith } from './drivers/mercadolibre/status-map.ts'
import { secretPathWebhooks, signedWebhooks } from './drivers/mercadolibre/webhook.ts'
import { type SkuMap, withMappedOrigins, withMappedSkus } from './drivers/mapped-skus.ts'
import { odooErp } from './drivers/odoo/erp.ts'
import { odooWebhookReader } from './drivers/odoo/webhook.ts'
import { parisClient } from './drivers/paris/client.ts'
import { parisMarketplace } from './drivers/paris/marketplace.ts'
import { PARIS_STATUSES } from './drivers/paris/order.ts'
import { parisWebhooks } from './drivers/paris/webhook.ts'
import { postgresAuditChain } from './drivers/postgres/audit-reader.ts'
import { accountsAdded, syncChannels } from './drivers/postgres/channels.ts'
import { knowDatabase } from './drivers/postgres/database-copy.ts'
import { postgresEventBus } from './drivers/postgres/event-bus.ts'
import { postgresFetchAttempts } from './drivers/postgres/fetch-attempts.ts'
import { postgresInbox } from './drivers/postgres/inbox.ts'
import { postgresOpenIntents } from './drivers/postgres/open-intents.ts'
import { postgresOrderStore } from './drivers/postgres/order-store.ts'
import { postgresOutbox, type PostgresOutbox } from './drivers/postgres/outbox.ts'
import { personalVault, type PersonalVault } from './drivers/postgres/personal.ts'
import { connect, type Pool, type Role } from './drivers/postgres/pool.ts'
import { keepPlanSettings } from './drivers/postgres/plan-settings.ts'
import { postgresReconcileStore } from './drivers/postgres/reconcile-store.ts'
import { keyUseLog } from './drivers/postgres/webhook-key-use.ts'
import { systemClock } from './drivers/system-clock.ts'
import { systemRandom } from './drivers/system-random.ts'
import type { Erp } from './ports/erp.ts'
import type { Marketplace, WebhookReader } from './ports/marketplace.ts'
import type { Target } from './ports/target.ts'
import { Hands } from './hands.ts'
import { odooOptions, planSettings } from './driver-settings.ts'
import type { Log } from './supervise.ts'
import { webhookKeys, type WebhookSource } from './webhook-keys.ts'

/** What drivers are built with; a test may wrap the pool and the HTTP client that they are given. */
export interface Seams {
  pool?: (pool: Pool) => Pool
  http?: (client: HttpClient) => HttpClient
}

export type Hub = Awaited<ReturnType<typeof assemble>>

/** Builds the drivers of a configuration. Whoever calls it closes what it answers. */
export async function assemble(given: Config, databaseUrl: string, log: Log, seams: Seams = {}) {
  const pools = poolsOf(databaseUrl, log, seams)
  const { worker, ingest } = pools
  const config = withAccounts(given, await accountsAdded(worker, 'mercadolibre'))
  await knowDatabase(worker)
  const channels = channelsOf(config)
  const sealed = sealerOf(config)
  const vault = personalVault(worker, sealed)
  const maxTries = config.variables.OUTBOX_MAX_ATTEMPTS
  const plan = planSettings(config, channels)
  const accounts = accountsOf(config, pools, sealed)
  const erp = withMappedOrigins(await odooErp(odooOptions(config, channels)), skuMapsOf(config))
  const marketplaces = channels.flatMap((c) => marketplaceOf(config, c, { accounts, seams }))
  const byChannel = new Map<string, Target>([
    ['odoo', erp],
    ...marketplaces.map((m): [string, Target] => [m.marketplace.channel, m.marketplace]),
  ])
  const bus = postgresEventBus({
    pool: ingest,
    url: databaseUrl,
    applicationName: 'rosh bus',
    onLost: (error) => log.warn({ err: error }, 'the event bus lost its connection; sweeps go on'),
  })
  const keyUse = keyUseLog(ingest, (error) => log.warn({ err: error }, 'the use of a webhook key was not noted'))
  await syncChannels(worker, channels, ratesOf(config))
  await keepPlanSettings(worker, plan)
  return {
    config,
    log,
    clock: systemClock,
    random: systemRandom,
    channels,
    pools,
    sealed,
    accounts,
    credentials: accounts.credentials,
    erp: erp as Erp,
    marketplaces: marketplaces.map((m) => m.marketplace),
    targetOf: (channel: string): Target => byChannel.get(channel) ?? unknownChannel(channel),
    concurrencyOf: (channel: string) => concurrencyOf(config, channel),
    outbox: outboxOf(worker, { channels, vault, log }),
    inbox: postgresInbox(ingest, { maxTries }),
    claims: postgresInbox(worker, { maxTries }),
    attempts: postgresFetchAttempts(worker),
    store: postgresOrderStore(worker, { plan, vault, maxTries }),
    reconcile: postgresReconcileStore(worker, maxTries),
    bus,
    hands: new Hands(),
    ...auditLog(config, pools),
    readers: readersOf(config, channels, (source, keyId) => keyUse.note(source, keyId)),
    keyUse,
    async close() {
      await Promise.all([bus.close(), keyUse.drain()])
      await accounts.close()
      await Promise.all([erp.close(), ...marketplaces.map((m) => m.http.close())])
      await Promise.all(Object.values(pools).map((pool) => pool.end()))
    },
  }
}

function auditLog(config: Config, { auditor, operator }: Record<'auditor' | 'operator', Pool>) {
  return { auditChain: postgresAuditChain(auditor), openIntents: postgresOpenIntents(operator), checkpoints: checkpointsOf(config) }
}

function outboxOf(
  worker: Pool,
  { channels, vault, log }: { channels: readonly Channel[]; vault: PersonalVault; log: Log },
): PostgresOutbox {
  return postgresOutbox(worker, channels, {
    open: (keyId, orderId, sealed) => vault.open(keyId, orderId, sealed),
    unreadable: (delivery, error) =>
      log.error({ delivery, err: error }, 'the personal data of a delivery cannot be opened here: it is given back'),
  })
}

// One pool a role: what a part may do is what its role may do.
function poolsOf(url: string, log: Log, seams: Seams): { worker: Pool; ingest: Pool; operator: Pool; reader: Pool; auditor: Pool } {
  const poolOf = (role: Role, max: number): Pool => {
    const onLost = (error: Error): void => log.warn({ err: error }, 'a database connection was lost')
    const pool = connect({ url, role, max, applicationName: `rosh ${role}`, onLost })
    return seams.pool ? seams.pool(pool) : pool
  }
  return {
    worker: poolOf('rosh_worker', 24),
    ingest: poolOf('rosh_ingest', 8),
    operator: poolOf('rosh_operator', 4),
    reader: poolOf('rosh_reader', 8),
    auditor: poolOf('rosh_auditor', 1),
  }
}

function unknownChannel(channel: string): never {
  throw new Error(`no channel ${channel} is configured`)
}

function ratesOf(config: Config): Map<string, { perSecond: number; burst: number }> {
  return new Map(
    Object.entries(config.file.channels).map(([id, s]) => [id, { perSecond: s.requestsPerSecond, burst: s.requestsPerSecond * 2 }]),
  )
}

function skuMapsOf(config: Config): Map<string, SkuMap> {
  return new Map(Object.entries(config.file.channels).flatMap(([id, { skuMap }]) => (skuMap ? [[id, skuMap] as const] : [])))
}

function marketplaceOf(
  config: Config,
  channel: Channel,
  parts: { accounts: Accounts; seams: Seams },
): { marketplace: Marketplace; http: HttpClient }[] {
  if (channel.marketplace === 'odoo') return []
  const origin = channel.marketplace === 'paris' ? config.paris.url : config.mercadolibre.apiBase
  // Deliveries and fetches each take what is allowed, sweeps and tokens a few more.
  const connections = 2 * concurrencyOf(config, channel.id) + 4
  const plain = httpClient({ origin, timeoutMs: channel.timing.timeoutMs, connections })
  const http = parts.seams.http ? parts.seams.http(plain) : plain
  const plainly = channel.marketplace === 'paris' ? paris(config, channel, http) : mercadolibre(config, channel, http, parts.accounts)
  const skuMap = config.file.channels[channel.id]?.skuMap
  return [{ marketplace: skuMap ? withMappedSkus(plainly, skuMap) : plainly, http }]
}

function mercadolibre(config: Config, channel: Channel, http: HttpClient, accounts: Accounts): Marketplace {
  const { mercadolibre: ml } = config
  const tokens = accounts.tokensOf(channel.id, http)
  const client = mercadolibreClient({ http, tokens, clock: systemClock, timeoutMs: channel.timing.timeoutMs })
  const userId = channel.id.slice('mercadolibre:'.length)
  const { statusMap = {}, warehouse } = config.file.channels[channel.id] ?? {}
  return mercadolibreMarketplace({
    channel: channel.id,
    account: { userId, appId: ml.clientId },
    capabilities: channel.capabilities,
    client,
    statuses: statusMapWith(statusMap),
    ...(warehouse ? { warehouse } : {}),
  })
}

function paris(config: Config, channel: Channel, http: HttpClient): Marketplace {
  const client = parisClient({ http, apiKey: config.paris.apiKey.reveal() })
  return parisMarketplace({
    channel: channel.id,
    client,
    capabilities: channel.capabilities,
    timing: channel.timing,
    lookUpByQuery: config.paris.simulated,
    statuses: { ...PARIS_STATUSES, ...config.file.channels[channel.id]?.statusMap?.order },
  })
}

/** Webhook readers by the path they answer on. */
function readersOf(
  config: Config,
  channels: readonly Channel[],
  onKeyUsed: (source: WebhookSource, keyId: string) => void,
): { mercadolibreSecret: WebhookReader; mercadolibreSigned: WebhookReader; paris: WebhookReader; odoo: WebhookReader } {
  const accounts = channels
    .filter((c) => c.marketplace === 'mercadolibre')
    .map((c) => ({ channel: c.id, userId: c.id.slice('mercadolibre:'.length), appId: config.mercadolibre.clientId }))
  const keys = (source: WebhookSource) => ({
    secrets: webhookKeys(config, source),
    onKeyUsed: (keyId: string) => onKeyUsed(source, keyId),
  })
  return {
    mercadolibreSecret: secretPathWebhooks({ accounts, ...keys('mercadolibre-path') }),
    mercadolibreSigned: signedWebhooks({ accounts, ...keys('mercadolibre-signed') }),
    paris: parisWebhooks({ channel: 'paris:main', toleranceMs: config.file.webhooks.toleranceSeconds * 1000, ...keys('paris') }),
    odoo: odooWebhookReader(keys('odoo-path')),
  }
}
