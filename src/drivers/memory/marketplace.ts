import type { Capabilities } from '../../core/channel.ts'
import type { Operation } from '../../core/delivery.ts'
import type { DesiredOrder } from '../../core/desired.ts'
import { orderPointer, type Reading } from '../../core/inbound-event.ts'
import { IntegrationError } from '../../core/integration-error.ts'
import type { Fragment, Fulfilment } from '../../core/order.ts'
import type { AttemptLog } from '../../ports/attempt-log.ts'
import type { Fetched, Marketplace, SweepPage } from '../../ports/marketplace.ts'
import type { IsLate, Sent, Shown, ShownContent, Wanted } from '../../ports/target.ts'
import { type MemoryFault, meet } from './fault.ts'
import { nextStep } from './next-step.ts'

export interface MemoryOrder {
  id: string
  reference: string | null
  cancelled: boolean
  fulfilment: Fulfilment
  tracking?: string | null
  lines: ShownContent['lines']
  currency: string | null
  totalMinor: number | null
  version: string
  /** Its parcel, fetched as a fragment of its own. */
  shipmentId?: string
}

export interface MemoryMarketplace extends Marketplace {
  orders: Map<string, MemoryOrder>
  /** Every request, in order, as the marketplace saw it. */
  requests: { requestId: string; what: string }[]
  /** Faults of the next sends, first in first out. */
  faults: MemoryFault[]
  /** Faults of the next look-ups, fetches and sweeps. */
  readFaults: MemoryFault[]
  /** SKUs that a send is refused for. */
  unknownSkus: Set<string>
  /** A buyer checks out. */
  buy(order: Omit<MemoryOrder, 'version' | 'cancelled' | 'reference'>): void
  /** Changes an order as the marketplace itself would. */
  change(id: string, change: Partial<MemoryOrder>): void
}

export interface MemoryOptions {
  /** The marketplace's clock, milliseconds since the epoch; without one every change is a second later than the one before. */
  nowMs?: () => number
  /** Rows of one page of a sweep. */
  pageSize?: number
}

export const EVERYTHING: Capabilities = {
  createOrder: true,
  updateOrder: true,
  cancelOrder: true,
  updateStock: false,
  pushFulfilment: true,
  fractionalQuantity: false,
  idempotentCreate: false,
}

type World = Pick<MemoryMarketplace, 'channel' | 'capabilities' | 'orders' | 'requests' | 'faults' | 'readFaults' | 'unknownSkus'> & {
  version: () => string
  pageSize: number
}

/** A marketplace in memory, for flow tests: it never dedupes, and fails as told. */
export function memoryMarketplace(
  channel: string,
  capabilities: Capabilities = EVERYTHING,
  { nowMs, pageSize = 50 }: MemoryOptions = {},
): MemoryMarketplace {
  let clock = Date.UTC(2026, 0, 1)
  const version = (): string => {
    clock = nowMs ? Math.max(clock + 1, nowMs()) : clock + 1000
    return new Date(clock).toISOString()
  }
  const orders = new Map<string, MemoryOrder>()
  const world: World = {
    channel,
    capabilities,
    orders,
    requests: [],
    faults: [],
    readFaults: [],
    unknownSkus: new Set(),
    version,
    pageSize,
  }
  return {
    channel,
    capabilities,
    listsChanges: true,
    looksFirst: false,
    orders,
    requests: world.requests,
    faults: world.faults,
    readFaults: world.readFaults,
    unknownSkus: world.unknownSkus,
    buy: (order) => void orders.set(order.id, { ...order, reference: null, cancelled: false, version: version() }),
    change: (id, change) => {
      const order = orders.get(id)
      if (!order) throw new Error(`no order ${id}`)
      orders.set(id, { ...order, ...change, version: version() })
    },
    lookUp: (wanted, log, signal) =>
      log.read('look up', (requestId) => read(world, { requestId, what: 'look-up', signal }, () => find(world, wanted))),
    next: (wanted, shown) => nextStep(wanted, shown, capabilities),
    send: (...[wanted, operation, , requestId, signal, isLate]) => send(world, { wanted, operation, requestId, isLate }, signal),
    fetchOrder: (resource, log, signal) => fetchOrder(world, resource, log, signal),
    listChanged: (since, page, signal) =>
      read(world, { requestId: '', what: 'sweep', signal }, () => changedPage(world, since, Number(page ?? '0'))),
    missedEvents: (): Promise<Reading> => Promise.resolve({ kind: 'events', events: [] }),
  }
}

function read<T>(
  world: World,
  { requestId, what, signal }: { requestId: string; what: string; signal: AbortSignal },
  answer: () => T,
): Promise<T> {
  return meet(world.readFaults.shift(), signal, () => {
    if (requestId !== '') world.requests.push({ requestId, what })
    return answer()
  })
}

function find({ orders }: World, { externalId, reference }: Wanted): Shown {
  const found = externalId === null ? [...orders.values()].find((o) => o.reference === reference) : orders.get(externalId)
  return found ? shownOf(found) : { kind: 'absent' }
}

