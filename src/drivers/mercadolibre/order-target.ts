import type { Capabilities } from '../../core/channel.ts'
import type { Operation, Step } from '../../core/delivery.ts'
import type { DesiredOrder } from '../../core/desired.ts'
import { compareOrder } from '../../core/drift.ts'
import { IntegrationError } from '../../core/integration-error.ts'
import { majorFrom } from '../../core/money.ts'
import { idempotencyKey, refusedLines, stepIfAble } from '../../core/send-step.ts'
import { shortened } from '../../core/storable-text.ts'
import type { IsLate, Sent, Shown, ShownContent, Wanted } from '../../ports/target.ts'
import { digits, type FetchedOrder, getOrder, type Reads, searchOrders } from './calls.ts'
import { type MeliClient, readAnswer } from './client.ts'
import type { Mapping } from './fetch-order.ts'
import { MeliOrder, orderFragment } from './order.ts'
import { lookUpOwnSale, reports, reportShipment, reportStep, shipmentFacts } from './report-shipment.ts'

export interface OrderTarget {
  client: MeliClient
  userId: string
  capabilities: Capabilities
  mapping: Mapping
}

type WantedOrder = Wanted & { desired: DesiredOrder }

/**
 * By id when it is known, else by our reference, which only the simulator's orders carry. With its shipment where the version reports one.
 * A sale of the marketplace's own is found by its key, and owed nothing but that report.
 */
export async function lookUpOrder(target: OrderTarget, wanted: WantedOrder, reads: Reads): Promise<Shown> {
  const { desired, channel } = wanted
  const { statuses } = target.mapping
  if (desired.origin === channel) return lookUpOwnSale(reads, desired.orderKey, statuses)
  const shown = await findOrder(target, wanted, reads)
  if (shown.kind === 'absent' || !reports(desired) || !target.capabilities.pushFulfilment) return shown
  const { order } = await getOrder(reads, shown.externalId)
  const { fulfilment, extra } = await shipmentFacts(reads, order, statuses)
  return { ...shown, content: { ...shown.content, fulfilment, extra: { ...shown.content.extra, ...extra } } }
}

async function findOrder(target: OrderTarget, wanted: WantedOrder, reads: Reads): Promise<Shown> {
  if (wanted.externalId !== null) return byId(target, wanted.externalId, reads)
  if (!target.capabilities.createOrder) return { kind: 'absent' }
  // The default list leaves cancelled orders out, so absence takes both.
  const live = await byReference(target, wanted.reference, reads, {})
  return live.kind === 'found' ? live : byReference(target, wanted.reference, reads, { 'order.status': 'cancelled' })
}

async function byId(target: OrderTarget, id: string, reads: Reads): Promise<Shown> {
  try {
    return shownOf(target, [await getOrder(reads, id)])
  } catch (error) {
    if (error instanceof IntegrationError && saysAbsent(error)) return { kind: 'absent' }
    throw error
  }
}

// A 404 of a gateway says nothing of the order: absence is MercadoLibre's own word for it.
function saysAbsent({ code, detail }: IntegrationError): boolean {
  return code === 'not-found' && /\border_not_found\b/.test(detail.theirText ?? '')
}

async function byReference(target: OrderTarget, reference: string, reads: Reads, filter: Record<string, string>): Promise<Shown> {
  const { results, paging } = await searchOrders(reads, { seller: digits(target.userId), external_reference: reference, ...filter })
  const ours = results.filter((order) => order.external_reference === reference)
  if (ours.length === 0 && paging.total > 0) {
    throw new IntegrationError('malformed-response', {
      summary: 'the search did not filter by external_reference, so it proves no absence',
    })
  }
  ours.sort((a, b) => (BigInt(a.id) < BigInt(b.id) ? -1 : 1))
  const shown = shownOf(
    target,
    ours.map((order) => ({ order, missing: null })),
  )
  const live = ours.filter((order) => order.status !== 'cancelled').map((order) => String(order.id))
  return shown.kind === 'found' && live.length > 1 ? { ...shown, copies: live } : shown
}

/** Of several orders with one reference the oldest is ours; the count says that there are more. */
function shownOf(target: OrderTarget, orders: FetchedOrder[]): Shown {
  const first = orders[0]
  if (!first) return { kind: 'absent' }
  const fragment = orderFragment(first.order, { ...target.mapping, missing: first.missing })
  if (fragment.lines === undefined || fragment.rawStatus === undefined) {
    throw new IntegrationError('malformed-response', { summary: 'a partial answer: what the order holds is not known' })
  }
  const content: ShownContent = {
    lifecycle: fragment.lifecycle ?? null,
    fulfilment: null,
    currency: fragment.currency ?? null,
    totalMinor: fragment.totalMinor ?? null,
    lines: fragment.lines.map(({ sku, quantity, unitPriceMinor }) => ({ sku, quantity, unitPriceMinor })),
    extra: { status: fragment.rawStatus, orders: orders.length, version: fragment.version },
  }
  return { kind: 'found', externalId: fragment.externalId, content }
}

export function nextForOrder(capabilities: Capabilities, wanted: WantedOrder, shown: Shown): Step {
  const { desired } = wanted
  if (desired.origin === wanted.channel) return nextForOwnSale(capabilities, desired, shown)
  if (shown.kind === 'absent') return nextWhenAbsent(capabilities, wanted)
  if (desired.lifecycle === 'cancelled') {
    if (shown.content.lifecycle === 'cancelled') return { kind: 'done', reason: 'already-there' }
    return stepIfAble(capabilities.cancelOrder, 'cancel')
  }
  if (shown.content.lifecycle === 'cancelled') {
    return { kind: 'refused', cause: 'rejected-by-target', summary: 'the order is cancelled there, which cannot be undone' }
  }
  if (compareOrder(desired, shown.content).length === 0)
    return reportStep(capabilities, desired, shown.content) ?? { kind: 'done', reason: 'already-there' }
  return refusalOf(capabilities, desired) ?? stepIfAble(capabilities.updateOrder, 'update')
}

