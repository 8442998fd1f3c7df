import { compareOrder, type Drift } from '../core/drift.ts'
import { type InboundEvent, SWEEP_TOPIC } from '../core/inbound-event.ts'
import { IntegrationError, type IntegrationErrorCode } from '../core/integration-error.ts'
import type { AttemptLog } from '../ports/attempt-log.ts'
import type { Erp } from '../ports/erp.ts'
import type { Inbox } from '../ports/inbox.ts'
import type { Marketplace } from '../ports/marketplace.ts'
import type { Comparable, ReconcileStore, Unseen } from '../ports/reconcile-store.ts'
import type { Target } from '../ports/target.ts'

export interface ReconcilePorts {
  channel: string
  /** Takes what a sweep found as events. */
  inbox: Inbox
  reconcile: ReconcileStore
  /** Orders created before are no business of a sweep, unless the hub knows them. ISO instant. */
  since: string
  /** How far a sweep reads back behind its cursor; MercadoLibre filters by whole hours. Milliseconds. */
  overlapMs: number
  compareAfterMs: number
  /** The first look at a target comes sooner: one that took an order and dropped it shows early. Beyond the settle window. */
  firstCompareAfterMs: number
  compareLimit: number
  /** Whether a target that shows other content is sent ours again. Never for Odoo: a person's edit stands. */
  repairs: boolean
}

// These requests serve no single delivery or event, so they leave no attempt.
const unrecorded: AttemptLog = { read: (_operation, call) => call('') }

/**
 * Reads what changed at the marketplace since the last sweep; what the hub has not seen becomes an inbound event, with its tries and its dead letter.
 * Finds orders of which no webhook told. Answers how many events that made.
 */
export async function sweepMarketplace(marketplace: Marketplace, ports: ReconcilePorts, signal: AbortSignal): Promise<number> {
  const cursorName = `sweep/${ports.channel}`
  const began = await ports.reconcile.now()
  const cursor = await ports.reconcile.readCursor(cursorName)
  const from = cursor === null ? 0 : Date.parse(cursor) - ports.overlapMs
  const since = new Date(Math.max(from, Date.parse(ports.since))).toISOString()
  const than = { olderThanMs: ports.compareAfterMs, since: ports.since }
  let recorded = 0
  for (let page: string | null = null, more = true; more; ) {
    const found = await marketplace.listChanged(since, page, signal)
    recorded += await recordSwept(await ports.reconcile.unseen(ports.channel, found.resources, than), ports)
    page = found.next
    more = page !== null
  }
  await ports.reconcile.moveCursor(cursorName, began)
  return recorded
}

/** A sweep shows a change of the order, but a shipment that moves changes no version of its order (MercadoLibre): its notification alone tells. */
const SHIPMENTS_AFTER_MS = 86_400_000

/**
 * Fetches open orders again, each by an event of its own, since no sweep shows every change whose webhook was lost for good. Where the marketplace lists by creation
 * alone, those that were not fetched for `compareAfterMs`; where it lists changes, those not delivered yet, once a day. Answers how many events that made.
 */
export async function rereadOpenOrders(marketplace: Marketplace, ports: ReconcilePorts): Promise<number> {
  const { channel, compareAfterMs, compareLimit } = ports
  const which = marketplace.listsChanges
    ? { olderThanMs: Math.max(compareAfterMs, SHIPMENTS_AFTER_MS), isDeliveredToo: false }
    : { olderThanMs: compareAfterMs, isDeliveredToo: true }
  return recordSwept(await ports.reconcile.openOrders(channel, which, compareLimit), ports)
}

async function recordSwept(found: readonly Unseen[], { channel, inbox }: ReconcilePorts): Promise<number> {
  return recordFound(inbox, { channel, path: SWEEP_TOPIC, events: found.map((one) => sweptEvent(channel, one)) })
}

// The same until the order was fetched again or shows another version: what was given up on is no event a second time.
function sweptEvent(channel: string, { resource, orderKey, version, fetchedAt }: Unseen): InboundEvent {
  const key = [SWEEP_TOPIC, resource, version ?? '', fetchedAt ?? ''].join(' ')
  return { channel, topic: SWEEP_TOPIC, resource, sourceEventId: null, dedupeKey: key, comparable: key, orderKey, ignore: null }
}

