import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { requestIdOf } from '../server.ts'
import { change } from './admin-change.ts'
import { productBySku } from './admin-orders.ts'
import { AdminProblem, adminRoute } from './admin-problem.ts'
import { productValues } from './demo-data.ts'
import type { Env } from './env.ts'
import type { Simulation } from './simulation.ts'
import { all, find, insert, patch, type Row } from './tables.ts'
import { createRecord } from './writing.ts'

const product = z.strictObject({
  default_code: z.string().min(1),
  name: z.string().min(1),
  price: z.number(),
  type: z.enum(['storable', 'consu', 'service']).default('storable'),
  stock: z.number().optional(),
})
const partner = z.strictObject({
  name: z.string().min(1),
  email: z.string().optional(),
  phone: z.string().optional(),
  street: z.string().optional(),
  city: z.string().optional(),
  vat: z.string().optional(),
})
const stock = z.strictObject({
  sku: z.string(),
  quantity: z.number(),
  /** Code or id of a warehouse; default WH. */
  warehouse: z.union([z.string(), z.int()]).default('WH'),
  commit_after_ms: z.int().min(0).max(3_600_000).optional(),
  transaction: z.int().optional(),
})
const listOf = <T extends z.ZodType>(one: T) => z.union([z.array(one), one])

export function addStockRoutes(app: FastifyInstance, sim: Simulation): void {
  app.post(
    '/admin/products',
    adminRoute(listOf(product), async (body, request) => {
      const list = Array.isArray(body) ? body : [body]
      const products = await change(sim, request, {}, (env) => list.map((one) => saveProduct(env, one)))
      return { products }
    }),
  )
  app.post(
    '/admin/partners',
    adminRoute(listOf(partner), async (body, request) => {
      const list = Array.isArray(body) ? body : [body]
      const rows = await change(sim, request, {}, (env) => list.map((one) => savePartner(env, one)))
      return { partners: rows.map((row) => ({ id: row.id, name: row.name })) }
    }),
  )
  for (const [name, active] of [
    ['archive', false],
    ['unarchive', true],
  ] as const) {
    app.post(
      `/admin/products/:sku/${name}`,
      adminRoute(z.unknown(), async (_body, request) => {
        const { sku = '' } = request.params as { sku?: string }
        const row = await change(sim, request, {}, (env) =>
          patch(env.tables, env.tx, { model: 'product.product', id: productBySku(env, sku, 'sku').id }, { active }),
        )
        return { id: row.id, default_code: row.default_code, active }
      }),
    )
  }
  app.post(
    '/admin/stock',
    adminRoute(listOf(stock), (body, request) => setStock(sim, request, Array.isArray(body) ? body : [body])),
  )
}

/** A known SKU is changed, a new one created: the seed may run twice. */
function saveProduct(env: Env, given: z.output<typeof product>): { id: number; default_code: string; created: boolean } {
  const values = productValues(env, { code: given.default_code, name: given.name, price: given.price, type: given.type })
  let known: Row | undefined
  for (const row of all(env.tables, env.tx, 'product.product')) if (row.default_code === given.default_code) known = row
  const id = known
    ? patch(env.tables, env.tx, { model: 'product.product', id: known.id }, values).id
    : insert(env.tables, env.tx, 'product.product', values).id
  if (given.stock !== undefined) moveStock(env, id, { quantity: given.stock, warehouse: 'WH' })
  return { id, default_code: given.default_code, created: !known }
}

/** A known name is changed, a new one created. */
function savePartner(env: Env, given: z.output<typeof partner>): Row {
  const values = Object.fromEntries(Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
  for (const row of all(env.tables, env.tx, 'res.partner')) {
    if (row.name === given.name) return patch(env.tables, env.tx, { model: 'res.partner', id: row.id }, values)
  }
  return createRecord(env, 'res.partner', values)
}

async function setStock(sim: Simulation, request: FastifyRequest, list: z.output<typeof stock>[]): Promise<unknown> {
  const when = list.find((one) => one.transaction !== undefined || one.commit_after_ms !== undefined) ?? {}
  const changed = await change(sim, request, when, (env) =>
    list.map((one) => ({ sku: one.sku, ...moveStock(env, productBySku(env, one.sku, 'sku').id, one) })),
  )
  await Promise.all(
    changed.map((one) => sim.ledger.append({ kind: 'stock', sku: one.sku, requestId: requestIdOf(request), by: 'admin', stock: one })),
  )
  return { stock: changed }
}

function moveStock(
  env: Env,
  productId: number,
  want: { quantity: number; warehouse: string | number },
): { quantity: number; reserved: number; free: number } {
  let location = 0
  for (const row of all(env.tables, env.tx, 'stock.warehouse'))
    if (row.id === want.warehouse || row.code === want.warehouse) location = Number(row.lot_stock_id)
  if (!find(env.tables, env.tx, 'stock.location', location)) {
    throw new AdminProblem('warehouse', `there is no warehouse ${JSON.stringify(want.warehouse)}; there are WH (1) and TDA (2)`)
  }
  let quantity = 0
  let reserved = 0
  for (const row of all(env.tables, env.tx, 'stock.quant')) {
    if (row.product_id !== productId || row.location_id !== location) continue
    quantity += Number(row.quantity)
    reserved += Number(row.reserved_quantity)
  }
  env.tx.quants.push({ productId, locationId: location, quantity: want.quantity - quantity, reserved: 0 })
  return { quantity: want.quantity, reserved, free: want.quantity - reserved }
}
