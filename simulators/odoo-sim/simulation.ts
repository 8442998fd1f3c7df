import type { Ledger } from '../ledger.ts'
import type { Automation } from './automation.ts'
import type { Credentials } from './credentials.ts'
import type { Env, HubUser } from './env.ts'
import type { WriteFailures } from './write-failures.ts'
import { RolledBack } from './load.ts'
import type { Names } from './model-fields.ts'
import { orderSnapshot } from './order-snapshot.ts'
import { type Author, beginTransaction, lockRows, merge, type Row, RowLocked, type Tables, type Transaction, unlockRows } from './tables.ts'

export interface Simulation {
  tables: Tables
  names: Names
  ledger: Ledger
  user: HubUser
  database: string
  credentials: Credentials
  automation: Automation
  failures: WriteFailures
  /** External ids that a `load` is creating right now. */
  loading: Map<string, Promise<void>>
  /** How long a `load` holds its external ids, in ms: what a parallel one collides with. */
  loadMs: number
  /** Open transactions of the admin API, by their number. */
  open: Map<number, { tx: Transaction; timer: NodeJS.Timeout | null }>
  /** Microseconds since 1970. */
  now: () => number
  closing: AbortSignal
}

export function environment(sim: Simulation, tx: Transaction, options: { context?: Record<string, unknown>; admin?: boolean } = {}): Env {
  return { tables: sim.tables, names: sim.names, tx, context: options.context ?? {}, user: sim.user, admin: options.admin ?? false }
}

/** A read sees committed rows only; what it might change is thrown away. */
export function reading(sim: Simulation): Transaction {
  return beginTransaction({ by: 'client', requestId: null }, sim.now())
}

/**
 * Runs a function as one transaction, waits while another transaction holds a row it writes (Odoo retries such a failure itself),
 * and resolves when its ledger lines are on disk. A throw changes nothing.
 */
export async function transact<T>(sim: Simulation, author: Author, run: (tx: Transaction) => T): Promise<T> {
  for (;;) {
    const tx = beginTransaction(author, sim.now())
    try {
      const result = run(tx)
      await commit(sim, tx)
      return result
    } catch (error) {
      if (error instanceof RolledBack) return error.result as T
      if (!(error instanceof RowLocked)) throw error
      await error.holder.ended
    }
  }
}

/** A transaction that stays open: invisible, its rows locked, its `write_date` that of its beginning. */
export function openTransaction(sim: Simulation, author: Author, commitAfterMs: number | null): number {
  const id = (sim.tables.sequences.get('transaction') ?? 0) + 1
  sim.tables.sequences.set('transaction', id)
  const timer = commitAfterMs === null ? null : setTimeout(() => void endTransaction(sim, id, 'commit').catch(() => {}), commitAfterMs)
  sim.open.set(id, { tx: beginTransaction(author, sim.now()), timer })
  return id
}

/** Runs a change inside an open transaction. A row held by another one makes it wait, then run again. */
export async function within<T>(sim: Simulation, id: number, run: (tx: Transaction) => T): Promise<T | undefined> {
  for (;;) {
    const open = sim.open.get(id)
    if (!open) return undefined
    const before = new Map([...open.tx.changed].map(([model, rows]) => [model, new Map(rows)]))
    const quants = [...open.tx.quants]
    const acts = new Map(open.tx.acts)
    try {
      const result = run(open.tx)
      lockRows(sim.tables, open.tx)
      return result
    } catch (error) {
      open.tx.changed = before
      open.tx.quants = quants
      open.tx.acts = acts
      if (!(error instanceof RowLocked)) throw error
      await error.holder.ended
    }
  }
}

/** False when there is no such open transaction. */
export async function endTransaction(sim: Simulation, id: number, how: 'commit' | 'rollback'): Promise<boolean> {
  const open = sim.open.get(id)
  if (!open) return false
  sim.open.delete(id)
  if (open.timer) clearTimeout(open.timer)
  unlockRows(sim.tables, open.tx)
  const written = how === 'commit' ? commit(sim, open.tx) : Promise.resolve()
  open.tx.end()
  await written
  return true
}

/** Visible at once, durable when it resolves. Whoever reads it earlier gets an answer whose own ledger line comes after these. */
async function commit(sim: Simulation, tx: Transaction): Promise<void> {
  const gone = new Map<number, Record<string, unknown>>()
  for (const [orderId, act] of tx.acts) {
    const row = act === 'deleted' ? sim.tables.rows.get('sale.order')?.get(orderId) : undefined
    if (row) gone.set(orderId, orderSnapshot(environment(sim, reading(sim)), row))
  }
  const rows = merge(sim.tables, tx)
  if (rows.length === 0) return
  const lines = linesByOrder(sim, tx, rows)
  const env = environment(sim, reading(sim))
  const written: Promise<number>[] = []
  if (lines.rest.length > 0) written.push(sim.ledger.append({ kind: 'state', id: 'rows', state: { rows: lines.rest } }))
  for (const [orderId, act] of tx.acts) {
    const row = sim.tables.rows.get('sale.order')?.get(orderId)
    const order = row ? orderSnapshot(env, row) : gone.get(orderId)
    if (!order) continue
    const reference = typeof order.client_order_ref === 'string' ? order.client_order_ref : null
    const line = {
      kind: 'order' as const,
      act,
      id: String(orderId),
      reference,
      ...tx.author,
      order,
      rows: lines.byOrder.get(orderId) ?? [],
    }
    written.push(sim.ledger.append(line))
    sim.automation.orderChanged(env, { orderId, act, row: row ?? null })
  }
  await Promise.all(written)
}

type Change = [string, number, Row | null]

// Each order's rows travel on its own ledger line, so that a line is all or nothing after a kill.
function linesByOrder(sim: Simulation, tx: Transaction, rows: Change[]): { rest: Change[]; byOrder: Map<number, Change[]> } {
  const rest: Change[] = []
  const byOrder = new Map<number, Change[]>()
  for (const change of rows) {
    const orderId = orderOf(sim, change)
    if (orderId === null || !tx.acts.has(orderId)) rest.push(change)
    else byOrder.set(orderId, [...(byOrder.get(orderId) ?? []), change])
  }
  // What belongs to no order (stock) goes with the only order there is.
  const [only] = tx.acts.keys()
  if (only === undefined || tx.acts.size > 1) return { rest, byOrder }
  return { rest: [], byOrder: new Map([[only, [...(byOrder.get(only) ?? []), ...rest]]]) }
}

function orderOf(sim: Simulation, [model, id, row]: Change): number | null {
  const stored = (name: string, key: unknown) => (typeof key === 'number' ? sim.tables.rows.get(name)?.get(key) : undefined)
  const numberOr = (value: unknown) => (typeof value === 'number' ? value : null)
  switch (model) {
    case 'sale.order':
      return id
    case 'sale.order.line':
      return numberOr(row?.order_id)
    case 'stock.picking':
      return numberOr(row?.sale_id)
    case 'stock.move':
      return numberOr(stored('stock.picking', row?.picking_id)?.sale_id)
    case 'mail.message':
      return row?.model === 'sale.order' ? numberOr(row.res_id) : null
    case 'ir.model.data':
      if (row?.model === 'sale.order') return numberOr(row.res_id)
      return row?.model === 'sale.order.line' ? numberOr(stored('sale.order.line', row.res_id)?.order_id) : null
    default:
      return null
  }
}
