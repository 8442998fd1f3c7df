import { createHmac } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LedgerEntry } from '../../simulators/ledger.ts'
import { defaultClientId, startMeliSim } from '../../simulators/meli-sim/meli-sim.ts'
import type { Capabilities, ChannelTiming } from '../../src/core/channel.ts'
import { type HttpClient, httpClient } from '../../src/drivers/http.ts'
import { mercadolibreClient } from '../../src/drivers/mercadolibre/client.ts'
import { realCapabilities, simulatorCapabilities } from '../../src/drivers/mercadolibre/capabilities.ts'
import { mercadolibreMarketplace } from '../../src/drivers/mercadolibre/marketplace.ts'
import type { Granted, OauthApp } from '../../src/drivers/mercadolibre/oauth.ts'
import { mercadolibreTokens } from '../../src/drivers/mercadolibre/token-source.ts'
import { secretPathWebhooks, signedWebhooks } from '../../src/drivers/mercadolibre/webhook.ts'
import { systemClock } from '../../src/drivers/system-clock.ts'
import { systemRandom } from '../../src/drivers/system-random.ts'
import type { Marketplace } from '../../src/ports/marketplace.ts'
import { memoryCredentials, type Row } from '../support/memory-credentials.ts'
import { closedPort } from './closed-port.ts'
import type { MarketplaceWorld, WebhookWorld } from './marketplace-world.ts'

export const SELLER = 3_000_000_111
const CHANNEL = `mercadolibre:${SELLER}`
const PATH_SECRET = 'a-path-secret-for-tests'
const SIGNING_SECRET = 'a-signing-secret-for-tests'
const timing: ChannelTiming = { timeoutMs: 1_500, marginMs: 1_000, settleMs: 1_000, leaseMs: 5_000 }

export interface MeliWorld extends MarketplaceWorld {
  /** The account as on the real MercadoLibre: stock, and no calls about orders. */
  real: Marketplace
  credentials: Row
  app: OauthApp
  url: string
  /** Stores the pair of a new authorization. */
  reconnect(granted: Granted): Promise<void>
  admin(method: string, path: string, body?: unknown): Promise<unknown>
  ledger(): Promise<LedgerEntry[]>
}

