import type { Channel } from '../../src/core/channel.ts'
import type { Fragment } from '../../src/core/order.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Random } from '../../src/ports/random.ts'

/** A channel with short windows, so that a flow test moves the hub's clock by little. */
export function aChannel(id: string, change: Partial<Channel> = {}): Channel {
  const marketplace = id === 'odoo' ? 'odoo' : id.startsWith('paris') ? 'paris' : 'mercadolibre'
  return {
    id,
    marketplace,
    enabled: true,
    capabilities: {
      createOrder: true,
      updateOrder: true,
      cancelOrder: true,
      updateStock: false,
      pushFulfilment: false,
      fractionalQuantity: false,
      idempotentCreate: false,
    },
    shipsFrom: 'marketplace',
    timing: { timeoutMs: 2_000, marginMs: 1_000, settleMs: 5_000, leaseMs: 10_000 },
    ...change,
  }
}

export function anErpFragment(id: string, change: Partial<Fragment> = {}): Fragment {
  return {
    entity: 'order',
    externalId: id,
    orderKey: id,
    version: '2026-11-23T12:00:00.000Z',
    identifiers: [
      { kind: 'erp-id', value: id },
      { kind: 'reference', value: `ODOO-${id}` },
      { kind: 'erp-name', value: `S${id.padStart(5, '0')}` },
    ],
    payment: 'paid',
    lifecycle: 'open',
    fulfilment: 'none',
    currency: 'CLP',
    totalMinor: 25_980,
    lines: [{ lineId: 'l1', sku: 'SKU-001', quantity: '2', unitPriceMinor: 12_990 }],
    confirmed: true,
    erp: { team: 'Web', tags: [], pricelist: null, company: null, fields: {} },
    rawStatus: 'sale',
    ...change,
  }
}

/** Time stands still unless a test moves it. */
export function aClock(): Clock & { advance(ms: number): void } {
  let now = 0
  return {
    advance: (ms) => {
      now += ms
    },
    stopwatch: () => {
      const began = now
      return () => now - began
    },
    wait: () => Promise.resolve(),
  }
}

export const steadyRandom: Random = { next: () => 0, uuid: () => crypto.randomUUID() }
