import pg from 'pg'
import { odooErp } from '../../src/drivers/odoo/erp.ts'
import type { Erp } from '../../src/ports/erp.ts'
import type { ErpWorld, Person } from './erp-world.ts'
import { openWire } from './wire.ts'

/** Where a real Odoo 14 answers, as `real-odoo14.sh status` prints it. */
export interface RealOdoo {
  url: string
  pgPort: number
}

const DB = 'e2e'
const HUB = { user: 'hub@example.com', password: 'hub' }

/** Whether it answers at all, so that a machine without it can say why it skips. */
export async function isUp({ url }: RealOdoo): Promise<boolean> {
  try {
    const reply = await fetch(`${url}/web/webclient/version_info`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
      signal: AbortSignal.timeout(10_000),
    })
    return reply.ok
  } catch {
    return false
  }
}

/** A real Odoo 14 with two products of its own, worked by its administrator. Everything it makes has a reference of its own. */
export async function realOdooWorld(real: RealOdoo): Promise<ErpWorld> {
  const admin = await administrator(real.url)
  const run = `${Date.now()}${process.pid}`
  const skus = [`CONF-A-${run}`, `CONF-B-${run}`] as const
  for (const sku of skus) await makeProduct(admin, sku)
  const bare = await admin<number[]>('product.product', 'create', [[{ name: `Sin código ${run}`, type: 'consu' }]])
  const partner = await admin<number[]>('res.partner', 'create', [[{ name: `Cliente ${run}` }]])
  const taxId = await includedTax(admin)
  const wire = await openWire(real.url)
  const database = new pg.Pool({ host: '127.0.0.1', port: real.pgPort, user: 'odoo', password: 'odoo', database: DB, max: 4 })
  const opened: (Erp & { close(): Promise<void> })[] = []
  return {
    skus,
    listedMinor: 11_900, // 10000 on the pricelist, and IVA on top
    wire,
    refusesLateCancel: true,
    keepsDemand: true,
    person: personOf(admin, { database, partnerId: partner[0] ?? 0, bareProductId: bare[0] ?? 0 }),
    async open(options = {}) {
      const { partner: name = `Compradores ${run}`, ...connection } = options
      const { database: db = DB, ...rest } = connection
      const erp = await odooErp({
        url: wire.url,
        db,
        ...HUB,
        ...rest,
        taxMode: { kind: 'price-included-tax', taxId },
        channelPartners: { mercadolibre: name },
      })
      opened.push(erp)
      return erp
    },
    async close() {
      await Promise.all(opened.map((erp) => erp.close()))
      await wire.close()
      await database.end()
    },
  }
}

type Call = <T = unknown>(model: string, method: string, args: unknown[], named?: Record<string, unknown>) => Promise<T>

