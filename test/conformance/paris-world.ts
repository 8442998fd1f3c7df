import { createHmac } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LedgerEntry } from '../../simulators/ledger.ts'
import { startParisMock } from '../../simulators/paris-mock/paris-mock.ts'
import type { Capabilities, ChannelTiming } from '../../src/core/channel.ts'
import { type HttpClient, httpClient } from '../../src/drivers/http.ts'
import { parisClient } from '../../src/drivers/paris/client.ts'
import { parisMarketplace } from '../../src/drivers/paris/marketplace.ts'
import { parisWebhooks } from '../../src/drivers/paris/webhook.ts'
import type { Marketplace } from '../../src/ports/marketplace.ts'
import { closedPort } from './closed-port.ts'
import type { MarketplaceWorld, WebhookWorld } from './marketplace-world.ts'

export interface ParisWorld extends MarketplaceWorld {
  url: string
  admin(method: string, path: string, body?: unknown): Promise<unknown>
}

export interface ParisWorldOptions {
  /** The simulator filters `GET /orders` by `external_ref`, and the driver makes use of it. */
  lookUpByQuery: boolean
  capabilities?: Partial<Capabilities>
  profile?: 'external-ref-unique' | 'naive'
  searchLagMs?: number
}

const CHANNEL = 'paris:main'
const API_KEY = 'a-paris-key-for-tests'
const ADMIN_KEY = 'an-admin-key-for-tests'
const SECRET = 'a-paris-secret-for-tests'
const BUYER = 'Ana Rojas'
const timing: ChannelTiming = { timeoutMs: 1_500, marginMs: 1_000, settleMs: 1_000, leaseMs: 5_000 }
const ABLE: Capabilities = {
  createOrder: true,
  updateOrder: true,
  cancelOrder: true,
  updateStock: false,
  pushFulfilment: false,
  fractionalQuantity: false,
  idempotentCreate: true,
}
const UNABLE: Capabilities = { ...ABLE, createOrder: false, updateOrder: false, cancelOrder: false }

/** paris-mock with the hub connected to it. */
export async function parisWorld({ lookUpByQuery, capabilities = {}, ...profile }: ParisWorldOptions): Promise<ParisWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'paris-conformance-'))
  const ledgerPath = join(folder, 'ledger.jsonl')
  const sim = await startParisMock({ ledgerPath, adminKey: ADMIN_KEY, apiKey: API_KEY, referenceLookUp: lookUpByQuery, ...profile })
  const admin = adminOf(sim.url)
  const open: HttpClient[] = []
  const account = (origin: string, able: Capabilities): Marketplace => {
    const http = httpClient({ origin, timeoutMs: timing.timeoutMs })
    open.push(http)
    return parisMarketplace({ channel: CHANNEL, client: parisClient({ http, apiKey: API_KEY }), capabilities: able, timing, lookUpByQuery })
  }
  const ledger = async () => ((await admin('GET', '/ledger')) as { entries: LedgerEntry[] }).entries
  return {
    marketplace: account(sim.url, { ...ABLE, ...capabilities }),
    incapable: account(sim.url, UNABLE),
    unreachable: account(`http://127.0.0.1:${await closedPort()}`, ABLE),
    currency: null,
    async buy(lines) {
      const items = lines.map((line) => ({ sku: line.sku, qty: line.quantity }))
      const { id } = (await admin('POST', '/orders', { buyer: BUYER, items })) as { id: string }
      return { resource: `/orders/${id}`, orderKey: id, parts: [id] }
    },
    cancel: async (orderKey) => void (await admin('PATCH', `/orders/${orderKey}`, { status: 'cancelled' })),
    unknownPointer: '/orders/p-999999999',
    buyerText: new RegExp(BUYER),
    saysCreation: true,
    pageSize: 100,
    lagMs: 10_000,
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
    url: sim.url,
    admin,
    async close() {
      await Promise.all(open.map((one) => one.close()))
      await sim.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function webhookWorlds(): WebhookWorld[] {
  const reader = parisWebhooks({ channel: CHANNEL, secrets: [{ keyId: 'k', value: SECRET }] })
  const body = (resource: string): Uint8Array => {
    const order_id = resource.split('/').at(-1)
    return new TextEncoder().encode(
      JSON.stringify({ event_id: 'e-1', external_ref: 'odoo-1', order_id, source: 'paris', status: 'shipped' }),
    )
  }
  const request = (headers: Record<string, string>, bytes: Uint8Array) => ({
    path: 'paris',
    headers,
    body: bytes,
    receivedAtMs: Date.now(),
  })
  const vendor = (secret: string, bytes: Uint8Array) => ({ 'x-paris-signature': createHmac('sha256', secret).update(bytes).digest('hex') })
  const standard = (secret: string, bytes: Uint8Array) => {
    const timestamp = String(Math.floor(Date.now() / 1000))
    const signed = Buffer.concat([Buffer.from(`e-1.${timestamp}.`), bytes])
    const signature = createHmac('sha256', secret).update(signed).digest('base64')
    return { 'webhook-id': 'e-1', 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
  }
  return [
    {
      name: 'X-Paris-Signature',
      reader,
      body,
      authentic: (bytes) => request(vendor(SECRET, bytes), bytes),
      forged: (bytes) => request(vendor('another', bytes), bytes),
    },
    {
      name: 'Standard Webhooks',
      reader,
      body,
      authentic: (bytes) => request(standard(SECRET, bytes), bytes),
      // Preferred when present: a right signature of the other kind does not save it.
      forged: (bytes) => request({ ...vendor(SECRET, bytes), ...standard('another', bytes) }, bytes),
    },
  ]
}

function adminOf(url: string): ParisWorld['admin'] {
  return async (method, path, body) => {
    const headers: Record<string, string> = {
      'x-admin-key': ADMIN_KEY,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    }
    const reply = await fetch(`${url}/admin${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
    const text = await reply.text()
    if (!reply.ok) throw new Error(`paris-mock refused ${method} /admin${path} with ${reply.status}: ${text}`)
    return JSON.parse(text) as unknown
  }
}
