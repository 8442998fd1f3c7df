import { z } from 'zod'
import { type Breach, breach } from '../breach.ts'
import type { LedgerLine } from '../ledger-file.ts'
import type { World } from '../world.ts'

type OrderLine = Extract<LedgerLine, { kind: 'order' }>
type Row = Record<string, unknown>

const Rows = z.array(z.tuple([z.string(), z.number(), z.record(z.string(), z.unknown()).nullable()]))

/** Kept by the server itself with any write. */
const BOOKKEEPING = new Set(['write_date', 'write_uid', 'create_date', 'id', 'message_ids'])
/** What follows from confirming, cancelling, or adding a line to an order that the hub created. Never the terms (`note`) or the customer. */
const OWN_ORDER = new Set([
  'state',
  'order_line',
  'picking_ids',
  'invoice_status',
  'date_order',
  'locked',
  'amount_total',
  'amount_untaxed',
  'amount_tax',
])
const OWN_PICKING = new Set(['state', 'carrier_tracking_ref', 'move_ids', 'scheduled_date', 'date_done', 'backorder_ids'])
/** Rows that come and go with an order of the hub's own. */
const OWN_ROWS = new Set(['sale.order.line', 'stock.move', 'stock.quant', 'ir.model.data', 'mail.message', 'mail.activity'])

/** I15: of what is in the ERP the hub changes only what it owns: orders it created, their tracking reference, chatter. */
export function onlyOwnedFieldsChange({ lines, erp }: World): Breach[] {
  const names = new Map(erp.map((order) => [order.id, order.clientOrderRef ?? order.name]))
  const ours = new Set(erp.filter((order) => order.bornAt !== null && order.createdBy === 'client').map((order) => order.id))
  const known = new Map<string, Row>()
  const found: Breach[] = []
  for (const line of lines.odoo) {
    if (line.kind !== 'order') continue
    const changed = changesOf(line, known)
    if (line.by !== 'client') continue
    for (const field of changed.filter((one) => !isOwned(one, ours.has(line.id))).map(fieldOf))
      found.push(
        breach('I15', names.get(line.id) ?? `sale.order ${line.id}`, `the hub changed ${field} (${line.act}), which it does not own`, {
          field,
          ledger: `odoo:${line.seq}`,
          at: Date.parse(line.at),
        }),
      )
  }
  return found
}

interface Change {
  model: string
  /** Null: the whole row is new or gone. */
  field: string | null
}

const fieldOf = ({ model, field }: Change): string => (field === null ? model : `${model}.${field}`)

/** What one line changed against all lines before it. */
function changesOf(line: OrderLine, known: Map<string, Row>): Change[] {
  const rows = Rows.safeParse(line.rows)
  if (!rows.success) return []
  return rows.data.flatMap(([model, id, values]): Change[] => {
    const key = `${model} ${id}`
    const before = known.get(key)
    if (values === null) known.delete(key)
    else known.set(key, values)
    if (before === undefined || values === null) return [{ model, field: null }]
    return Object.keys({ ...before, ...values })
      .filter((field) => JSON.stringify(before[field]) !== JSON.stringify(values[field]))
      .map((field) => ({ model, field }))
  })
}

function isOwned({ model, field }: Change, isOurs: boolean): boolean {
  if (model === 'mail.message') return field === null
  if (field !== null && BOOKKEEPING.has(field)) return true
  if (!isOurs) return false
  if (OWN_ROWS.has(model)) return true
  if (model === 'sale.order') return field === null || OWN_ORDER.has(field)
  return model === 'stock.picking' && (field === null || OWN_PICKING.has(field))
}
