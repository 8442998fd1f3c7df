import type { Capabilities } from '../../core/channel.ts'
import type { DesiredOrder } from '../../core/desired.ts'
import type { Operation, Step } from '../../core/delivery.ts'
import { compareOrder } from '../../core/drift.ts'
import type { Reading } from '../../core/inbound-event.ts'
import { IntegrationError, type IntegrationErrorCode } from '../../core/integration-error.ts'
import type { Fragment, Fulfilment } from '../../core/order.ts'
import type { AttemptLog } from '../../ports/attempt-log.ts'
import type { Fetched, Marketplace, SweepPage } from '../../ports/marketplace.ts'
import type { Sent, Shown, ShownContent, Wanted } from '../../ports/target.ts'

export interface MemoryOrder {
  id: string
  reference: string | null
  cancelled: boolean
  fulfilment: Fulfilment
  lines: ShownContent['lines']
  currency: string | null
  totalMinor: number | null
  version: string
}

/** What a request meets: nothing (it works), an answer that is lost after it took effect, or a failure without effect. */
export type MemoryFault = 'answer-lost' | IntegrationErrorCode

export interface MemoryMarketplace extends Marketplace {
  orders: Map<string, MemoryOrder>
  /** Every request, in order, as the marketplace saw it. */
  requests: { requestId: string; what: string }[]
  /** Faults of the next sends, first in first out. */
  faults: MemoryFault[]
  /** Faults of the next look-ups and fetches. */
  readFaults: MemoryFault[]
  /** A buyer checks out. */
  buy(order: Omit<MemoryOrder, 'version' | 'cancelled' | 'reference'>): void
  /** Changes an order as the marketplace itself would. */
  change(id: string, change: Partial<MemoryOrder>): void
}

export const EVERYTHING: Capabilities = {
  createOrder: true,
  updateOrder: true,
  cancelOrder: true,
  updateStock: false,
  fractionalQuantity: false,
  idempotentCreate: false,
}

/** A marketplace in memory, for flow tests: it never dedupes, and fails as told. */
export function memoryMarketplace(channel: string, capabilities: Capabilities = EVERYTHING): MemoryMarketplace {
  const orders = new Map<string, MemoryOrder>()
  const requests: MemoryMarketplace['requests'] = []
  const faults: MemoryFault[] = []
  const readFaults: MemoryFault[] = []
  let clock = Date.UTC(2026, 0, 1)
  const version = (): string => new Date((clock += 1000)).toISOString()

  async function request<T>(requestId: string, what: string, effect: () => T): Promise<T> {
    const fault = (what === 'look-up' || what === 'fetch' ? readFaults : faults).shift()
    if (fault !== undefined && fault !== 'answer-lost') throw new IntegrationError(fault, { summary: `told to fail with ${fault}` })
    requests.push({ requestId, what })
    const answer = effect()
    if (fault === 'answer-lost') throw new IntegrationError('no-answer', { summary: 'the answer was lost' })
    return answer
  }

  function apply(wanted: Wanted, operation: Operation): Sent {
    const desired = wanted.desired as DesiredOrder
    const id = operation === 'create' ? String(2_000_000_000_000 + orders.size + 1) : (wanted.externalId ?? '')
    const known = orders.get(id)
    if (operation !== 'create' && !known) throw new IntegrationError('not-found', { summary: 'no such order' })
    const order: MemoryOrder = {
      id,
      reference: wanted.reference,
      cancelled: operation === 'cancel',
      fulfilment: known?.fulfilment ?? 'none',
      lines: operation === 'cancel' ? (known?.lines ?? []) : desired.lines,
      currency: desired.currency,
      totalMinor: desired.totalMinor,
      version: version(),
    }
    orders.set(id, order)
    return { externalId: id, shown: shownOf(order) }
  }

  return {
    channel,
    capabilities,
    looksFirst: false,
    orders,
    requests,
    faults,
    readFaults,
    buy: (order) => void orders.set(order.id, { ...order, reference: null, cancelled: false, version: version() }),
    change: (id, change) => {
      const order = orders.get(id)
      if (!order) throw new Error(`no order ${id}`)
      orders.set(id, { ...order, ...change, version: version() })
    },
    lookUp: (wanted, log) =>
      log.read('look-up', (requestId) =>
        request(requestId, 'look-up', () => {
          const found = wanted.externalId
            ? orders.get(wanted.externalId)
            : [...orders.values()].find((o) => o.reference === wanted.reference)
          return found ? shownOf(found) : ({ kind: 'absent' } as const)
        }),
      ),
    next: (wanted, shown) => nextStep(wanted, shown, capabilities),
    send: (wanted, operation, _shown, requestId) => request(requestId, operation, () => apply(wanted, operation)),
    fetchOrder: (resource, log) => fetchOrder(resource, log, { request, orders, channel }),
    listChanged: (since): Promise<SweepPage> =>
      Promise.resolve({
        resources: [...orders.values()]
          .filter((o) => o.version >= since)
          .map((o) => ({ resource: `/orders/${o.id}`, orderKey: o.id, version: o.version })),
        next: null,
      }),
    missedEvents: (): Promise<Reading> => Promise.resolve({ kind: 'events', events: [] }),
  }
}