/** Takes in what the marketplace says it could not deliver, as events like any other; duplicates cost nothing. */
export async function readMissedEvents(marketplace: Marketplace, inbox: Inbox, signal: AbortSignal): Promise<number> {
  const reading = await marketplace.missedEvents(signal)
  if (reading.kind === 'refused') return 0
  return recordFound(inbox, { channel: marketplace.channel, path: 'missed-feed', events: reading.events })
}

async function recordFound(
  inbox: Inbox,
  { channel, path, events }: { channel: string; path: string; events: readonly InboundEvent[] },
): Promise<number> {
  if (events.length === 0) return 0
  const body = new TextEncoder().encode(JSON.stringify(events.map(({ topic, resource }) => ({ topic, resource }))))
  const receipts = await inbox.record({ channel, path, headers: {}, body, sourceIp: null, traceparent: null }, 'accepted', events)
  return receipts.filter((r) => r.kind === 'accepted').length
}

export interface Comparison {
  /** Open drifts of what was compared. */
  open: number
  /** What could not be compared, and is tried again after `compareAfterMs`. */
  failed: { reference: string; code: IntegrationErrorCode }[]
}

/**
 * Looks delivered orders up at their target and compares field by field with what was delivered. One whose look-up fails leaves the others their
 * turn; throws only what the whole account would meet.
 */
export async function compareDelivered(target: Target, ports: ReconcilePorts, signal: AbortSignal): Promise<Comparison> {
  const comparison: Comparison = { open: 0, failed: [] }
  const rest = { firstMs: ports.firstCompareAfterMs, againMs: ports.compareAfterMs }
  for (const comparable of await ports.reconcile.comparable(ports.channel, rest, ports.compareLimit)) {
    if (signal.aborted) break
    try {
      comparison.open += await compareOne(target, comparable, ports, signal)
    } catch (error) {
      if (signal.aborted || !(error instanceof IntegrationError) || OF_THE_WHOLE_ACCOUNT.includes(error.code)) throw error
      await ports.reconcile.postponeComparison(comparable)
      comparison.failed.push({ reference: comparable.wanted.reference, code: error.code })
    }
  }
  return comparison
}

const OF_THE_WHOLE_ACCOUNT: readonly IntegrationErrorCode[] = ['unreachable', 'unauthorized', 'rate-limited']

async function compareOne(target: Target, comparable: Comparable, ports: ReconcilePorts, signal: AbortSignal): Promise<number> {
  const { desired } = comparable.wanted
  if (desired.kind !== 'order') return 0
  const shown = await target.lookUp(comparable.wanted, unrecorded, signal)
  const drifts = compareOrder(desired, shown.kind === 'found' ? shown.content : null)
  const open = await ports.reconcile.recordComparison(comparable, shown, drifts)
  if (comparable.copies.length > 0) await ports.reconcile.recordCopies(comparable, await stillThere(target, comparable, signal))
  if (ports.repairs && drifts.some(isRepairable)) await ports.reconcile.redeliver(comparable)
  return open
}

// A copy that was removed tells no sweep: each is looked at by its own id.
async function stillThere(target: Target, { wanted, copies }: Comparable, signal: AbortSignal): Promise<string[]> {
  const live: string[] = []
  for (const externalId of copies) {
    const shown = await target.lookUp({ ...wanted, externalId }, unrecorded, signal)
    if (shown.kind === 'found' && shown.externalId === externalId && shown.content.lifecycle !== 'cancelled') live.push(externalId)
  }
  return live
}

/** Has the ERP count which references it holds twice since then. Answers how many. */
export async function findErpCopies(
  { erp, reconcile }: { erp: Erp; reconcile: ReconcileStore },
  days: number,
  signal: AbortSignal,
): Promise<number> {
  const since = new Date(Date.parse(await erp.serverTime(signal)) - days * 86_400_000).toISOString()
  const doubled = await erp.doubledOrders(since, signal)
  await reconcile.recordErpCopies(doubled)
  return doubled.length
}

// A missing order is never created again without a person: it may have been removed on purpose.
const isRepairable = (drift: Drift): boolean => drift.kind === 'content' || drift.kind === 'lifecycle'
