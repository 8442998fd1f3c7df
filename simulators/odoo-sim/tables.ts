import { missingError } from './odoo-error.ts'
import type { Models, OdooVersion } from './model-fields.ts'

/** Datetimes `create_date` and `write_date` are microseconds since 1970 (transaction start), other datetimes Odoo's text. */
export type Value = string | number | boolean | number[] | null
export type Row = { id: number; create_date: number; write_date: number } & Record<string, Value>
export type OrderAct = 'created' | 'updated' | 'cancelled' | 'confirmed' | 'status' | 'message' | 'tracking' | 'deleted'

export interface Tables {
  version: OdooVersion
  models: Models
  rows: Map<string, Map<number, Row>>
  sequences: Map<string, number>
  /** Rows written by a transaction that is still open: `model/id` to that transaction. */
  locks: Map<string, Transaction>
  /** `module.name` to the `ir.model.data` row id, and back from `model/id` to `module.name`. */
  externalIds: Map<string, number>
  externalIdOf: Map<string, string>
}

export interface Author {
  by: 'client' | 'admin'
  requestId: string | null
}

/** What one database transaction changed; invisible to all others until it is merged. */
export interface Transaction {
  author: Author
  startedAt: number
  changed: Map<string, Map<number, Row | null>>
  quants: { productId: number; locationId: number; quantity: number; reserved: number }[]
  acts: Map<number, OrderAct>
  /** Settles when an open transaction has ended, either way. */
  ended: Promise<void>
  end: () => void
}

/** A row is held by an open transaction: the caller waits for its end and runs again, as Odoo does itself. */
export class RowLocked extends Error {
  readonly holder: Transaction
  constructor(holder: Transaction) {
    super('row locked by an open transaction')
    this.holder = holder
  }
}

export function createTables(version: OdooVersion, models: Models): Tables {
  const rows = new Map([...models.keys()].map((name) => [name, new Map<number, Row>()]))
  return { version, models, rows, sequences: new Map(), locks: new Map(), externalIds: new Map(), externalIdOf: new Map() }
}

export function beginTransaction(author: Author, startedAt: number): Transaction {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { author, startedAt, changed: new Map(), quants: [], acts: new Map(), ended: promise, end: resolve }
}

export function find(tables: Tables, tx: Transaction, model: string, id: number): Row | undefined {
  const own = tx.changed.get(model)?.get(id)
  if (own !== undefined) return own ?? undefined
  return tables.rows.get(model)?.get(id)
}

export function get(tables: Tables, tx: Transaction, model: string, id: number): Row {
  const row = find(tables, tx, model, id)
  if (!row) throw missingError(model, [id])
  return row
}

export function* all(tables: Tables, tx: Transaction, model: string): Generator<Row> {
  const own = tx.changed.get(model)
  for (const row of tables.rows.get(model)?.values() ?? []) {
    const mine = own?.get(row.id)
    if (mine === undefined) yield row
    else if (mine) yield mine
  }
  const stored = tables.rows.get(model)
  for (const row of own?.values() ?? []) if (row && !stored?.has(row.id)) yield row
}

export function insert(tables: Tables, tx: Transaction, model: string, values: Record<string, Value>): Row {
  const id = (tables.sequences.get(model) ?? 0) + 1
  tables.sequences.set(model, id)
  const row: Row = { ...values, id, create_date: tx.startedAt, write_date: tx.startedAt, create_uid: writerOf(tx), write_uid: writerOf(tx) }
  remember(tx, model, id, row)
  return row
}

/** `touch: false` changes fields without moving `write_date`, for what Odoo keeps outside the row (chatter, back references). */
export function patch(
  tables: Tables,
  tx: Transaction,
  at: { model: string; id: number; touch?: boolean },
  values: Record<string, Value>,
): Row {
  const holder = tables.locks.get(`${at.model}/${at.id}`)
  if (holder && holder !== tx) throw new RowLocked(holder)
  const row = { ...get(tables, tx, at.model, at.id), ...values }
  if (at.touch !== false) Object.assign(row, { write_date: tx.startedAt, write_uid: writerOf(tx) })
  remember(tx, at.model, at.id, row)
  return row
}

