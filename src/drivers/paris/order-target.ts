import { z } from 'zod'
import type { Capabilities } from '../../core/channel.ts'
import type { Operation, Step } from '../../core/delivery.ts'
import type { DesiredOrder } from '../../core/desired.ts'
import { compareOrder } from '../../core/drift.ts'
import { IntegrationError } from '../../core/integration-error.ts'
import { idempotencyKey, refusedLines, stepIfAble } from '../../core/send-step.ts'
import { shortened } from '../../core/storable-text.ts'
import type { AttemptLog } from '../../ports/attempt-log.ts'
import type { IsLate, Sent, Shown, Wanted } from '../../ports/target.ts'
import type { ParisClient } from './client.ts'
import { listOrders, PAGE_SIZE, PAGE_STEP } from './list.ts'
import { fetchedOf, meaningOf, PARIS_ID, ParisOrder, type ParisRow, type ParisStatusMap } from './order.ts'

export interface OrderTarget {
  client: ParisClient
  capabilities: Capabilities
  /** The server filters `GET /orders` by `external_ref`: an addition to the contract. */
  lookUpByQuery: boolean
  statuses: ParisStatusMap
}

type WantedOrder = Wanted & { desired: DesiredOrder }

/** A look-up reads this much further back than the first intent: Paris's clock is not the hub's. */
const CLOCK_SLACK_MS = 3_600_000

/** By id when it is known, else by our reference. */
export async function lookUpOrder(target: OrderTarget, wanted: Wanted, log: AttemptLog, signal: AbortSignal): Promise<Shown> {
  if (wanted.externalId !== null) return lookUpById(target, wanted.externalId, log, signal)
  const rows = await (target.lookUpByQuery ? rowsByQuery : rowsByPaging)(target.client, wanted, log, signal)
  return shownOfRows(rows, target.statuses)
}

async function lookUpById({ client, statuses }: OrderTarget, externalId: string, log: AttemptLog, signal: AbortSignal): Promise<Shown> {
  const path = pathOf(externalId)
  try {
    const order = await log.read('look up by id', (requestId) => client.call(ParisOrder, { method: 'GET', path, requestId, signal }))
    return shownOf(order, statuses)
  } catch (error) {
    if (error instanceof IntegrationError && saysAbsent(error)) return { kind: 'absent' }
    throw error
  }
}

// A 404 of a gateway says nothing of the order: absence is Paris's own word for it.
function saysAbsent({ code, detail }: IntegrationError): boolean {
  return code === 'not-found' && /^\s*\{\s*"detail"\s*:\s*"order not found"\s*\}\s*$/.test(detail.theirText ?? '')
}

async function rowsByQuery(client: ParisClient, wanted: Wanted, log: AttemptLog, signal: AbortSignal): Promise<ParisRow[]> {
  const rows = await log.read('look up by reference', (requestId) =>
    listOrders(client, { offset: 0, reference: wanted.reference }, { requestId, signal }),
  )
  // Rows of others: this server does not filter after all, so one page proves nothing.
  return rows.every((row) => row.external_ref === wanted.reference) ? rows : rowsByPaging(client, wanted, log, signal)
}

// Newest first, back to the first intent; the contract has no search.
async function rowsByPaging(client: ParisClient, wanted: Wanted, log: AttemptLog, signal: AbortSignal): Promise<ParisRow[]> {
  const sinceMs = wanted.firstSentAt === null ? 0 : Date.parse(wanted.firstSentAt) - CLOCK_SLACK_MS
  const ours = new Map<string, ParisRow>()
  const seen = new Set<string>()
  for (let offset = 0; ; offset += PAGE_STEP) {
    const rows = await log.read('look up by reference', (requestId) => listOrders(client, { offset }, { requestId, signal }))
    for (const row of rows) if (row.external_ref === wanted.reference) ours.set(row.id, row)
    const seenBefore = seen.size
    for (const row of rows) seen.add(row.id)
    const oldest = rows.at(-1)
    if (rows.length >= PAGE_SIZE && seen.size === seenBefore) {
      throw new IntegrationError('malformed-response', { summary: 'the list shows the same page again and again, so it proves no absence' })
    }
    if (rows.length < PAGE_SIZE || (oldest !== undefined && Date.parse(oldest.created_at) < sinceMs)) return [...ours.values()]
  }
}

/** Of several orders with one reference the oldest is ours; the count says that there are more. */
function shownOfRows(rows: ParisRow[], statuses: ParisStatusMap): Shown {
  const oldest = rows.reduceRight<ParisRow | undefined>(
    (first, row) => (first === undefined || Date.parse(row.created_at) < Date.parse(first.created_at) ? row : first),
    undefined,
  )
  if (oldest === undefined) return { kind: 'absent' }
  const parsed = ParisOrder.safeParse(oldest)
  const live = rows.filter((row) => !isCancelled(row, statuses)).map((row) => row.id)
  if (parsed.success) return { ...shownOf(parsed.data, statuses, rows.length), ...(live.length > 1 ? { copies: live } : {}) }
  const field = parsed.error.issues[0]?.path.join('.') ?? ''
  throw new IntegrationError('malformed-response', {
    summary: `the order with our reference does not fit its schema at "${field}"`,
    cause: parsed.error,
  })
}

function isCancelled(row: ParisRow, statuses: ParisStatusMap): boolean {
  const parsed = ParisOrder.safeParse(row)
  return parsed.success && meaningOf(statuses, parsed.data.status)?.lifecycle === 'cancelled'
}

