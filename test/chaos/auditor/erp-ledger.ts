import { z } from 'zod'
import { type LedgerLine, type OrderLine, ordersById } from './ledger-file.ts'
import { itemsOf, minor, RANK, type SeenOrder } from './seen-order.ts'

const Snapshot = z.object({
  id: z.number(),
  name: z.string(),
  client_order_ref: z.string().nullable(),
  origin: z.string().nullable(),
  external_id: z.string().nullable(),
  state: z.string(),
  team: z.string().nullable(),
  tags: z.array(z.string().nullable()),
  pricelist: z.string().nullable(),
  company_id: z.unknown(),
  lines: z.array(
    z.object({ sku: z.string().nullable(), display_type: z.string().nullable(), quantity: z.number(), price_total: z.number() }),
  ),
  amount_total: z.number(),
  currency: z.string().nullable(),
  picking_state: z.string().nullable(),
  messages: z.array(z.object({ body: z.string() })),
})
export type Snapshot = z.infer<typeof Snapshot>

/** What routing looks at, as one line of the ledger showed it. */
export interface RoutingView {
  team: string | null
  tags: string[]
  pricelist: string | null
  company: string | null
  field(name: string): string | undefined
}

export interface ErpOrder extends SeenOrder {
  name: string
  clientOrderRef: string | null
  origin: string | null
  /** Marketplace account it was created for by the hub; null: born in the ERP. */
  bornAt: string | null
  createdBy: 'client' | 'admin'
  state: string
  deleted: boolean
  /** Each confirmed state it was ever in, oldest first, as routing sees it. */
  confirmedViews: RoutingView[]
  pickingDone: boolean
  /** What the picking alone says. */
  pickingFulfilment: string
}

const CHANNEL = /^(mercadolibre|paris):[A-Za-z0-9_-]+$/

export function readErpOrders(lines: readonly LedgerLine[]): ErpOrder[] {
  const companies = companyNames(lines)
  return [...ordersById(lines)].map(([id, history]) => erpOrder(id, history, companies))
}

function erpOrder(id: string, history: readonly OrderLine[], companies: ReadonlyMap<number, string>): ErpOrder {
  const snapshots = history.map((line) => ({ line, shown: Snapshot.parse(line.order) }))
  const newest = snapshots.at(-1)
  const first = history[0]
  if (!newest || !first) throw new Error(`sale.order ${id}: no line`)
  const { shown } = newest
  const createdBy = first.by
  const bornAt = isOurs(shown, createdBy) ? shown.origin : null
  const reference = bornAt === null ? `odoo-${id}` : shown.client_order_ref
  const fields = new Map<string, unknown>()
  const confirmedViews = snapshots.flatMap(({ line, shown: at }) => {
    for (const [name, value] of Object.entries(rowOf(line, id))) fields.set(name, value)
    return isConfirmed(at.state) ? [viewOf(at, new Map(fields), companies)] : []
  })
  const pickingDone = shown.picking_state === 'done'
  return {
    channel: 'odoo',
    id,
    name: shown.name,
    clientOrderRef: shown.client_order_ref,
    origin: shown.origin,
    bornAt,
    createdBy,
    state: shown.state,
    deleted: newest.line.act === 'deleted',
    reference,
    items: itemsOf(goods(shown)),
    lifecycle: shown.state === 'cancel' ? 'cancelled' : isConfirmed(shown.state) || bornAt === null ? 'open' : 'draft',
    fulfilment: fulfilmentOf(shown, reference ?? '', pickingDone),
    currency: shown.currency,
    totalMinor: minor(shown.amount_total, shown.currency),
    changedAt: Math.max(...history.map((line) => Date.parse(line.at))),
    seqs: history.map((line) => line.seq),
    confirmedViews,
    pickingDone,
    pickingFulfilment: pickingWord(shown.picking_state),
  }
}

export const isConfirmed = (state: string): boolean => state === 'sale' || state === 'done'

// A person's copy keeps the origin; ours carries our external id or was written by the hub's own user.
function isOurs(shown: Snapshot, createdBy: 'client' | 'admin'): boolean {
  if (shown.origin === null || !CHANNEL.test(shown.origin)) return false
  return (shown.external_id ?? '').startsWith('orderhub.') || createdBy === 'client'
}

function goods(shown: Snapshot) {
  return (
    shown.lines
      .filter((line) => !['line_section', 'line_note', 'line_subsection'].includes(line.display_type ?? ''))
      // A confirmed line cannot be removed: nothing of it is left when its sale was cancelled.
      .filter((line) => line.quantity !== 0)
      .map((line) => ({ sku: line.sku ?? '', quantity: line.quantity, unitPriceMinor: unitPrice(line, shown.currency) }))
  )
}

function unitPrice(line: { quantity: number; price_total: number }, currency: string | null): number | null {
  const total = minor(line.price_total, currency)
  const unit = Math.round(total / line.quantity)
  return Number.isSafeInteger(unit) && Math.abs(unit * line.quantity - total) < 1e-6 ? unit : null
}

/**
 * How the ERP knows that an order stands: the newest marker `[rosh:<reference>:<fulfilment>:<digest>]` of its chatter, or the delivery order
 * where that says more. A delivery order that is only reserved says nothing yet.
 */
function fulfilmentOf(shown: Snapshot, reference: string, pickingDone: boolean): string {
  const told = shown.messages.flatMap(({ body }) => [...body.matchAll(/\[rosh:([A-Za-z0-9._-]+):([a-z_]+):(?:[0-9a-f]{8}|-)\]/g)])
  const ours = told.filter((marker) => marker[1] === reference.replace(/[^A-Za-z0-9._-]/g, '_'))
  const word = ours.at(-1)?.[2] ?? 'none'
  return pickingDone && (RANK[word] ?? 0) < (RANK.shipped ?? 0) ? 'shipped' : word
}

function pickingWord(state: string | null): string {
  if (state === null || state === 'cancel') return 'none'
  if (state === 'done') return 'shipped'
  return state === 'assigned' ? 'ready_to_ship' : 'to_prepare'
}

function viewOf(shown: Snapshot, fields: ReadonlyMap<string, unknown>, companies: ReadonlyMap<number, string>): RoutingView {
  const suffix = ` (${shown.currency})`
  const pricelist = shown.pricelist?.endsWith(suffix) ? shown.pricelist.slice(0, -suffix.length) : shown.pricelist
  return {
    team: shown.team,
    tags: shown.tags.filter((tag) => tag !== null),
    pricelist,
    company: typeof shown.company_id === 'number' ? (companies.get(shown.company_id) ?? null) : null,
    field: (name) => {
      const value = fields.get(name)
      return value === undefined || value === null || value === false ? undefined : String(value)
    },
  }
}

const Rows = z.array(z.tuple([z.string(), z.number(), z.record(z.string(), z.unknown()).nullable()]))

function rowOf(line: OrderLine, id: string): Record<string, unknown> {
  const rows = Rows.safeParse(line.rows)
  return (rows.success ? rows.data.findLast(([model, row]) => model === 'sale.order' && String(row) === id)?.[2] : undefined) ?? {}
}

function companyNames(lines: readonly LedgerLine[]): Map<number, string> {
  const names = new Map<number, string>()
  for (const line of lines) {
    if (line.kind !== 'state') continue
    const rows = z.object({ rows: Rows }).safeParse(line.state)
    if (!rows.success) continue
    for (const [model, id, values] of rows.data.rows)
      if (model === 'res.company' && typeof values?.name === 'string') names.set(id, values.name)
  }
  return names
}