async function send(
  world: World,
  { wanted, operation, requestId, isLate }: { wanted: Wanted; operation: Operation; requestId: string; isLate: IsLate | undefined },
  signal: AbortSignal,
): Promise<Sent> {
  const { createOrder, updateOrder, cancelOrder, pushFulfilment } = world.capabilities
  const able = {
    create: createOrder,
    update: updateOrder,
    cancel: cancelOrder,
    track: pushFulfilment,
    confirm: false,
    note: false,
    stock: false,
  }
  if (!able[operation]) throw new IntegrationError('unsupported', { summary: `the marketplace takes no ${operation}` })
  if (isLate?.()) throw new IntegrationError('unreachable', { summary: 'not sent: too late after its intent' })
  return meet(world.faults.shift(), signal, () => {
    world.requests.push({ requestId, what: operation })
    return apply(world, wanted, operation)
  })
}

function apply({ orders, unknownSkus, version }: World, wanted: Wanted, operation: Operation): Sent {
  const desired = wanted.desired as DesiredOrder
  const id = operation === 'create' ? String(2_000_000_000_000 + orders.size + 1) : (wanted.externalId ?? '')
  const known = orders.get(id)
  if (operation !== 'create' && !known) throw new IntegrationError('not-found', { summary: 'no such order' })
  if (operation === 'track' && known) {
    const told = { ...known, fulfilment: desired.fulfilment ?? known.fulfilment, tracking: desired.tracking, version: version() }
    orders.set(id, told)
    return { externalId: id, shown: shownOf(told) }
  }
  const unknown = desired.lines.find((line) => unknownSkus.has(line.sku))
  if (operation !== 'cancel' && unknown)
    throw new IntegrationError('rejected', { causeCode: 'sku-unknown', summary: `the marketplace does not know the SKU ${unknown.sku}` })
  const order: MemoryOrder = {
    ...(known ?? { id, fulfilment: 'none' }),
    reference: wanted.reference,
    cancelled: operation === 'cancel',
    lines: operation === 'cancel' ? (known?.lines ?? []) : desired.lines.map(({ lineId: _lineId, ...line }) => line),
    currency: desired.currency,
    totalMinor: desired.totalMinor,
    version: version(),
  }
  orders.set(id, order)
  return { externalId: id, shown: shownOf(order) }
}

function shownOf(order: MemoryOrder): Shown & { kind: 'found' } {
  const { fulfilment, currency, totalMinor, lines } = order
  return {
    kind: 'found',
    externalId: order.id,
    content: {
      lifecycle: order.cancelled ? 'cancelled' : 'open',
      fulfilment,
      currency,
      totalMinor,
      lines,
      extra: { tracking: order.tracking ?? null },
    },
  }
}

function changedPage({ orders, pageSize }: World, sinceIso: string, offset: number): SweepPage {
  const changed = [...orders.values()]
    .filter((o) => Date.parse(o.version) >= Date.parse(sinceIso))
    .sort((a, b) => Date.parse(a.version) - Date.parse(b.version))
  const next = offset + pageSize
  return {
    resources: changed
      .slice(offset, next)
      .map((o) => ({ resource: orderPointer(o.id), orderKey: o.id, version: o.version, createdAt: null })),
    next: next < changed.length ? String(next) : null,
  }
}

async function fetchOrder(world: World, resource: string, log: AttemptLog, signal: AbortSignal): Promise<Fetched> {
  const id = /^\/orders\/(\d+)$/.exec(resource)?.[1]
  if (id === undefined) throw new IntegrationError('rejected', { causeCode: 'webhook-refused', summary: 'the resource is no order' })
  const order = await log.read('fetch order', (requestId) =>
    read(world, { requestId, what: 'fetch', signal }, () => {
      const found = world.orders.get(id)
      if (!found) throw new IntegrationError('not-found', { summary: 'the marketplace does not show this order' })
      return found
    }),
  )
  return { orderKey: order.id, fragments: fragmentsOf(order), personal: { buyerName: `Buyer of ${order.id}` } }
}

function fragmentsOf(order: MemoryOrder): Fragment[] {
  const { id, shipmentId, version, fulfilment } = order
  const own: Fragment = {
    entity: 'order',
    externalId: id,
    orderKey: id,
    version,
    identifiers: [
      { kind: 'marketplace-order', value: id },
      ...(order.reference ? [{ kind: 'reference' as const, value: order.reference }] : []),
    ],
    payment: 'paid',
    lifecycle: order.cancelled ? 'cancelled' : 'open',
    fulfilment,
    ...(order.currency === null ? {} : { currency: order.currency }),
    ...(order.totalMinor === null ? {} : { totalMinor: order.totalMinor }),
    lines: order.lines.map((line, i) => ({ lineId: `${id}-${i + 1}`, ...line })),
    confirmed: true,
  }
  if (shipmentId === undefined) return [own]
  const identifiers = [{ kind: 'shipment' as const, value: shipmentId }]
  return [own, { entity: 'shipment', externalId: shipmentId, orderKey: id, version, identifiers, fulfilment }]
}
