import { z } from 'zod'
import { IntegrationError } from '../../core/integration-error.ts'
import type { AttemptLog } from '../../ports/attempt-log.ts'
import type { Shown, ShownContent, Wanted } from '../../ports/target.ts'
import { markersIn } from './chatter.ts'
import type { OdooClient } from './client.ts'
import type { Connection } from './connection.ts'
import { orderSlug, resolveExternalId } from './external-id.ts'
import {
  checkedLines,
  firstProblem,
  productIdsOf,
  type Read,
  readLineRows,
  readOrderRows,
  readPickings,
  readSkus,
} from './order-reading.ts'
import { findLineWork, type HeldLines, stillToDeliver } from './line-work.ts'
import { digestOf, type OrderExtra, sameLines } from './order-steps.ts'
import {
  amountFrom,
  fulfilmentOf,
  grossUnitPrice,
  type LineRecord,
  OrderRecord,
  type PickingRecord,
  quantityText,
  recordId,
  Text,
} from './record.ts'
import { isConfirmed } from './sale-order.ts'

/** Every request of a look-up is an attempt of its own, named after what it asks. */
export function loggedRead(client: OdooClient, log: AttemptLog, signal: AbortSignal): Read {
  return (schema, call) => log.read(`${call.model}.${call.method}`, (requestId) => client.read(schema, call, { requestId, signal }))
}

/**
 * Finds a binding: an ERP-born order by its id; one of ours by the bound id, by external id, then by reference and origin. An id alone
 * proves nothing (a restored database uses it again), so the record must also carry our reference.
 */
export async function findBinding(
  read: Read,
  connection: Connection,
  wanted: Wanted,
): Promise<{ order: OrderRecord; copies: number } | null> {
  const { desired } = wanted
  if (desired.kind === 'stock') return null
  if (desired.origin === 'odoo') return await readOne(read, connection, [['id', '=', recordId(desired.orderKey) ?? 0]])
  if (wanted.externalId !== null) {
    const bound = await readOne(read, connection, [['id', '=', recordId(wanted.externalId) ?? 0]])
    if (bound && bound.order.origin === desired.origin && bound.order.client_order_ref === wanted.reference) return bound
  }
  const named = await resolveExternalId(read, orderSlug(desired.origin, wanted.reference))
  if (named !== null) return await readOne(read, connection, [['id', '=', named]])
  return await readOne(read, connection, [
    ['client_order_ref', '=', wanted.reference],
    ['origin', '=', desired.origin],
  ])
}

/** Reads what the next step is decided from. */
export async function showOrder(
  read: Read,
  connection: Connection,
  { order, copies }: { order: OrderRecord; copies: number },
  wanted: Wanted,
): Promise<Shown> {
  const rows = await readLineRows(read, connection.schema, order.order_line)
  const checked = checkedLines(order.order_line.map((id) => rows.get(id)).filter((row) => row !== undefined))
  if ('problem' in checked)
    throw new IntegrationError('malformed-response', { summary: `${order.name}: ${checked.field} ${checked.problem}` })
  const skus = await readSkus(read, productIdsOf(rows.values()))
  const pickings = await readPickings(read, connection.schema, [order.id])
  const markers = await readMarkers(read, order.id)
  const goods = checked.lines.filter((line) => !line.display_type?.startsWith('line_'))
  const held: HeldLines = { lines: goods, skuOf: (line) => skus.get(line.product_id?.id ?? 0) ?? '', uid: connection.uid }
  const content = contentOf({ order, copies, goods, lines: checked.lines, pickings, markers }, held, connection)
  Object.assign(content.extra, await lineFacts(read, connection, { wanted, held, content }))
  return { kind: 'found', externalId: String(order.id), content }
}

// Asked only of an order that the hub created and that is not on its way out: every answer costs requests.
async function lineFacts(
  read: Read,
  connection: Connection,
  { wanted, held, content }: { wanted: Wanted; held: HeldLines; content: ShownContent },
): Promise<Pick<OrderExtra, 'lineWork' | 'stillToDeliver'>> {
  const { desired, reference } = wanted
  const nothing = { lineWork: '', stillToDeliver: '' }
  if (desired.kind !== 'order' || desired.origin === 'odoo' || desired.lifecycle === 'cancelled' || content.lifecycle === 'cancelled')
    return nothing
  if (!sameLines(desired, content.extra as OrderExtra))
    return { ...nothing, lineWork: JSON.stringify(await findLineWork(read, desired, { reference, held })) }
  return { ...nothing, stillToDeliver: (await stillToDeliver(read, connection, held)).join(', ') }
}

