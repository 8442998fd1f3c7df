import type { Ledger, LedgerRecord } from '../ledger.ts'
import type { Account } from './account.ts'
import type { Item } from './item.ts'
import type { Notifier } from './notifier.ts'
import type { Order } from './order.ts'
import type { Pack } from './pack.ts'
import type { RateLimits } from './rate-limits.ts'
import { indexOrder } from './search-index.ts'
import type { LedgerProfile, Settings } from './settings.ts'
import type { Shipment } from './shipment.ts'
import type { World } from './world.ts'
import { forgetOrder, putItem, putShipment, snapshot } from './world.ts'

/** What every route works on. */
export interface Sim {
  world: World
  ledger: Writer
  app: { clientId: string; clientSecret: string; redirectUri: string | null }
  settings: Settings
  profile: LedgerProfile
  limits: RateLimits
  partials: Partial206[]
  notifier: Notifier
  /** Which seller is logged in at the authorization page; null = the first account. */
  login: number | null
  /** Aborted when the simulator closes. */
  closing: AbortSignal
  nowMs(): number
}

/** A rule that turns answers of `GET /orders/{id}` into HTTP 206. */
interface Partial206 {
  path: RegExp
  missing: string[]
  as: 'null' | 'absent'
  left: number
}

/** Ledger lines in the order of their effects; `flush` resolves once all of them are on disk. */
export interface Writer {
  write(record: LedgerRecord): void
  flush(): Promise<void>
}

/** Who did it, for the ledger. */
export interface Act {
  act: Extract<LedgerRecord, { kind: 'order' }>['act']
  by: 'client' | 'admin'
  requestId: string | null
}

export function openWriter(ledger: Ledger): Writer {
  let last: Promise<unknown> = Promise.resolve()
  return {
    write(record) {
      last = ledger.append(record)
      // The ledger rejects for good once it is broken, so the flush of this or any later reply sees it.
      last.catch(() => {})
    },
    flush: () => last.then(() => undefined),
  }
}

export function saveOrder(sim: Sim, order: Order, act: Act): void {
  sim.world.orders.set(order.id, order)
  indexOrder(sim.world.index, order, { changedAtMs: sim.nowMs(), lagMs: sim.profile.searchLagMs })
  writeOrder(sim, order, act)
}

/** A line for an order whose shipment changed: the order itself, and so its place in the index, stays as it was. */
export function writeOrder(sim: Sim, order: Order, act: Act): void {
  sim.ledger.write({
    kind: 'order',
    act: act.act,
    id: String(order.id),
    reference: order.external_reference ?? null,
    requestId: act.requestId,
    by: act.by,
    order: snapshot(sim.world, order),
  })
}

export function removeOrder(sim: Sim, order: Order, act: Act): void {
  writeOrder(sim, order, { ...act, act: 'deleted' })
  forgetOrder(sim.world, order.id)
}

export function saveShipment(sim: Sim, shipment: Shipment): void {
  putShipment(sim.world, shipment)
  saveState(sim, `shipment:${shipment.id}`, shipment)
}

export function savePack(sim: Sim, pack: Pack): void {
  sim.world.packs.set(pack.id, pack)
  saveState(sim, `pack:${pack.id}`, pack)
}

export function saveItem(sim: Sim, item: Item, by: 'client' | 'admin', requestId: string | null): void {
  putItem(sim.world, item)
  sim.ledger.write({ kind: 'stock', sku: item.sku, requestId, by, stock: item })
}

export function saveAccount(sim: Sim, account: Account): void {
  sim.world.accounts.set(account.user_id, account)
  sim.ledger.write({ kind: 'account', id: String(account.user_id), state: account })
}

export function saveState(sim: Sim, id: string, state: unknown): void {
  sim.ledger.write({ kind: 'state', id, state })
}
