import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { requestIdOf, type Simulator } from '../server.ts'
import { createOrders, type EditOrder, edit, editOrder, newOrder, orderAct, orderActs, orderRow } from './admin-orders.ts'
import { change, type When } from './admin-change.ts'
import { AdminProblem, adminRoute } from './admin-problem.ts'
import { addSettingRoutes } from './admin-settings.ts'
import { addStockRoutes } from './admin-stock.ts'
import type { Env } from './env.ts'
import { orderSnapshot } from './order-snapshot.ts'
import { search } from './reading.ts'
import { endTransaction, environment, openTransaction, reading, type Simulation } from './simulation.ts'

/** What a person does in Odoo, for tests, demos and the seed. All routes need `X-Admin-Key`. */
export function addAdminRoutes(simulator: Simulator, sim: Simulation): void {
  void simulator.app.register(async (app) => {
    app.addHook('preHandler', simulator.requireAdminKey)
    addOrderRoutes(app, sim)
    addTransactionRoutes(app, sim)
    addStockRoutes(app, sim)
    addSettingRoutes(app, sim)
  })
}

function addOrderRoutes(app: FastifyInstance, sim: Simulation): void {
  app.post(
    '/admin/orders',
    adminRoute(z.union([z.array(newOrder), newOrder]), async (body, request) => {
      const list = Array.isArray(body) ? body : [body]
      const when = list.find((one) => one.transaction !== undefined || one.commit_after_ms !== undefined) ?? {}
      const rows = await change(sim, request, when, (env) => list.flatMap((order) => createOrders(env, order)))
      return {
        orders: rows.map((row) => ({
          id: row.id,
          name: row.name,
          client_order_ref: row.client_order_ref ?? null,
          amount_total: row.amount_total ?? 0,
        })),
      }
    }),
  )
  app.get(
    '/admin/orders',
    adminRoute(z.unknown(), async (_body, request) => {
      const query = z
        .object({ client_order_ref: z.string().optional(), limit: z.coerce.number().int().min(1).default(100) })
        .safeParse(request.query)
      if (!query.success) throw new AdminProblem('limit', 'limit is a whole number above 0')
      const env = environment(sim, reading(sim), { admin: true })
      const domain = query.data.client_order_ref === undefined ? [] : [['client_order_ref', '=', query.data.client_order_ref]]
      return {
        orders: search(env, 'sale.order', domain, { order: 'id desc', limit: query.data.limit }).map((row) => orderSnapshot(env, row)),
      }
    }),
  )
  app.get(
    '/admin/orders/:id',
    adminRoute(z.unknown(), async (_body, request) => {
      const env = environment(sim, reading(sim), { admin: true })
      return orderSnapshot(env, orderRow(env, orderId(request)))
    }),
  )
  app.post(
    '/admin/orders/:id/edit',
    adminRoute(editOrder, (body, request) => act(sim, request, body, (env, id) => edit(env, id, body as EditOrder))),
  )
  for (const [name, run] of Object.entries(orderActs)) {
    app.post(
      `/admin/orders/:id/${name}`,
      adminRoute(orderAct, (body, request) => act(sim, request, body, (env, id) => run(env, id, body))),
    )
  }
}

async function act(sim: Simulation, request: FastifyRequest, when: When, run: (env: Env, id: number) => void): Promise<unknown> {
  const id = orderId(request)
  return change(sim, request, when, (env) => {
    orderRow(env, id)
    run(env, id)
    const row = env.tx.changed.get('sale.order')?.get(id) === null ? null : orderRow(env, id)
    return row ? orderSnapshot(env, row) : { id, state: 'deleted' }
  })
}

function orderId(request: FastifyRequest): number {
  const id = Number((request.params as { id?: string }).id)
  if (!Number.isInteger(id)) throw new AdminProblem('id', 'the order id is a whole number')
  return id
}

function addTransactionRoutes(app: FastifyInstance, sim: Simulation): void {
  const begin = z.strictObject({ commit_after_ms: z.int().min(0).max(3_600_000).optional() })
  app.post(
    '/admin/transactions',
    adminRoute(begin, async (body, request) => {
      const author = { by: 'admin' as const, requestId: requestIdOf(request) }
      return { id: openTransaction(sim, author, body.commit_after_ms ?? null) }
    }),
  )
  for (const how of ['commit', 'rollback'] as const) {
    app.post(
      `/admin/transactions/:id/${how}`,
      adminRoute(z.unknown(), async (_body, request) => {
        const id = Number((request.params as { id?: string }).id)
        if (!(await endTransaction(sim, id, how))) throw new AdminProblem('id', `there is no open transaction ${id}`, 404)
        return { id, ended: how }
      }),
    )
  }
}
