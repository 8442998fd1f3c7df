import { createHash } from 'node:crypto'
import { appendFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A call to Odoo as its administrator: model, method, positional and named arguments. */
export type Rpc = <T>(model: string, method: string, args: unknown[], named?: Record<string, unknown>) => Promise<T>

/** Stands between the hub and a real Odoo and keeps the ledger that a simulator would keep, so that the auditor can judge it. */
export interface OdooRecorder {
  url: string
  /** Appends what Odoo itself shows of these orders now, read by the administrator and not through the hub. */
  snapshot(orderIds: readonly number[]): Promise<void>
  close(): Promise<void>
}

/** Records every request that passes, one JSON line each, in the format of the simulators' ledgers. */
export async function recordOdoo(options: { target: string; ledgerPath: string; admin: Rpc }): Promise<OdooRecorder> {
  let seq = 0
  writeFileSync(options.ledgerPath, '')
  const append = (record: Record<string, unknown>): void => {
    seq += 1
    appendFileSync(options.ledgerPath, `${JSON.stringify({ seq, at: new Date().toISOString(), ...record })}\n`)
  }
  const server = createServer((request, response) => void forward(request, response, options.target, append))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async snapshot(orderIds) {
      for (const order of await ordersShown(options.admin, orderIds)) append(order)
    },
    close: () => new Promise<void>((resolve, reject) => server.close((error) => (error ? reject(error) : resolve()))),
  }
}

type Append = (record: Record<string, unknown>) => void

async function forward(request: IncomingMessage, response: ServerResponse, target: string, append: Append): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const body = Buffer.concat(chunks)
  const { method = 'GET', url: path = '/' } = request
  const requestId = request.headers['x-request-id']
  const line = {
    kind: 'request',
    requestId: typeof requestId === 'string' ? requestId : null,
    method,
    path,
    bodySha256: createHash('sha256').update(body).digest('hex'),
    decision: 'forwarded',
    detail: callOf(body),
  }
  try {
    const headers = { 'content-type': request.headers['content-type'] ?? 'application/json' }
    const reply = await fetch(target + path, { method, headers, ...(method === 'GET' ? {} : { body }) })
    const answer = Buffer.from(await reply.arrayBuffer())
    append({ ...line, status: reply.status })
    response.writeHead(reply.status, { 'content-type': reply.headers.get('content-type') ?? 'application/json' }).end(answer)
  } catch {
    append({ ...line, status: null })
    response.destroy()
  }
}

/** `sale.order.load` of a JSON-RPC call to the service `object`. */
function callOf(body: Buffer): { call: string } | undefined {
  try {
    const { params } = JSON.parse(body.toString()) as { params: { service: string; args: unknown[] } }
    return params.service === 'object' ? { call: `${String(params.args[3])}.${String(params.args[4])}` } : undefined
  } catch {
    return undefined
  }
}

type Named = [number, string] | false
type Row = Record<string, unknown> & { id: number }

/** Ledger lines of these orders in the version-independent shape that `odoo-sim` keeps. */
async function ordersShown(admin: Rpc, orderIds: readonly number[]): Promise<Record<string, unknown>[]> {
  const orders = await admin<Row[]>('sale.order', 'read', [orderIds], {
    fields:
      'name client_order_ref origin state team_id tag_ids pricelist_id company_id currency_id amount_total order_line picking_ids'.split(
        ' ',
      ),
  })
  const externalIds = await externalIdsOf(admin, 'sale.order', orderIds)
  const lines = await byOrder(admin, 'sale.order.line', {
    orderIds,
    field: 'order_id',
    read: ['product_id', 'display_type', 'product_uom_qty', 'price_total'],
  })
  const messages = await byOrder(admin, 'mail.message', {
    orderIds,
    field: 'res_id',
    read: ['body'],
    where: [['model', '=', 'sale.order']],
  })
  const products = await codesOf(admin, [...lines.values()].flat())
  const pickings = await statesOf(
    admin,
    orders.flatMap((order) => order.picking_ids as number[]),
  )
  return orders.map((order) => ({
    kind: 'order',
    act: 'created',
    id: String(order.id),
    reference: order.client_order_ref || null,
    requestId: null,
    by: externalIds.has(order.id) ? 'client' : 'admin',
    order: {
      id: order.id,
      name: order.name,
      client_order_ref: order.client_order_ref || null,
      origin: order.origin || null,
      external_id: externalIds.get(order.id) ?? null,
      state: order.state,
      team: nameOf(order.team_id),
      tags: [],
      pricelist: nameOf(order.pricelist_id),
      company_id: (order.company_id as Named) ? (order.company_id as [number, string])[0] : null,
      lines: (lines.get(order.id) ?? []).map((line) => ({
        sku: products.get((line.product_id as Named) ? (line.product_id as [number, string])[0] : 0) ?? null,
        display_type: line.display_type || null,
        quantity: line.product_uom_qty,
        price_total: line.price_total,
      })),
      amount_total: order.amount_total,
      currency: nameOf(order.currency_id),
      picking_state: pickingState((order.picking_ids as number[]).map((id) => pickings.get(id) ?? 'draft')),
      messages: (messages.get(order.id) ?? []).map(({ body }) => ({ body })),
    },
  }))
}

const nameOf = (value: unknown): string | null => (Array.isArray(value) ? String(value[1]) : null)

async function externalIdsOf(admin: Rpc, model: string, ids: readonly number[]): Promise<Map<number, string>> {
  const domain = [
    ['model', '=', model],
    ['res_id', 'in', ids],
    ['module', '=', 'orderhub'],
  ]
  const rows = await admin<{ res_id: number; complete_name: string }[]>('ir.model.data', 'search_read', [domain], {
    fields: ['res_id', 'complete_name'],
  })
  return new Map(rows.map((row) => [row.res_id, row.complete_name]))
}

interface Of {
  orderIds: readonly number[]
  /** The field that points at the order. */
  field: string
  read: string[]
  where?: unknown[]
}

async function byOrder(admin: Rpc, model: string, { orderIds, field, read, where = [] }: Of): Promise<Map<number, Row[]>> {
  const rows = await admin<Row[]>(model, 'search_read', [[...where, [field, 'in', orderIds]]], {
    fields: [field, ...read],
    order: 'id asc',
  })
  return Map.groupBy(rows, (row) => (Array.isArray(row[field]) ? Number(row[field][0]) : Number(row[field])))
}

async function codesOf(admin: Rpc, lines: readonly Row[]): Promise<Map<number, string>> {
  const ids = [...new Set(lines.flatMap((line) => (Array.isArray(line.product_id) ? [Number(line.product_id[0])] : [])))]
  const rows = await admin<{ id: number; default_code: string }[]>('product.product', 'read', [ids], { fields: ['default_code'] })
  return new Map(rows.map((row) => [row.id, row.default_code]))
}

async function statesOf(admin: Rpc, ids: readonly number[]): Promise<Map<number, string>> {
  const rows = await admin<{ id: number; state: string }[]>('stock.picking', 'read', [ids], { fields: ['state'] })
  return new Map(rows.map((row) => [row.id, row.state]))
}

function pickingState(states: readonly string[]): string | null {
  const live = states.filter((state) => state !== 'cancel')
  if (live.length === 0) return states.length > 0 ? 'cancel' : null
  if (live.every((state) => state === 'done')) return 'done'
  return live.includes('done') ? 'partial' : (live[0] ?? null)
}