function shownOf(order: ParisOrder, statuses: ParisStatusMap, orders = 1): Shown & { kind: 'found' } {
  const meaning = meaningOf(statuses, order.status)
  return {
    kind: 'found',
    externalId: order.id,
    content: {
      lifecycle: meaning?.lifecycle ?? null,
      fulfilment: meaning?.fulfilment ?? null,
      currency: null,
      totalMinor: null,
      lines: order.items.map(({ sku, qty }) => ({ sku, quantity: qty, unitPriceMinor: null })),
      extra: { status: shortened(order.status, 120), orders },
    },
  }
}

/** The next request, from what Paris shows: a repeated create answers the stored order, whatever was sent, so content is compared always. */
export function nextForOrder(capabilities: Capabilities, wanted: WantedOrder, shown: Shown): Step {
  const { desired } = wanted
  const isCancelled = desired.lifecycle === 'cancelled'
  if (shown.kind === 'absent') {
    if (isCancelled) return { kind: 'done', reason: 'nothing-to-do' }
    if (wanted.externalId !== null)
      return { kind: 'refused', cause: 'delivered-then-missing', summary: `order ${wanted.externalId} is not there any more` }
    if (!capabilities.createOrder) return { kind: 'unsupported', operation: 'create' }
    return refusedLines(capabilities, desired) ?? { kind: 'send', operation: 'create' }
  }
  if (isCancelled && shown.content.lifecycle !== 'cancelled') return stepIfAble(capabilities.cancelOrder, 'cancel')
  if (isCancelled) return { kind: 'done', reason: 'already-there' }
  if (shown.content.lifecycle === 'cancelled')
    return { kind: 'refused', cause: 'rejected-by-target', summary: 'the order is cancelled there, which cannot be undone' }
  if (compareOrder(desired, shown.content).length === 0) return { kind: 'done', reason: 'already-there' }
  return refusedLines(capabilities, desired) ?? stepIfAble(capabilities.updateOrder, 'update')
}

/** One request. What the answer shows decides whether it was enough. */
export async function sendOrder(
  { client, capabilities, statuses }: OrderTarget,
  { wanted, operation, requestId, isLate }: { wanted: WantedOrder; operation: Operation; requestId: string; isLate?: IsLate | undefined },
  signal: AbortSignal,
): Promise<Sent> {
  const call = callFor(capabilities, wanted, operation)
  const headers = { 'idempotency-key': idempotencyKey(wanted, operation) }
  const order = await client.call(ParisOrder, { ...call, headers, requestId, signal, isLate }).catch((error: unknown) => {
    throw namingSku(error, wanted.desired)
  })
  // An answer about somebody else's order is no answer about ours: a look-up decides.
  if (order.external_ref && order.external_ref !== wanted.reference)
    throw new IntegrationError('malformed-response', { summary: 'the answer shows an order with another reference' })
  const told = { resource: pathOf(order.id), fetched: fetchedOf(order, statuses) }
  return { externalId: order.id, shown: shownOf(order, statuses), told }
}

type Call = { method: 'POST' | 'PUT'; path: string; body: string }

function callFor(capabilities: Capabilities, wanted: WantedOrder, operation: Operation): Call {
  const { externalId } = wanted
  if (operation === 'create' && capabilities.createOrder) return { method: 'POST', path: '/orders', body: bodyOf(wanted) }
  if (operation === 'update' && capabilities.updateOrder && externalId !== null)
    return { method: 'PUT', path: pathOf(externalId), body: bodyOf(wanted) }
  if (operation === 'cancel' && capabilities.cancelOrder && externalId !== null)
    return { method: 'POST', path: `${pathOf(externalId)}/cancel`, body: '{}' }
  throw new IntegrationError('unsupported', { causeCode: 'unsupported-by-target', summary: `Paris takes no ${operation} of an order` })
}

function pathOf(id: string): string {
  if (PARIS_ID.test(id)) return `/orders/${id}`
  throw new IntegrationError('rejected', { causeCode: 'rejected-by-target', summary: 'the bound id is none that Paris gives' })
}

const NOBODY = 'cliente'

function bodyOf({ reference, personal, desired }: WantedOrder): string {
  const buyer = shortened((personal?.buyerName ?? personal?.buyerNickname ?? '').trim(), 200)
  const items = desired.lines.map(({ sku, quantity }) => ({ sku, qty: Number(quantity) }))
  return JSON.stringify({ buyer: buyer || NOBODY, items, external_ref: reference })
}

const SkuProblems = z.object({ detail: z.array(z.object({ loc: z.array(z.union([z.string(), z.number()])) })) })

// The SKU is ours, so it may stand in our own sentence; their text stays apart.
function namingSku(error: unknown, desired: DesiredOrder): unknown {
  if (!(error instanceof IntegrationError) || error.detail.causeCode !== 'sku-unknown') return error
  const named = [...new Set(placesIn(error.detail.theirText ?? '').flatMap((at) => desired.lines[at]?.sku ?? []))]
  if (named.length === 0) return error
  const summary = `Paris does not know the SKU ${named.slice(0, 5).join(', ')}${named.length > 5 ? ` and ${named.length - 5} more` : ''}`
  return new IntegrationError(error.code, { ...error.detail, summary })
}

/** Indexes of the refused items; read from the text alone when it was cut short. */
function placesIn(text: string): number[] {
  try {
    const problems = SkuProblems.safeParse(JSON.parse(text))
    if (problems.success)
      return problems.data.detail.flatMap(({ loc }) => (loc[1] === 'items' && typeof loc[2] === 'number' ? [loc[2]] : []))
  } catch {
    // cut short
  }
  return [...text.matchAll(/"items",\s*(\d{1,5})\s*,/g)].map((found) => Number(found[1]))
}
