import { codeOfStatus, retryAfterMs } from '../../src/drivers/http.ts'
import type { MemoryFault } from '../../src/drivers/memory/fault.ts'
import { EVERYTHING, memoryMarketplace, type MemoryMarketplace } from '../../src/drivers/memory/marketplace.ts'
import { memoryWebhooks } from '../../src/drivers/memory/webhook.ts'
import type { MarketplaceWorld, WebhookWorld, WorldFault } from './marketplace-world.ts'

const CHANNEL = 'mercadolibre:1001'
const SECRET = 'a-secret-for-tests'
const PAGE_SIZE = 5

export interface MemoryWorld extends MarketplaceWorld {
  memory: MemoryMarketplace
}

/** The marketplace in memory, with buyers in it. */
export function memoryWorld(): MemoryWorld {
  const options = { nowMs: Date.now, pageSize: PAGE_SIZE }
  const memory = memoryMarketplace(CHANNEL, EVERYTHING, options)
  const incapable = memoryMarketplace(
    CHANNEL,
    { ...EVERYTHING, createOrder: false, updateOrder: false, cancelOrder: false, pushFulfilment: false },
    options,
  )
  const unreachable = memoryMarketplace(CHANNEL, EVERYTHING, options)
  const always = Array.from({ length: 100 }, () => 'unreachable' as const)
  unreachable.faults.push(...always)
  unreachable.readFaults.push(...always)
  let bought = 0
  return {
    memory,
    marketplace: memory,
    incapable,
    unreachable,
    currency: 'CLP',
    buy(lines) {
      bought += 1
      const id = String(3_000_000_000_000 + bought)
      const shown = lines.map(({ quantity, ...line }) => ({ ...line, quantity: String(quantity) }))
      const totalMinor = lines.reduce((total, line) => total + line.quantity * line.unitPriceMinor, 0)
      memory.buy({ id, fulfilment: 'to_prepare', lines: shown, currency: 'CLP', totalMinor, shipmentId: `4${id}` })
      return Promise.resolve({ resource: `/orders/${id}`, orderKey: id, parts: [id, `4${id}`] })
    },
    cancel: (orderKey) => Promise.resolve(memory.change(orderKey, { cancelled: true })),
    unknownPointer: '/orders/999999999999999',
    buyerText: /Buyer of|Ana Rojas/,
    pageSize: PAGE_SIZE,
    lagMs: 200,
    forgetSku: (sku) => Promise.resolve(void memory.unknownSkus.add(sku)),
    countOf: (reference) => Promise.resolve([...memory.orders.values()].filter((one) => one.reference === reference).length),
    requests: () => Promise.resolve(memory.requests.map(({ requestId, what }) => ({ requestId, method: what, path: what }))),
    fail(on, fault, times) {
      const told = Array.from({ length: Math.min(times, 20) }, () => faultOf(fault, on))
      ;(on === 'send' ? memory.faults : memory.readFaults).push(...told)
      return Promise.resolve()
    },
    heal() {
      memory.faults.length = 0
      memory.readFaults.length = 0
      return Promise.resolve()
    },
    webhooks: [webhookWorld()],
    close: () => Promise.resolve(),
  }
}

function faultOf(fault: WorldFault, on: 'send' | 'read'): MemoryFault {
  switch (fault.kind) {
    case 'status': {
      const headers: Record<string, string> = fault.retryAfter === undefined ? {} : { 'retry-after': fault.retryAfter }
      const code = codeOfStatus(fault.status, headers) ?? 'rejected'
      const waitMs = retryAfterMs(fault.retryAfter, Date.now())
      return waitMs === undefined ? code : { code, retryAfterMs: waitMs }
    }
    case 'hang':
      return on === 'read' ? 'hang' : 'no-answer'
    case 'reset':
      return 'no-answer'
    case 'html':
    case 'truncate':
      return 'answer-spoilt'
    case 'empty':
    case 'accept-then-hang':
    case 'accept-then-reset':
      return 'answer-lost'
  }
}

function webhookWorld(): WebhookWorld {
  const request = (secret: string, body: Uint8Array) => ({
    path: 'memory',
    headers: { 'x-memory-secret': secret },
    body,
    receivedAtMs: Date.now(),
  })
  return {
    name: 'memory',
    reader: memoryWebhooks(CHANNEL, SECRET),
    body: (resource) => new TextEncoder().encode(JSON.stringify({ id: 'e-1', order: resource.split('/').at(-1) })),
    authentic: (body) => request(SECRET, body),
    forged: (body) => request('another', body),
  }
}
