import type { FastifyRequest } from 'fastify'
import { requestIdOf } from '../server.ts'
import { AdminProblem } from './admin-problem.ts'
import type { Env } from './env.ts'
import { endTransaction, environment, openTransaction, type Simulation, transact, within } from './simulation.ts'
import type { Transaction } from './tables.ts'

export type When = { commit_after_ms?: number | undefined; transaction?: number | undefined }

/** One change by a person: at once, in a transaction of its own that commits later, or in one that is already open. */
export async function change<T>(sim: Simulation, request: FastifyRequest, when: When, run: (env: Env) => T): Promise<T> {
  const author = { by: 'admin' as const, requestId: requestIdOf(request) }
  const inside = (tx: Transaction) => run(environment(sim, tx, { admin: true }))
  if (when.transaction === undefined && !when.commit_after_ms) return transact(sim, author, inside)
  const id = when.transaction ?? openTransaction(sim, author, when.commit_after_ms ?? null)
  if (!sim.open.has(id)) throw new AdminProblem('transaction', `there is no open transaction ${id}`, 404)
  try {
    return (await within(sim, id, inside)) as T
  } catch (error) {
    if (when.transaction === undefined) await endTransaction(sim, id, 'rollback')
    throw error
  }
}
