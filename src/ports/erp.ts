import type { Fragment } from '../core/order.ts'
import type { Personal, Target } from './target.ts'

export interface ErpOrder {
  fragment: Fragment
  personal: Personal | null
}

/** A record that cannot be mapped: that order waits for a person, the rest of the batch flows. */
export interface ErpQuarantined {
  erpId: string
  erpName: string
  field: string
  problem: string
  version: string
}

export interface ErpBatch {
  orders: ErpOrder[]
  /** How the pickings of orders stand that the hub created there; each a fragment `picking` under the ERP's id of the order. */
  pickings?: Fragment[]
  quarantined: ErpQuarantined[]
  /** Ids that were asked for and are not readable. */
  missing: string[]
}

export interface ErpVersion {
  erpId: string
  /** ISO instant in UTC, whole seconds. */
  version: string
}

/** Several orders under one reference of ours. */
export interface ErpDoubled {
  origin: string
  reference: string
  erpIds: string[]
}

export interface ErpStock {
  sku: string
  /** Free whole pieces, never negative. */
  quantity: number
  version: string
}

export interface ErpHealth {
  version: string
  transport: 'json-2' | 'json-rpc'
  database: string
  user: string
  /** ISO instant, null when the server does not say. */
  keyExpiresAt: string | null
  problems: string[]
}

/** The ERP: source of truth of orders and stock, and one more target. */
export interface Erp extends Target {
  readonly channel: 'odoo'
  /** The server's own time, minus nothing: windows and cursors are made of it, never of the hub's clock. ISO instant. */
  serverTime(signal: AbortSignal): Promise<string>
  /**
   * The orders whose version lies in [fromIso, toIso], all pages, by id and version, without reading them whole.
   * A late-committed transaction shows an old version: callers overlap and reconcile id sets.
   */
  changedOrders(fromIso: string, toIso: string, signal: AbortSignal): Promise<ErpVersion[]>
  /** Id and version of every order CREATED since, whatever its version, for the id-set reconcile. */
  orderVersionsSince(fromIso: string, signal: AbortSignal): Promise<ErpVersion[]>
  /** Reads orders by id; one bad record never spoils the batch. At most 200 ids a call. */
  readOrders(erpIds: readonly string[], signal: AbortSignal): Promise<ErpBatch>
  /**
   * How the pickings stand of orders that the hub created for these channels, where one of them was written in the window. Fragments
   * `picking`, by the ERP's id of the order.
   */
  changedPickings(window: { fromIso: string; toIso: string; origins: readonly string[] }, signal: AbortSignal): Promise<Fragment[]>
  /** Orders created since that are not cancelled and share origin and reference with another one. Nothing in an ERP forbids it. */
  doubledOrders(fromIso: string, signal: AbortSignal): Promise<ErpDoubled[]>
  /** SKUs whose free quantity may have moved in the window, with the quantity now. */
  changedStock(fromIso: string, toIso: string, signal: AbortSignal): Promise<ErpStock[]>
  /** Finds an order by id, name or client reference without storing anything: what a trace shows of an order that the hub never saw. */
  find(typed: string, signal: AbortSignal): Promise<ErpFound[]>
  health(signal: AbortSignal): Promise<ErpHealth>
}

export interface ErpFound {
  erpId: string
  erpName: string
  reference: string | null
  state: string
  version: string
}
