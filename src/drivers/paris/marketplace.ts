import { z } from 'zod'
import type { Capabilities, ChannelTiming } from '../../core/channel.ts'
import type { DesiredOrder } from '../../core/desired.ts'
import type { Operation, Step } from '../../core/delivery.ts'
import { compareOrder } from '../../core/drift.ts'
import { IntegrationError } from '../../core/integration-error.ts'
import { isPositive, isWholePositive } from '../../core/money.ts'
import type { AttemptLog } from '../../ports/attempt-log.ts'
import type { Marketplace, SweepPage } from '../../ports/marketplace.ts'
import type { Sent, Shown, Wanted } from '../../ports/target.ts'
import type { ParisClient } from './client.ts'
import { meaningOf, orderFragment, ParisOrder } from './order.ts'

export interface ParisParts {
  channel: string
  client: ParisClient
  capabilities: Capabilities
  timing: ChannelTiming
}

const PAGE = 100
/** A look-up pages back a little further than the first intent: the two clocks differ. */
const CLOCK_SLACK_MS = 120_000
const Orders = z.array(ParisOrder)

/** A Paris account by the mock contract. */
export function parisMarketplace({ channel, client, capabilities }: ParisParts): Marketplace {
  return {
    channel,
    capabilities,
    looksFirst: false, // nobody but the hub creates orders with the hub's references
    lookUp: (wanted, log, signal) => lookUp(client, wanted, log, signal),
    next: (wanted, shown) => nextStep(wanted, shown, capabilities),
    send: (wanted, operation, _shown, requestId, signal) => send(client, { wanted, operation, requestId }, signal),
    async fetchOrder(resource, log, signal) {
      const id = idIn(resource)
      const order = await log.read('fetch order', (requestId) =>
        client.call(ParisOrder, { method: 'GET', path: `/orders/${id}`, requestId, signal }),
      )
      return { orderKey: order.id, fragments: [orderFragment(order)], personal: order.buyer === '' ? null : { buyerName: order.buyer } }
    },
    listChanged: (sinceIso, page, signal) => listChanged(client, { sinceIso, page }, signal),
    missedEvents: () => Promise.resolve({ kind: 'events', events: [] }), // Paris keeps no list of what it could not deliver
  }
}

// Built from a whitelist, never from the pointer's text.
function idIn(resource: string): string {
  const id = /^\/orders\/([A-Za-z0-9_-]{1,80})$/.exec(resource)?.[1]
  if (id === undefined) throw new IntegrationError('rejected', { causeCode: 'webhook-refused', summary: 'the resource is no Paris order' })
  return id
}

// Newest first and without a version: every order of the window is due to be looked at again, open ones change without a trace.
async function listChanged(
  client: ParisClient,
  { sinceIso, page }: { sinceIso: string; page: string | null },
  signal: AbortSignal,
): Promise<SweepPage> {
  const offset = Number(page ?? '0')
  const orders = await client.call(Orders, { method: 'GET', path: `/orders?limit=${PAGE}&offset=${offset}`, signal })
  const within = orders.filter((o) => Date.parse(o.created_at) >= Date.parse(sinceIso))
  const more = orders.length === PAGE && within.length === orders.length
  return {
    resources: within.reverse().map((o) => ({ resource: `/orders/${o.id}`, orderKey: o.id, version: null })),
    next: more ? String(offset + PAGE) : null,
  }
}

async function lookUp(client: ParisClient, wanted: Wanted, log: AttemptLog, signal: AbortSignal): Promise<Shown> {
  if (wanted.externalId !== null) return lookUpById(client, wanted.externalId, log, signal)
  const since = wanted.firstSentAt === null ? 0 : Date.parse(wanted.firstSentAt) - CLOCK_SLACK_MS
  for (let offset = 0; ; offset += PAGE) {
    // The query narrows the answer where the server knows it; elsewhere it is ignored, so every row is compared.
    const path = `/orders?limit=${PAGE}&offset=${offset}&external_ref=${encodeURIComponent(wanted.reference)}`
    const orders = await log.read('look up by reference', (requestId) => client.call(Orders, { method: 'GET', path, requestId, signal }))
    const found = orders.find((o) => o.external_ref === wanted.reference)
    if (found) return shownOf(found)
    const oldest = orders.at(-1)
    if (orders.length < PAGE || (oldest && Date.parse(oldest.created_at) < since)) return { kind: 'absent' }
  }
}

async function lookUpById(client: ParisClient, externalId: string, log: AttemptLog, signal: AbortSignal): Promise<Shown> {
  try {
    const path = `/orders/${encodeURIComponent(externalId)}`
    return shownOf(await log.read('look up by id', (requestId) => client.call(ParisOrder, { method: 'GET', path, requestId, signal })))
  } catch (error) {
    if (error instanceof IntegrationError && error.code === 'not-found') return { kind: 'absent' }
    throw error
  }
}