/** meli-sim with one seller, whose account the hub is connected to. */
export async function mercadolibreWorld(): Promise<MeliWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'meli-conformance-'))
  const sim = await startMeliSim({ ledgerPath: join(folder, 'ledger.jsonl'), profile: { searchLagMs: 100 } })
  const admin = adminOf(sim.url)
  await admin('POST', '/accounts', { user_id: SELLER })
  const granted = (await admin('POST', `/accounts/${SELLER}/grant`)) as { access_token: string; refresh_token: string }
  const credentials = memoryCredentials({
    accessToken: granted.access_token,
    refreshToken: granted.refresh_token,
    expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
    version: 1,
  })
  const app = { clientId: defaultClientId, clientSecret: 'change-me', redirectUri: 'https://hub.test/callback', authBase: sim.url }
  const open: HttpClient[] = []
  const account = (origin: string, capabilities: Capabilities): Marketplace => {
    const http = httpClient({ origin, timeoutMs: timing.timeoutMs })
    const tokenHttp = httpClient({ origin: sim.url, timeoutMs: timing.timeoutMs })
    open.push(http, tokenHttp)
    const tokens = mercadolibreTokens({
      channel: CHANNEL,
      store: credentials,
      app,
      http: tokenHttp,
      clock: systemClock,
      random: systemRandom,
      skewMs: 60_000,
      leaseMs: 10_000,
      busyWaitMs: 1_000,
    })
    return mercadolibreMarketplace({
      channel: CHANNEL,
      account: { userId: String(SELLER), appId: defaultClientId },
      capabilities,
      client: mercadolibreClient({ http, tokens, clock: systemClock, timeoutMs: timing.timeoutMs }),
    })
  }
  const ledger = async () => ((await admin('GET', '/ledger')) as { entries: LedgerEntry[] }).entries
  return {
    marketplace: account(sim.url, simulatorCapabilities),
    incapable: account(sim.url, { ...realCapabilities, updateStock: false, pushFulfilment: false }),
    real: account(sim.url, realCapabilities),
    unreachable: account(`http://127.0.0.1:${await closedPort()}`, simulatorCapabilities),
    currency: 'CLP',
    async buy(lines) {
      const items = lines.map((line) => ({ sku: line.sku, quantity: line.quantity, unit_price: line.unitPriceMinor }))
      const body = { seller: SELLER, items, buyer: { nickname: 'Ana Rojas' }, no_notify: true }
      const bought = (await admin('POST', '/purchases', body)) as { pack_id: number | null; order_ids: number[] }
      const parts = [...bought.order_ids, ...(bought.pack_id === null ? [] : [bought.pack_id])].map(String)
      return { resource: `/orders/${bought.order_ids[0]}`, orderKey: String(bought.pack_id ?? bought.order_ids[0]), parts }
    },
    cancel: async (orderKey) => void (await admin('POST', `/orders/${orderKey}/status`, { status: 'cancelled' })),
    unknownPointer: '/orders/2999999999999999',
    buyerText: /Ana Rojas|Avenida Simulada/,
    saysCreation: true,
    pageSize: 50,
    lagMs: 15_000,
    forgetSku: async (sku) => void (await admin('POST', '/unknown-skus', { skus: [sku] })),
    countOf: async (reference) =>
      new Set((await ledger()).flatMap((one) => (one.kind === 'order' && one.reference === reference ? [one.id] : []))).size,
    requests: async () =>
      (await ledger()).flatMap((one) =>
        one.kind === 'request' && one.requestId !== null ? [{ requestId: one.requestId, method: one.method, path: one.path }] : [],
      ),
    fail: async (on, fault, times) => {
      const { kind, ...rest } = fault
      const match = on === 'send' ? { method: 'POST', path: '^/orders' } : { method: 'GET' }
      await admin('PUT', '/faults', [{ match, fault: kind, times, ...rest }])
    },
    heal: async () => void (await admin('DELETE', '/faults')),
    webhooks: webhookWorlds(),
    credentials: credentials.row,
    app,
    url: sim.url,
    reconnect: async ({ accessToken, refreshToken, expiresAt }) =>
      void (await credentials.connect(CHANNEL, { accessToken, refreshToken, expiresAt })),
    admin,
    ledger,
    async close() {
      await Promise.all(open.map((one) => one.close()))
      await sim.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function webhookWorlds(): WebhookWorld[] {
  const accounts = [{ channel: CHANNEL, userId: String(SELLER), appId: defaultClientId }]
  const body = (resource: string): Uint8Array => {
    const fields = {
      resource,
      user_id: SELLER,
      topic: 'orders_v2',
      attempts: 1,
      sent: '2026-11-23T12:00:00.1Z',
      received: '2026-11-23T12:00:00Z',
    }
    return new TextEncoder().encode(JSON.stringify({ ...fields, application_id: Number(defaultClientId) }))
  }
  const request = (path: string, headers: Record<string, string>, bytes: Uint8Array) => ({
    path,
    headers,
    body: bytes,
    receivedAtMs: Date.now(),
  })
  const sign = (bytes: Uint8Array, secret: string) => createHmac('sha256', secret).update(bytes).digest('hex')
  return [
    {
      name: 'secret path',
      reader: secretPathWebhooks({ accounts, secrets: [{ keyId: 'k', value: PATH_SECRET }] }),
      body,
      authentic: (bytes) => request(`mercadolibre/${PATH_SECRET}`, {}, bytes),
      forged: (bytes) => request('mercadolibre/another-secret', {}, bytes),
    },
    {
      name: 'signed',
      reader: signedWebhooks({ accounts, secrets: [{ keyId: 'k', value: SIGNING_SECRET }] }),
      body,
      authentic: (bytes) => request('mercadolibre', { 'x-signature': sign(bytes, SIGNING_SECRET) }, bytes),
      forged: (bytes) => request('mercadolibre', { 'x-signature': sign(bytes, 'another') }, bytes),
    },
  ]
}

function adminOf(url: string): MeliWorld['admin'] {
  return async (method, path, body) => {
    const headers: Record<string, string> = {
      'x-admin-key': 'change-me',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    }
    const reply = await fetch(`${url}/admin${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
    const text = await reply.text()
    if (!reply.ok) throw new Error(`meli-sim refused ${method} /admin${path} with ${reply.status}: ${text}`)
    return JSON.parse(text) as unknown
  }
}
