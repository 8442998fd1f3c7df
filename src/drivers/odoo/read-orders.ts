import { z } from 'zod'
import { IntegrationError } from '../../core/integration-error.ts'
import type { ErpBatch, ErpOrder, ErpQuarantined } from '../../ports/erp.ts'
import type { Personal } from '../../ports/target.ts'
import type { Connection } from './connection.ts'
import { faultOf } from './odoo-error.ts'
import { orderSlug, resolveExternalId } from './external-id.ts'
import {
  checkedLines,
  EVERYTHING,
  firstProblem,
  productIdsOf,
  type Read,
  readLineRows,
  readOrderRows,
  readPickings,
  readSkus,
  type Row,
} from './order-reading.ts'
import { Instant, isoFrom, OrderRecord, type PickingRecord, recordId, Text } from './record.ts'
import { isHubBorn, mapSaleOrder, mayBeHubBorn, quarantinedOf, tooManyLines } from './sale-order.ts'

/** Largest number of ids that one call takes. */
const MOST_ORDERS = 200

/** Reads and maps orders; `routingFields` are what the operator's routing rules look at. */
export async function readErpOrders(
  read: Read,
  connection: Connection,
  erpIds: readonly string[],
  routingFields: readonly string[],
): Promise<ErpBatch> {
  if (erpIds.length > MOST_ORDERS) throw new RangeError(`readOrders takes at most ${MOST_ORDERS} ids, not ${erpIds.length}`)
  const readable = [...new Set(erpIds)].map(recordId).filter((id) => id !== null)
  const { batch, seen } = await readSome(read, connection, readable, routingFields)
  return { ...batch, missing: erpIds.filter((id) => !seen.has(Number(id))) }
}

interface Some {
  batch: Omit<ErpBatch, 'missing'>
  /** Ids that were read, the hub's own orders among them. */
  seen: Set<number>
}

// A record that makes Odoo itself fail spoils its batch: halve until it stands alone, and quarantine it.
async function readSome(read: Read, connection: Connection, ids: readonly number[], routingFields: readonly string[]): Promise<Some> {
  if (ids.length === 0) return { batch: { orders: [], quarantined: [] }, seen: new Set() }
  try {
    return await readTogether(read, connection, ids, routingFields)
  } catch (error) {
    // Without the right to read, every order would look bad: that is no fault of a record.
    if (!(error instanceof IntegrationError) || error.code !== 'rejected' || faultOf(error) === 'AccessError') throw error
    if (ids.length === 1) return await quarantineUnread(read, ids, error)
    const middle = Math.ceil(ids.length / 2)
    const first = await readSome(read, connection, ids.slice(0, middle), routingFields)
    const second = await readSome(read, connection, ids.slice(middle), routingFields)
    return {
      batch: {
        orders: [...first.batch.orders, ...second.batch.orders],
        quarantined: [...first.batch.quarantined, ...second.batch.quarantined],
      },
      seen: new Set([...first.seen, ...second.seen]),
    }
  }
}

const Headline = z.object({ id: z.number().int(), name: Text, write_date: Instant })

async function quarantineUnread(read: Read, ids: readonly number[], error: IntegrationError): Promise<Some> {
  const args = { domain: [['id', 'in', ids]], fields: ['name', 'write_date'], context: EVERYTHING }
  const rows = await read(z.array(Headline), { model: 'sale.order', method: 'search_read', args })
  const quarantined = rows.map((row) => quarantinedOf(row, [], { field: 'sale.order', problem: `Odoo fails to read it: ${error.message}` }))
  return { batch: { orders: [], quarantined }, seen: new Set(rows.map((row) => row.id)) }
}