function shownOf(order: ParisOrder): Shown & { kind: 'found' } {
  const meaning = meaningOf(order.status)
  return {
    kind: 'found',
    externalId: order.id,
    content: {
      lifecycle: meaning?.lifecycle ?? null,
      fulfilment: meaning?.fulfilment ?? null,
      currency: null,
      totalMinor: null,
      lines: order.items.map(({ sku, qty }) => ({ sku, quantity: qty, unitPriceMinor: null })),
      extra: { status: order.status },
    },
  }
}

function nextStep(wanted: Wanted, shown: Shown, capabilities: Capabilities): Step {
  if (wanted.desired.kind === 'stock') return { kind: 'unsupported', operation: 'stock' }
  const { desired } = wanted
  const cancelled = desired.lifecycle === 'cancelled'
  if (shown.kind === 'absent') {
    if (cancelled) return { kind: 'done', reason: 'nothing-to-do' }
    if (wanted.externalId !== null)
      return { kind: 'refused', cause: 'delivered-then-missing', summary: `order ${wanted.externalId} is not there any more` }
    return capabilities.createOrder
      ? (refusalOf(desired, capabilities) ?? { kind: 'send', operation: 'create' })
      : { kind: 'unsupported', operation: 'create' }
  }
  if (compareOrder(desired, shown.content).length === 0) return { kind: 'done', reason: 'already-there' }
  if (cancelled) return capabilities.cancelOrder ? { kind: 'send', operation: 'cancel' } : { kind: 'unsupported', operation: 'cancel' }
  if (shown.content.lifecycle === 'cancelled')
    return { kind: 'refused', cause: 'drift', summary: 'Paris cancelled the order; it cannot be opened again' }
  return capabilities.updateOrder
    ? (refusalOf(desired, capabilities) ?? { kind: 'send', operation: 'update' })
    : { kind: 'unsupported', operation: 'update' }
}

function refusalOf(desired: DesiredOrder, capabilities: Capabilities): Step | undefined {
  const taken = capabilities.fractionalQuantity ? isPositive : isWholePositive
  const odd = desired.lines.find((line) => !taken(line.quantity))
  if (odd)
    return {
      kind: 'refused',
      cause: 'unsupported-by-target',
      summary: `quantity ${odd.quantity} of ${odd.sku}: only whole pieces are taken`,
    }
  return desired.lines.length === 0 ? { kind: 'refused', cause: 'erp-order-invalid', summary: 'the order has no lines' } : undefined
}

async function send(
  client: ParisClient,
  what: { wanted: Wanted; operation: Operation; requestId: string },
  signal: AbortSignal,
): Promise<Sent> {
  const { wanted, operation, requestId } = what
  if (wanted.desired.kind === 'stock') throw new IntegrationError('unsupported', { summary: 'Paris takes no stock by this contract' })
  const { desired } = wanted
  const call = callFor(operation, wanted, desired)
  const headers = {
    'idempotency-key': `${wanted.channel}/${wanted.reference}/${operation === 'create' ? 'create' : `${operation}/${wanted.version}`}`,
  }
  const order = await client.call(ParisOrder, { ...call, headers, requestId, signal }).catch((error: unknown) => {
    throw namingSku(error, desired)
  })
  return { externalId: order.id, shown: shownOf(order) }
}

function callFor(operation: Operation, wanted: Wanted, desired: DesiredOrder): { method: 'POST' | 'PUT'; path: string; body: string } {
  const id = encodeURIComponent(wanted.externalId ?? '')
  if (operation === 'create') return { method: 'POST', path: '/orders', body: bodyOf(wanted, desired) }
  if (operation === 'update' && wanted.externalId !== null) return { method: 'PUT', path: `/orders/${id}`, body: bodyOf(wanted, desired) }
  if (operation === 'cancel' && wanted.externalId !== null) return { method: 'POST', path: `/orders/${id}/cancel`, body: '{}' }
  throw new IntegrationError('unsupported', { causeCode: 'unsupported-by-target', summary: `Paris takes no ${operation} of an order` })
}

function bodyOf({ reference, personal }: Wanted, desired: DesiredOrder): string {
  const items = desired.lines.map(({ sku, quantity }) => ({ sku, qty: Number(quantity) }))
  return JSON.stringify({ buyer: personal?.buyerName?.slice(0, 200) ?? 'cliente', items, external_ref: reference })
}

// The SKU is ours, so it may stand in our own sentence; their text stays apart.
function namingSku(error: unknown, desired: DesiredOrder): unknown {
  if (!(error instanceof IntegrationError) || error.detail.causeCode !== 'sku-unknown') return error
  const at = Number(/"items",\s*(\d+)/.exec(error.detail.theirText ?? '')?.[1] ?? Number.NaN)
  const sku = desired.lines[at]?.sku
  return sku === undefined ? error : new IntegrationError(error.code, { ...error.detail, summary: `Paris does not know the SKU ${sku}` })
}
