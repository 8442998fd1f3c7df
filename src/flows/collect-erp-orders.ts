import type { Erp, ErpVersion } from '../ports/erp.ts'
import type { Collected, CollectCursor, CollectTicket, OrderStore } from '../ports/order-store.ts'
import { withSpan } from '../telemetry.ts'
import { type CollectOutcome, holdCursor } from './hold-cursor.ts'

export interface CollectPorts {
  erp: Erp
  store: OrderStore
  /** Must exceed the ERP's longest transaction: what commits late shows an old version. Milliseconds. */
  overlapMs: number
  /** Nothing that changed before is read: a new hub does not send what was settled without it. ISO instant. */
  since: string
  /** Channels whose orders the ERP ships: its word on their pickings is read too. */
  shippedByErp?: readonly string[]
  /** Orders read and stored together; one transaction each. */
  chunk: number
  leaseMs: number
}

const ORDER_CURSOR = 'erp-orders'
/** Orders whose version is this young are read again though their version was seen: two writes may share a second. */
const SAME_SECOND_MS = 3_000
/** The window ends a little before the server's now, so that a second is never half read. */
const UPPER_BOUND_MS = 1_000

/** Reads orders that changed in the ERP since the cursor, with overlap, and plans what they owe; the cursor moves with the last batch. */
export async function collectErpOrders(ports: CollectPorts, signal: AbortSignal): Promise<CollectOutcome> {
  return withSpan('collect', {}, () =>
    holdCursor(ORDER_CURSOR, ports, signal, async (ticket) => {
      const now = Date.parse(await ports.erp.serverTime(signal))
      const watermark = new Date(now - UPPER_BOUND_MS).toISOString()
      const from = ticket.cursor ? iso(Date.parse(ticket.cursor.watermark) - ports.overlapMs) : ports.since
      const to = iso(now + UPPER_BOUND_MS)
      await collectPickings({ ticket, fromIso: from, toIso: to }, ports, signal)
      const changed = await ports.erp.changedOrders(from, to, signal)
      const due = await worthReading(changed, now, ports)
      return readAll(due, { ticket, cursor: { watermark } }, ports, signal)
    }),
  )
}

// Before the orders, whose last batch moves the cursor for both.
async function collectPickings(
  { ticket, fromIso, toIso }: { ticket: CollectTicket; fromIso: string; toIso: string },
  ports: CollectPorts,
  signal: AbortSignal,
): Promise<void> {
  const { shippedByErp: origins = [] } = ports
  if (origins.length === 0) return
  const pickings = await ports.erp.changedPickings({ fromIso, toIso, origins }, signal)
  for (let i = 0; i < pickings.length; i += ports.chunk) {
    const batch = { orders: [], quarantined: [], missing: [], pickings: pickings.slice(i, i + ports.chunk) }
    await ports.store.storeCollected(ORDER_CURSOR, ticket, batch, null)
  }
}

/** What is needed to read orders that are named. */
export type RecollectPorts = Pick<CollectPorts, 'erp' | 'store' | 'chunk' | 'leaseMs'>

/** Reads these orders again whatever their version says: some changes move none, and an id-set reconcile names what was missed. */
export async function recollectErpOrders(erpIds: readonly string[], ports: RecollectPorts, signal: AbortSignal): Promise<CollectOutcome> {
  return holdCursor(ORDER_CURSOR, ports, signal, (ticket) => readAll(erpIds, { ticket, cursor: null }, ports, signal))
}

/** The real guarantee; the window is only latency: every order created since `fromIso` must be known at its newest version. */
export async function reconcileErpIds(fromIso: string, ports: CollectPorts, signal: AbortSignal): Promise<CollectOutcome> {
  const from = Date.parse(fromIso) < Date.parse(ports.since) ? ports.since : fromIso
  const versions = await ports.erp.orderVersionsSince(from, signal)
  const missed = await ports.store.unseenErpVersions(versions)
  return missed.length === 0 ? { kind: 'collected', ...NOTHING } : recollectErpOrders(missed, ports, signal)
}

const NOTHING: Collected = { changed: 0, unchanged: 0, planned: 0, quarantined: 0 }
const iso = (ms: number): string => new Date(ms).toISOString()

async function worthReading(changed: readonly ErpVersion[], nowMs: number, ports: CollectPorts): Promise<string[]> {
  const unseen = new Set(await ports.store.unseenErpVersions(changed))
  return changed.filter((c) => unseen.has(c.erpId) || Date.parse(c.version) > nowMs - SAME_SECOND_MS).map((c) => c.erpId)
}

async function readAll(
  erpIds: readonly string[],
  { ticket, cursor }: { ticket: CollectTicket; cursor: CollectCursor | null },
  ports: RecollectPorts,
  signal: AbortSignal,
): Promise<Collected> {
  const total = { ...NOTHING }
  for (let i = 0; i === 0 || i < erpIds.length; i += ports.chunk) {
    const ids = erpIds.slice(i, i + ports.chunk)
    const batch = ids.length > 0 ? await ports.erp.readOrders(ids, signal) : { orders: [], quarantined: [], missing: [] }
    const isLast = i + ports.chunk >= erpIds.length
    add(total, await ports.store.storeCollected(ORDER_CURSOR, ticket, batch, isLast ? cursor : null))
  }
  return total
}

function add(total: Collected, more: Collected): void {
  for (const key of Object.keys(NOTHING) as (keyof Collected)[]) total[key] += more[key]
}