async function readTogether(read: Read, connection: Connection, ids: readonly number[], routingFields: readonly string[]): Promise<Some> {
  const { schema } = connection
  const rows = await readOrderRows(read, schema, [['id', 'in', ids]], routingFields)
  const quarantined: ErpQuarantined[] = []
  const mine: { record: OrderRecord; row: z.infer<typeof Row> }[] = []
  for (const row of rows) {
    const parsed = OrderRecord.safeParse(row)
    if (!parsed.success) quarantined.push(unreadable(row, parsed.error))
    else if (!(await wasHubBorn(read, connection, parsed.data))) mine.push({ record: parsed.data, row })
  }
  const records = mine.map((m) => m.record)
  const lines = await readLineRows(
    read,
    schema,
    records.filter((r) => !tooManyLines(r)).flatMap((r) => r.order_line),
  )
  const skus = await readSkus(read, productIdsOf(lines.values()))
  const pickings = groupBySale(
    await readPickings(
      read,
      schema,
      records.map((r) => r.id),
    ),
  )
  const tags = await readTags(read, records)
  const people = await readPeople(read, records)
  const orders: ErpOrder[] = []
  for (const { record, row } of mine) {
    const checked = checkedLines(record.order_line.map((id) => lines.get(id)).filter((line) => line !== undefined))
    const said = 'lines' in checked ? checked.lines : []
    if ('problem' in checked && record.state !== 'cancel') {
      quarantined.push(quarantinedOf(record, pickings.get(record.id) ?? [], checked))
      continue
    }
    const routing = routingOf(row, routingFields)
    const mapped = mapSaleOrder({ order: record, lines: said, pickings: pickings.get(record.id) ?? [], skus, tags, routing })
    if (mapped.kind === 'quarantined') quarantined.push(mapped.record)
    else orders.push({ fragment: mapped.fragment, personal: people.get(record.partner_id?.id ?? 0) ?? null })
  }
  return { batch: { orders, quarantined }, seen: new Set(rows.map((row) => Number(row.id))) }
}

/** Whether the hub created the order: it is then another order's binding, and no order of the ERP. */
export async function wasHubBorn(
  read: Read,
  { uid }: Pick<Connection, 'uid'>,
  order: Pick<OrderRecord, 'id' | 'origin' | 'client_order_ref' | 'create_uid'>,
): Promise<boolean> {
  if (!mayBeHubBorn(order)) return false
  if (isHubBorn(order, { uid, externalIdProven: false })) return true
  const named = await resolveExternalId(read, orderSlug(order.origin, order.client_order_ref))
  return isHubBorn(order, { uid, externalIdProven: named === order.id })
}

function unreadable(row: z.infer<typeof Row>, error: z.ZodError): ErpQuarantined {
  const { field, problem } = firstProblem(error)
  const written = Instant.safeParse(row.write_date)
  const version = written.success ? isoFrom(written.data) : ''
  return { erpId: String(row.id), erpName: typeof row.name === 'string' ? row.name : '', field, problem, version }
}

function groupBySale(pickings: readonly PickingRecord[]): Map<number, PickingRecord[]> {
  return Map.groupBy(pickings, (picking) => picking.sale_id?.id ?? 0)
}

const Tag = z.object({ id: z.number().int(), name: Text })

async function readTags(read: Read, orders: readonly OrderRecord[]): Promise<Map<number, string>> {
  const ids = [...new Set(orders.flatMap((order) => order.tag_ids ?? []))]
  if (ids.length === 0) return new Map()
  const args = { domain: [['id', 'in', ids]], fields: ['name'], context: EVERYTHING }
  const tags = await read(z.array(Tag), { model: 'crm.tag', method: 'search_read', args })
  return new Map(tags.map(({ id, name }) => [id, name]))
}

const PARTNER_TEXTS = { name: Text, email: Text, phone: Text, street: Text, city: Text, vat: Text }
const Partner = z.object({ id: z.number().int(), ...PARTNER_TEXTS })

async function readPeople(read: Read, orders: readonly OrderRecord[]): Promise<Map<number, Personal>> {
  const ids = [...new Set(orders.map((order) => order.partner_id?.id).filter((id) => id !== undefined))]
  if (ids.length === 0) return new Map()
  const args = { domain: [['id', 'in', ids]], fields: Object.keys(PARTNER_TEXTS), context: EVERYTHING }
  const partners = await read(z.array(Partner), { model: 'res.partner', method: 'search_read', args })
  return new Map(partners.map((partner) => [partner.id, personalOf(partner)]))
}

function personalOf({ name, email, phone, street, city, vat }: z.infer<typeof Partner>): Personal {
  const address = [street, city].filter(Boolean).join(', ')
  return {
    ...(name ? { buyerName: name } : {}),
    ...(email ? { email } : {}),
    ...(phone ? { phone } : {}),
    ...(address ? { address } : {}),
    ...(vat ? { taxId: vat } : {}),
  }
}

function routingOf(row: z.infer<typeof Row>, fields: readonly string[]): Record<string, string> {
  const values: Record<string, string> = {}
  for (const field of fields) {
    const value = row[field]
    if (Array.isArray(value) && typeof value[1] === 'string') values[field] = value[1]
    else if (typeof value === 'string' || typeof value === 'number' || value === true) values[field] = String(value)
  }
  return values
}