export function remove(tables: Tables, tx: Transaction, model: string, id: number): void {
  const holder = tables.locks.get(`${model}/${id}`)
  if (holder && holder !== tx) throw new RowLocked(holder)
  remember(tx, model, id, null)
}

// The ids of the administrator and of the hub's user in the demo company.
const writerOf = ({ author }: Transaction): number => (author.by === 'admin' ? 1 : 2)

function remember(tx: Transaction, model: string, id: number, row: Row | null): void {
  const own = tx.changed.get(model)
  if (own) own.set(id, row)
  else tx.changed.set(model, new Map([[id, row]]))
}

const ACT_WEIGHT: OrderAct[] = ['updated', 'message', 'tracking', 'status', 'confirmed', 'cancelled', 'created', 'deleted']

/** A transaction writes one ledger line per order, named after the weightiest thing that happened to it. */
export function noteAct(tx: Transaction, orderId: number, act: OrderAct): void {
  const known = tx.acts.get(orderId)
  if (!known || ACT_WEIGHT.indexOf(act) > ACT_WEIGHT.indexOf(known)) tx.acts.set(orderId, act)
}

/** Keeps the written rows from other writers while the transaction stays open. */
export function lockRows(tables: Tables, tx: Transaction): void {
  for (const [model, rows] of tx.changed) for (const id of rows.keys()) tables.locks.set(`${model}/${id}`, tx)
}

export function unlockRows(tables: Tables, tx: Transaction): void {
  for (const [key, holder] of tables.locks) if (holder === tx) tables.locks.delete(key)
}

/** Makes the changes visible to everyone. Returns the rows as they now stand, for the ledger. */
export function merge(tables: Tables, tx: Transaction): [string, number, Row | null][] {
  applyQuants(tables, tx)
  const rows: [string, number, Row | null][] = []
  for (const [model, changes] of tx.changed) for (const [id, row] of changes) rows.push([model, id, row])
  applyRows(tables, rows)
  return rows
}

export function applyRows(tables: Tables, rows: [string, number, Row | null][]): void {
  for (const [model, id, row] of rows) {
    const table = tables.rows.get(model)
    if (!table) throw new Error(`the ledger holds model ${model}, which this version does not have`)
    if (model === 'ir.model.data') indexExternalId(tables, table.get(id), row)
    if (row) table.set(id, row)
    else table.delete(id)
    tables.sequences.set(model, Math.max(tables.sequences.get(model) ?? 0, id))
  }
}

function indexExternalId(tables: Tables, old: Row | undefined, row: Row | null): void {
  if (old) {
    tables.externalIds.delete(`${old.module}.${old.name}`)
    tables.externalIdOf.delete(`${old.model}/${old.res_id}`)
  }
  if (!row) return
  tables.externalIds.set(`${row.module}.${row.name}`, row.id)
  tables.externalIdOf.set(`${row.model}/${row.res_id}`, `${row.module}.${row.name}`)
}

// Stock is kept as differences until the merge: an open transaction must not undo what others reserved meanwhile.
function applyQuants(tables: Tables, tx: Transaction): void {
  for (const change of tx.quants) {
    const current = [...all(tables, tx, 'stock.quant')].find(
      (row) => row.product_id === change.productId && row.location_id === change.locationId,
    )
    const quantity = Number(current?.quantity ?? 0) + change.quantity
    const reserved = Number(current?.reserved_quantity ?? 0) + change.reserved
    const values = { quantity, reserved_quantity: Math.max(0, reserved) }
    if (current) remember(tx, 'stock.quant', current.id, { ...current, ...values, write_date: tx.startedAt })
    else {
      const warehouse = find(tables, tx, 'stock.location', change.locationId)?.warehouse_id ?? null
      insert(tables, tx, 'stock.quant', {
        product_id: change.productId,
        location_id: change.locationId,
        warehouse_id: warehouse,
        company_id: 1,
        ...values,
      })
    }
  }
  tx.quants = []
}