function nextStep(wanted: Wanted, shown: Shown, capabilities: Capabilities): Step {
  if (wanted.desired.kind === 'stock') return { kind: 'unsupported', operation: 'stock' }
  const { desired } = wanted
  const cancelled = desired.lifecycle === 'cancelled'
  if (shown.kind === 'absent') {
    if (cancelled) return { kind: 'done', reason: 'nothing-to-do' }
    // It was there once: only a person may decide to make it anew.
    if (wanted.externalId !== null)
      return { kind: 'refused', cause: 'delivered-then-missing', summary: `order ${wanted.externalId} is not there any more` }
    return capabilities.createOrder ? { kind: 'send', operation: 'create' } : { kind: 'unsupported', operation: 'create' }
  }
  if (compareOrder(desired, shown.content).length === 0) return { kind: 'done', reason: 'already-there' }
  const operation = cancelled ? 'cancel' : 'update'
  const able = cancelled ? capabilities.cancelOrder : capabilities.updateOrder
  return able ? { kind: 'send', operation } : { kind: 'unsupported', operation }
}

function shownOf(order: MemoryOrder): Shown & { kind: 'found' } {
  const { fulfilment, currency, totalMinor, lines } = order
  return {
    kind: 'found',
    externalId: order.id,
    content: { lifecycle: order.cancelled ? 'cancelled' : 'open', fulfilment, currency, totalMinor, lines, extra: {} },
  }
}

interface Inside {
  request<T>(requestId: string, what: string, effect: () => T): Promise<T>
  orders: Map<string, MemoryOrder>
  channel: string
}

async function fetchOrder(resource: string, log: AttemptLog, inside: Inside): Promise<Fetched> {
  const id = resource.replace(/^\/orders\//, '')
  const order = await log.read('fetch order', (requestId) => inside.request(requestId, 'fetch', () => inside.orders.get(id)))
  if (!order) throw new IntegrationError('not-found', { summary: 'the marketplace does not show this order' })
  return { orderKey: order.id, fragments: [fragmentOf(order)], personal: { buyerName: `Buyer of ${order.id}` } }
}

function fragmentOf(order: MemoryOrder): Fragment {
  return {
    entity: 'order',
    externalId: order.id,
    orderKey: order.id,
    version: order.version,
    identifiers: [
      { kind: 'marketplace-order', value: order.id },
      ...(order.reference ? [{ kind: 'reference' as const, value: order.reference }] : []),
    ],
    payment: 'paid',
    lifecycle: order.cancelled ? 'cancelled' : 'open',
    fulfilment: order.fulfilment,
    ...(order.currency === null ? {} : { currency: order.currency }),
    ...(order.totalMinor === null ? {} : { totalMinor: order.totalMinor }),
    lines: order.lines.map((line, i) => ({ lineId: `${order.id}-${i + 1}`, ...line })),
    confirmed: true,
  }
}
