import type { Drift } from '../core/drift.ts'
import type { ErpDoubled } from './erp.ts'
import type { Listed } from './marketplace.ts'
import type { Shown, Wanted } from './target.ts'

/** A binding whose target is due to be looked at again. */
export interface Comparable {
  bindingId: string
  orderId: string
  wanted: Wanted
  /** Every live order that was seen under our reference, when there was more than one. */
  copies: string[]
}

/** How long a delivered order rests before its target is looked at, milliseconds. */
export interface CompareRest {
  firstMs: number
  againMs: number
}

/** An order to fetch, for what it shows may be newer than what the hub holds. */
export interface Unseen {
  /** The pointer that `fetchOrder` takes. */
  resource: string
  orderKey: string
  /** The version it was listed with; null where the source has none. */
  version: string | null
  /** When a fetch of it was last taken in, as text that is the same for the same moment; null when none ever was. */
  fetchedAt: string | null
}

export interface OpenOrders {
  /** Not fetched for so long. Milliseconds. */
  olderThanMs: number
  /** Also those that were delivered within the last 30 days: goods come back for a while. */
  isDeliveredToo: boolean
}

export interface ReconcileStore {
  /** ISO instant up to which a sweep was read; null before the first. */
  readCursor(name: string): Promise<string | null>
  moveCursor(name: string, watermark: string): Promise<void>
  /** The database's own time, ISO. */
  now(): Promise<string>
  /**
   * Of these, the resources whose order shows nothing as new as that version. Where the source has no versions, those that were not
   * fetched for `olderThanMs`. Never one that a waiting or poisonous event speaks of, nor one created before `since` that the hub does not know.
   */
  unseen(channel: string, found: readonly Listed[], than: { olderThanMs: number; since: string }): Promise<Unseen[]>
  /** Where the sweeps of a channel without a configured start begin: `spanMs` before it was first asked, and the same ever after. ISO instant. */
  sweepStart(channel: string, spanMs: number): Promise<string>
  /**
   * The orders at a channel, born there or sent there, whose story is not over: neither cancelled, closed nor returned, nor known to be gone from there. Those alone of which
   * no waiting or poisonous event speaks, nor one of a sweep that was given up on; those asked for longest ago first.
   */
  openOrders(channel: string, which: OpenOrders, limit: number): Promise<Unseen[]>
  /**
   * Bindings whose newest version was delivered at least `firstMs` ago and whose target was never looked at since it was bound, or not for
   * `againMs`; oldest first.
   */
  comparable(channel: string, rest: CompareRest, limit: number): Promise<Comparable[]>
  /**
   * Keeps what the target shows, records new drifts, and resolves those that are gone. Answers how many are open. Nothing of it when another
   * version was planned since `comparable`: what was compared is no longer what the target should show.
   */
  recordComparison(comparable: Comparable, shown: Shown, drifts: readonly Drift[]): Promise<number>
  /** A look that got no answer counts as one, so that what always fails does not come first again. Nothing is said of drifts. */
  postponeComparison(comparable: Comparable): Promise<void>
  /** Keeps which live orders the target shows under our reference; more than one is a drift. */
  recordCopies(comparable: Comparable, ids: readonly string[]): Promise<void>
  /** All references that the ERP shows twice; what it no longer shows twice is resolved. */
  recordErpCopies(doubled: readonly ErpDoubled[]): Promise<void>
  /** Plans the delivered content once more, as a newer version; nothing when a version waits or is in flight. */
  redeliver(comparable: Comparable): Promise<boolean>
}