interface Read1 {
  order: OrderRecord
  copies: number
  goods: LineRecord[]
  /** Sections and remarks too. */
  lines: LineRecord[]
  pickings: PickingRecord[]
  markers: string[]
}

/** OdooBot: what Odoo computes anew under its own rights, a confirmation's lines among it, carries its name. */
const ODOO_ITSELF = 1

function contentOf({ order, copies, goods, lines, pickings, markers }: Read1, { skuOf }: HeldLines, connection: Connection): ShownContent {
  const { uid, schema } = connection
  const currency = order.currency_id?.name ?? ''
  // A confirmed order keeps a line that was taken back, at quantity 0.
  const counted = goods.filter((line) => line.product_uom_qty !== 0)
  const written = counted.map((line) => ({
    sku: skuOf(line),
    quantity: quantityText(line.product_uom_qty),
    price: quantityText(line.price_unit),
  }))
  const outgoing = pickings.filter((picking) => picking.picking_type_code === 'outgoing' && picking.state !== 'cancel')
  const writers = [order.write_uid, ...lines.map((line) => line.write_uid)].flatMap((writer) => writer?.id ?? [])
  const extra: OrderExtra = {
    state: order.state,
    name: order.name,
    writeDate: order.write_date,
    linesDigest: digestOf(written, false),
    pricedDigest: digestOf(written, true),
    lineWork: '',
    stillToDeliver: '',
    locked: order.locked === true || order.state === 'done',
    editedByPerson: writers.some((id) => id !== uid),
    personWrote: writers.some((id) => id !== uid && id !== ODOO_ITSELF),
    delivered: outgoing.some((picking) => picking.state === 'done'),
    invoiced: (order.invoice_count ?? 0) > 0,
    markers: markers.join(' '),
    outgoing: JSON.stringify(outgoing.map(({ id, carrier_tracking_ref }) => ({ id, tracking: carrier_tracking_ref ?? '' }))),
    canTrack: schema.has('stock.picking', 'carrier_tracking_ref'),
    copies,
    declined: null,
  }
  return {
    lifecycle: order.state === 'cancel' ? 'cancelled' : 'open',
    fulfilment: isConfirmed(order.state) ? fulfilmentOf(pickings).fulfilment : 'none',
    currency: currency || null,
    totalMinor: amountFrom(order.amount_total, currency) ?? null,
    lines: counted.map((line) => {
      const totalMinor = amountFrom(line.price_total, currency)
      const unitPriceMinor = totalMinor === undefined ? null : grossUnitPrice(totalMinor, line.product_uom_qty)
      return { sku: skuOf(line), quantity: quantityText(line.product_uom_qty), unitPriceMinor }
    }),
    extra,
  }
}

async function readOne(read: Read, { schema }: Connection, domain: unknown[]): Promise<{ order: OrderRecord; copies: number } | null> {
  const rows = await readOrderRows(read, schema, domain)
  if (rows[0] === undefined) return null
  const parsed = OrderRecord.safeParse(rows[0])
  if (parsed.success) return { order: parsed.data, copies: rows.length }
  const { field, problem } = firstProblem(parsed.error)
  throw new IntegrationError('malformed-response', { summary: `the order ${String(rows[0].id)} does not fit at "${field}": ${problem}` })
}

const Message = z.object({ body: Text })

async function readMarkers(read: Read, orderId: number): Promise<string[]> {
  const domain = [
    ['model', '=', 'sale.order'],
    ['res_id', '=', orderId],
    ['body', 'ilike', 'rosh:'],
  ]
  const args = { domain, fields: ['body'], order: 'id desc', limit: 500 }
  const messages = await read(z.array(Message), { model: 'mail.message', method: 'search_read', args })
  return markersIn(messages.map((message) => message.body))
}
