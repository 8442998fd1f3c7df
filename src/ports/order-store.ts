import type { ErpBatch, ErpStock } from './erp.ts'
import type { ClaimedEvent } from './inbox.ts'
import type { Fetched } from './marketplace.ts'

/** Drawn before a request, under a lease on the resource: an observation whose number is not the newest drawn is refused. */
export interface FetchTicket {
  channel: string
  resource: string
  fetchNo: number
}

export type Applied = { kind: 'applied' | 'stale' | 'unchanged'; orderId: string } | { kind: 'fenced' | 'refetch' }

export interface CollectCursor {
  /** ISO instant of the ERP's own time up to which everything was read. */
  watermark: string
}

export interface CollectTicket {
  fetchNo: number
  /** Milliseconds for which each batch that is stored holds the cursor anew. */
  leaseMs: number
  cursor: CollectCursor | null
}

export interface Collected {
  changed: number
  unchanged: number
  planned: number
  quarantined: number
}

/** The quarantine of a silver order, or rows of it by id. */
export type QuarantineOf = { orderId: string } | { quarantineIds: readonly string[] }

export interface InQuarantine {
  erpId: string
  field: string
  problem: string
}

export interface OrderStore {
  /** Draws a fetch number under a lease on the resource; null while another process fetches it. */
  drawFetch(channel: string, resource: string, leaseMs: number): Promise<FetchTicket | null>
  /** Gives the lease on the resource back after a failed fetch. */
  releaseFetch(ticket: FetchTicket): Promise<void>
  /**
   * One transaction, shared with what other fetches brought: stores the observations, folds the silver order anew, keeps its identifiers, plans
   * what the other systems are owed, closes the event. `refetch`: a newer fetch number was drawn meanwhile.
   */
  applyEvent(claim: ClaimedEvent, ticket: FetchTicket, fetched: Fetched): Promise<Applied>
  /** The same for what the answer to our own send showed. `refetch`: a newer fetch number was drawn meanwhile, and its fetch tells more. */
  applyTold(ticket: FetchTicket, fetched: Fetched): Promise<Applied>
  /**
   * Of references of ours at a channel: milliseconds to wait where one is of an order that a restored database does not know yet, since the ERP has to be
   * read first; else null.
   */
  forgottenForMs(channel: string, references: readonly string[]): Promise<number | null>
  /** Draws the collector's fetch number under the cursor's lease; null while another process collects. */
  beginCollect(cursorName: string, leaseMs: number): Promise<CollectTicket | null>
  /** Where a hub without a configured start begins to read the ERP: `spanMs` before it was first asked, and the same ever after. ISO instant. */
  collectStart(spanMs: number): Promise<string>
  /** One transaction: observations, silver orders, quarantine and deliveries of a batch, and the cursor when it is the last of its window. */
  storeCollected(cursorName: string, ticket: CollectTicket, batch: ErpBatch, cursor: CollectCursor | null): Promise<Collected>
  /** Plans stock deliveries for every channel that takes stock; coalesced per account and SKU. */
  storeStock(cursorName: string, ticket: CollectTicket, stock: readonly ErpStock[], cursor: CollectCursor): Promise<number>
  endCollect(cursorName: string, ticket: CollectTicket, failure: { code: string; summary: string } | null): Promise<void>
  /** Of these ERP ids, those whose newest observation has another version, or none. Feeds the id-set reconcile. */
  unseenErpVersions(versions: readonly { erpId: string; version: string }[]): Promise<string[]>
  /**
   * ERP ids to read again whatever their version says, since some changes move none: every order in quarantine, whose fix may lie on its
   * product, and open orders seen in the last days.
   */
  erpIdsToReread(days: number): Promise<string[]>
  /** Those that are in quarantine now. */
  quarantined(of: QuarantineOf): Promise<InQuarantine[]>
  /** Plans what the order is owed and has no version of yet. Answers how many versions that made. */
  replan(orderId: string): Promise<number>
}