async function administrator(url: string): Promise<Call> {
  const rpc = async (service: string, method: string, args: unknown[]): Promise<unknown> => {
    const body = JSON.stringify({ jsonrpc: '2.0', method: 'call', id: 1, params: { service, method, args } })
    const reply = await fetch(`${url}/jsonrpc`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    const answer = (await reply.json()) as { result?: unknown; error?: { data: { name: string; message: string } } }
    if (answer.error) throw new Error(`${answer.error.data.name}: ${answer.error.data.message}`)
    return answer.result
  }
  const uid = await rpc('common', 'authenticate', [DB, 'admin', 'admin', {}])
  return async <T>(model: string, method: string, args: unknown[], named: Record<string, unknown> = {}) =>
    (await rpc('object', 'execute_kw', [DB, uid, 'admin', model, method, args, named])) as T
}

async function makeProduct(admin: Call, sku: string): Promise<void> {
  const [id] = await admin<number[]>('product.product', 'create', [[{ name: sku, default_code: sku, type: 'product', list_price: 10_000 }]])
  await setStock(admin, id ?? 0, 200)
}

async function setStock(admin: Call, productId: number, quantity: number): Promise<void> {
  const [warehouse] = await admin<{ lot_stock_id: [number, string] }[]>('stock.warehouse', 'search_read', [[]], {
    fields: ['lot_stock_id'],
    limit: 1,
  })
  const values = { product_id: productId, location_id: warehouse?.lot_stock_id[0], inventory_quantity: quantity }
  await admin('stock.quant', 'create', [values], { context: { inventory_mode: true } })
}

async function includedTax(admin: Call): Promise<number> {
  const name = 'IVA 19% incluido (conformance)'
  const known = await admin<number[]>('account.tax', 'search', [[['name', '=', name]]])
  if (known[0] !== undefined) return known[0]
  const [tax] = await admin<number[]>('account.tax', 'search', [
    [
      ['type_tax_use', '=', 'sale'],
      ['amount', '=', 19],
      ['price_include', '=', false],
    ],
  ])
  return await admin<number>('account.tax', 'copy', [tax, { name, price_include: true }])
}

function personOf(admin: Call, own: { database: pg.Pool; partnerId: number; bareProductId: number }): Person {
  const productId = async (sku: string | null): Promise<number> =>
    sku === null ? own.bareProductId : ((await admin<number[]>('product.product', 'search', [[['default_code', '=', sku]]]))[0] ?? 0)
  const pickings = (id: string): Promise<number[]> =>
    admin('stock.picking', 'search', [
      [
        ['sale_id', '=', Number(id)],
        ['state', '!=', 'cancel'],
      ],
    ])
  const act = async (id: string, method: string, context = {}): Promise<void> =>
    void (await admin('sale.order', method, [[Number(id)]], { context }))
  return {
    async createOrder({ reference, origin, confirmed, section, lines }) {
      const order_line: unknown[] = section === undefined ? [] : [[0, 0, { display_type: 'line_section', name: section }]]
      for (const { sku, quantity, price } of lines)
        order_line.push([0, 0, { product_id: await productId(sku), product_uom_qty: quantity, price_unit: price }])
      const values = { partner_id: own.partnerId, client_order_ref: reference ?? false, origin: origin ?? false, order_line }
      const [id] = await admin<number[]>('sale.order', 'create', [[values]])
      if (confirmed) await act(String(id), 'action_confirm')
      return String(id)
    },
    confirm: (id) => act(id, 'action_confirm'),
    cancel: (id) => act(id, 'action_cancel', { disable_cancel_warning: true }),
    async deliver(id) {
      for (const picking of await pickings(id)) {
        const moves = await admin<{ id: number; product_uom_qty: number }[]>(
          'stock.move',
          'search_read',
          [[['picking_id', '=', picking]]],
          {
            fields: ['product_uom_qty'],
          },
        )
        for (const move of moves) await admin('stock.move', 'write', [[move.id], { quantity_done: move.product_uom_qty }])
        await admin('stock.picking', 'button_validate', [[picking]])
      }
    },
    remove: (id) => act(id, 'unlink'),
    touch: async (id) => void (await admin('sale.order', 'write', [[Number(id)], {}])),
    async setQuantity(id, sku, quantity) {
      const domain = [
        ['order_id', '=', Number(id)],
        ['product_id.default_code', '=', sku],
      ]
      const [line] = await admin<number[]>('sale.order.line', 'search', [domain])
      await admin('sale.order.line', 'write', [[line], { product_uom_qty: quantity }])
    },
    setTracking: async (id, tracking) =>
      void (await admin('stock.picking', 'write', [await pickings(id), { carrier_tracking_ref: tracking }])),
    setStock: async (sku, quantity) => setStock(admin, await productId(sku), quantity),
    async holdWrite(id) {
      const client = await own.database.connect()
      await client.query('begin')
      // What Odoo writes: the start of its transaction.
      await client.query("update sale_order set write_date = now() at time zone 'UTC' where id = $1", [Number(id)])
      return {
        async commit() {
          await client.query('commit')
          client.release()
        },
      }
    },
    see: (id) => see(admin, id),
    countByReference: (reference) => admin('sale.order', 'search_count', [[['client_order_ref', '=', reference]]]),
  }
}

async function see(admin: Call, id: string): ReturnType<Person['see']> {
  type Row = { state: string; amount_total: number; client_order_ref: string | false; origin: string | false; note: string | false }
  const fields = ['state', 'amount_total', 'client_order_ref', 'origin', 'note']
  const [order] = await admin<Row[]>('sale.order', 'read', [[Number(id)]], { fields })
  if (!order) throw new Error(`there is no order ${id}`)
  const pickings = await admin<{ state: string; carrier_tracking_ref: string | false }[]>(
    'stock.picking',
    'search_read',
    [[['sale_id', '=', Number(id)]]],
    {
      fields: ['state', 'carrier_tracking_ref'],
    },
  )
  const ofOrder = [
    ['order_id', '=', Number(id)],
    ['product_id', '!=', false],
  ]
  const rows = await admin<{ id: number; product_id: [number, string]; product_uom_qty: number }[]>(
    'sale.order.line',
    'search_read',
    [ofOrder],
    { fields: ['product_id', 'product_uom_qty'] },
  )
  const products = await admin<{ id: number; default_code: string }[]>('product.product', 'read', [rows.map((row) => row.product_id[0])], {
    fields: ['default_code'],
  })
  const skuOf = (productId: number): string => products.find((product) => product.id === productId)?.default_code ?? ''
  const open = [
    ['sale_line_id', 'in', rows.map((row) => row.id)],
    ['state', 'not in', ['done', 'cancel']],
  ]
  const moves = await admin<{ product_id: [number, string]; product_uom_qty: number }[]>('stock.move', 'search_read', [open], {
    fields: ['product_id', 'product_uom_qty'],
  })
  const toDeliver: Record<string, number> = {}
  for (const move of moves) toDeliver[skuOf(move.product_id[0])] = (toDeliver[skuOf(move.product_id[0])] ?? 0) + move.product_uom_qty
  const about = [
    ['model', '=', 'sale.order'],
    ['res_id', '=', Number(id)],
  ]
  const messages = await admin<{ body: string }[]>('mail.message', 'search_read', [about], { fields: ['body'] })
  return {
    state: order.state,
    totalMinor: order.amount_total,
    reference: order.client_order_ref || '',
    origin: order.origin || '',
    note: order.note || '',
    messages: messages.map((message) => message.body),
    pickings: pickings.map((picking) => ({ state: picking.state, tracking: picking.carrier_tracking_ref || '' })),
    lines: rows.map((row) => ({ sku: skuOf(row.product_id[0]), quantity: row.product_uom_qty })),
    toDeliver,
  }
}
