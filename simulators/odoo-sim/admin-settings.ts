import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { sha256 } from '../server.ts'
import { AdminProblem, adminRoute } from './admin-problem.ts'
import { rebuildTables } from './restore.ts'
import type { Simulation } from './simulation.ts'
import { writeFailure } from './write-failures.ts'

/** The hub user's key and e-mail address, the automation rule, write failures, a database restore, and counts of what there is. */
export function addSettingRoutes(app: FastifyInstance, sim: Simulation): void {
  addAccountRoutes(app, sim)
  addFailureRoutes(app, sim)
  app.put(
    '/admin/webhook',
    adminRoute(z.strictObject({ url: z.url().nullable() }), async ({ url }) => {
      if (sim.tables.version === 14 && url !== null)
        throw new AdminProblem('url', 'Odoo 14 has no webhook action (they came with 17): use version 19')
      sim.automation.url = url
      await sim.ledger.append({ kind: 'state', id: 'webhook', state: { url } })
      return { url }
    }),
  )
  app.post(
    '/admin/restore',
    adminRoute(z.strictObject({ seq: z.int().min(1) }), async ({ seq }) => {
      const last = sim.ledger.entries().at(-1)?.seq ?? 0
      if (seq > last) throw new AdminProblem('seq', `the ledger ends at ${last}`)
      if (sim.open.size > 0) throw new AdminProblem('seq', 'end the open transactions first', 409)
      await sim.ledger.append({ kind: 'state', id: 'restored', state: { seq } })
      rebuildTables(sim.tables, sim.ledger.entries())
      return counts(sim)
    }),
  )
  app.get('/admin/state', async () => counts(sim))
}

function addAccountRoutes(app: FastifyInstance, sim: Simulation): void {
  const user = z.strictObject({ email: z.string().nullable().optional(), lang: z.enum(['es_CL', 'en_US']).optional() })
  app.put(
    '/admin/user',
    adminRoute(user, async (body) => {
      if (body.email !== undefined) sim.user.email = body.email
      if (body.lang !== undefined) sim.user.lang = body.lang
      await sim.ledger.append({ kind: 'account', id: 'user', state: { email: sim.user.email, lang: sim.user.lang } })
      return { ...sim.user }
    }),
  )
  app.put(
    '/admin/credentials',
    adminRoute(z.strictObject({ expired: z.boolean(), key: z.string().optional() }), async ({ expired, key }) => {
      const hashes = key === undefined ? [...sim.credentials.keys.keys()] : [sha256(key)]
      for (const hash of hashes) {
        if (!sim.credentials.keys.has(hash)) throw new AdminProblem('key', 'the hub user has no such key')
        sim.credentials.keys.set(hash, { expired })
        await sim.ledger.append({ kind: 'account', id: 'key', state: { sha256: hash, expired } })
      }
      return keyCounts(sim)
    }),
  )
  app.post(
    '/admin/credentials',
    adminRoute(z.strictObject({ key: z.string().min(1) }), async ({ key }) => {
      sim.credentials.keys.set(sha256(key), { expired: false })
      await sim.ledger.append({ kind: 'account', id: 'key', state: { sha256: sha256(key), expired: false } })
      return keyCounts(sim)
    }),
  )
}

function keyCounts(sim: Simulation): { keys: number; valid: number } {
  const all = [...sim.credentials.keys.values()]
  return { keys: all.length, valid: all.filter((one) => !one.expired).length }
}

function addFailureRoutes(app: FastifyInstance, sim: Simulation): void {
  const listed = () => ({ failures: sim.failures.list() })
  app.get('/admin/fail-writes', async () => listed())
  app.post(
    '/admin/fail-writes',
    adminRoute(writeFailure, async (rule) => {
      sim.failures.add(rule)
      return listed()
    }),
  )
  app.put(
    '/admin/fail-writes',
    adminRoute(z.array(writeFailure), async (rules) => {
      sim.failures.replace(rules)
      return listed()
    }),
  )
  app.delete('/admin/fail-writes', async () => {
    sim.failures.replace([])
    return listed()
  })
}

function counts(sim: Simulation): Record<string, unknown> {
  const orders: Record<string, number> = {}
  for (const row of sim.tables.rows.get('sale.order')?.values() ?? []) orders[String(row.state)] = (orders[String(row.state)] ?? 0) + 1
  const size = (model: string) => sim.tables.rows.get(model)?.size ?? 0
  return {
    version: sim.tables.version,
    database: sim.database,
    login: sim.credentials.login,
    keys: keyCounts(sim),
    user: { email: sim.user.email, lang: sim.user.lang },
    webhook: sim.automation.url,
    openTransactions: [...sim.open.keys()],
    orders: { total: size('sale.order'), ...orders },
    products: size('product.product'),
    partners: size('res.partner'),
    pickings: size('stock.picking'),
    messages: size('mail.message'),
    seq: sim.ledger.entries().at(-1)?.seq ?? 0,
  }
}