function nextForOwnSale(capabilities: Capabilities, desired: DesiredOrder, shown: Shown): Step {
  if (shown.kind === 'found') return reportStep(capabilities, desired, shown.content) ?? { kind: 'done', reason: 'already-there' }
  return { kind: 'refused', cause: 'delivered-then-missing', summary: `MercadoLibre shows no sale ${desired.orderKey} any more` }
}

function nextWhenAbsent(capabilities: Capabilities, wanted: WantedOrder): Step {
  const { desired } = wanted
  if (wanted.externalId !== null) {
    if (desired.lifecycle === 'cancelled') return { kind: 'done', reason: 'nothing-to-do' }
    return { kind: 'refused', cause: 'delivered-then-missing', summary: `order ${wanted.externalId} is not there any more` }
  }
  if (desired.lifecycle === 'cancelled') return { kind: 'done', reason: 'nothing-to-do' }
  if (!capabilities.createOrder) return { kind: 'unsupported', operation: 'create' }
  return refusalOf(capabilities, desired) ?? { kind: 'send', operation: 'create' }
}

function refusalOf(capabilities: Capabilities, desired: DesiredOrder): Step | undefined {
  const refused = refusedLines(capabilities, desired)
  if (refused) return refused
  if (desired.currency === null) return { kind: 'refused', cause: 'erp-order-invalid', summary: 'the order has no currency' }
  const priceless = desired.lines.find((line) => line.unitPriceMinor === null)
  return priceless && { kind: 'refused', cause: 'erp-order-invalid', summary: `${priceless.sku} has no unit price` }
}

/** One request. The calls exist at the simulator only; the capabilities of the real marketplace never lead here. */
export async function sendOrder(
  target: OrderTarget,
  what: { wanted: WantedOrder; operation: Operation; shown: Shown; requestId: string; isLate?: IsLate | undefined },
  signal: AbortSignal,
): Promise<Sent> {
  const { wanted, requestId, isLate } = what
  if (what.operation === 'track') {
    const { client, capabilities } = target
    const report = { desired: wanted.desired, shown: what.shown, requestId, isLate }
    return await reportShipment({ client, canReport: capabilities.pushFulfilment }, report, signal)
  }
  const call = callFor(target, what)
  const answer = await target.client
    .call({
      ...call,
      headers: { 'idempotency-key': idempotencyKey(wanted, what.operation) },
      requestId,
      signal,
      isLate,
    })
    .catch((error: unknown) => {
      throw namingSku(error, wanted.desired)
    })
  const shown = shownOf(target, [{ order: readAnswer(MeliOrder, answer), missing: null }])
  const externalId = shown.kind === 'found' ? shown.externalId : null
  // The answer shows no shipment, so where one is to be reported a look-up tells how it stands.
  return { externalId, shown: reports(wanted.desired) && target.capabilities.pushFulfilment ? null : shown }
}

// The SKU is ours, so it may stand in our own sentence; their text stays apart.
function namingSku(error: unknown, desired: DesiredOrder): unknown {
  if (!(error instanceof IntegrationError) || error.detail.causeCode !== 'sku-unknown') return error
  const sku = desired.lines.find((line) => error.detail.theirText?.includes(line.sku))?.sku
  return sku === undefined
    ? error
    : new IntegrationError(error.code, { ...error.detail, summary: `MercadoLibre does not know the SKU ${sku}` })
}

type Call = { method: 'POST' | 'PUT'; path: string; body: unknown }

function callFor(target: OrderTarget, { wanted, operation, shown }: { wanted: WantedOrder; operation: Operation; shown: Shown }): Call {
  const { capabilities } = target
  const id = shown.kind === 'found' ? shown.externalId : wanted.externalId
  if (operation === 'create' && capabilities.createOrder) return { method: 'POST', path: '/orders', body: bodyOf(wanted) }
  if (operation === 'update' && capabilities.updateOrder && id)
    return { method: 'PUT', path: `/orders/${digits(id)}`, body: bodyOf(wanted) }
  if (operation === 'cancel' && capabilities.cancelOrder && id) return { method: 'POST', path: `/orders/${digits(id)}/cancel`, body: {} }
  throw new IntegrationError('unsupported', {
    causeCode: 'unsupported-by-target',
    summary: `MercadoLibre takes no ${operation} of an order`,
  })
}

function bodyOf({ desired, reference, personal }: WantedOrder): unknown {
  const currency = desired.currency ?? ''
  const total = desired.totalMinor ?? desired.lines.reduce((sum, line) => sum + Number(line.quantity) * (line.unitPriceMinor ?? 0), 0)
  const nickname = shortened(personal?.buyerNickname ?? personal?.buyerName ?? '', 200)
  return {
    external_reference: reference,
    ...(nickname ? { buyer: { nickname } } : {}),
    currency_id: currency,
    total_amount: majorFrom(total, currency),
    order_items: desired.lines.map((line) => ({
      seller_sku: line.sku,
      quantity: Number(line.quantity),
      unit_price: majorFrom(line.unitPriceMinor ?? 0, currency),
    })),
  }
}
