import { EVERYTHING } from '../plan.ts'
import type { Stage } from '../stage.ts'
import { type Act, expectedOf, type Made, perform } from '../workload.ts'
import { dead, delivered, erpOrders } from './marketplaces.ts'
import type { Script } from './script.ts'
import { letPass } from './webhooks.ts'

const ML = 'mercadolibre:1001'
const AT_FIRST = 8
/** Steps of the clock, each with a new order for either marketplace. */
const STEPS = 12

/**
 * M5: an outage of the length that the title says, in the schedule of production; the clock moves, nothing else is shortened. One send at a time, so
 * that the order of the creations is the order of the claims.
 */
export const outage: Script = {
  stage: () => ({
    yaml: [
      ['backoffScale: 0.02', 'backoffScale: 1'],
      [`'${ML}': { timing`, `'${ML}': { concurrency: 1, timing`],
    ],
  }),
  async run(stage) {
    const minutes = stage.plan.title.includes('hour') ? 60 : 1
    await stage.running.meli('PUT', '/admin/faults', [{ match: {}, fault: 'status', status: 503 }])
    await stage.calm('worker')
    const made = await perform(stage, erpOrders(AT_FIRST, 'MercadoLibre'))
    await stage.eventually(async () => (await refused(stage)).length >= 5, 'the circuit opens')
    stage.fire(`503 for ${minutes} min`, await stage.underWay())
    await waitedOut(stage, made, (minutes * 60) / STEPS)
    stage.check((await dead(stage)) === 0, 'an outage gives nothing up')
    await stage.running.meli('DELETE', '/admin/faults')
    const expected = await everythingDue(stage)
    stage.check(expected.length === AT_FIRST + STEPS, `every order waits for its end: ${expected.length}`)
    await stage.calm('worker')
    await stage.eventually(async () => (await delivered(stage, ML)) === expected.length, 'the backlog is drained')
    const created = await createdAtMarketplace(stage)
    stage.check(isEqual(created, expected), `drained in order: ${created.join(' ')} of ${expected.join(' ')}`)
    stage.check((await dead(stage)) === 0, 'nor does its end give anything up')
    await stage.calm(...EVERYTHING.filter((role) => role !== 'worker'))
    return expectedOf(made)
  },
}

async function waitedOut(stage: Stage, made: Made, stepSeconds: number): Promise<void> {
  const both: Act[] = [...erpOrders(1, 'MercadoLibre'), ...erpOrders(1, 'Paris')]
  for (let step = 1; step <= STEPS; step++) {
    await perform(stage, both, made)
    await letPass(stage, stepSeconds, ['worker'])
    await stage.eventually(async () => (await delivered(stage, 'paris:main')) === step, 'the other marketplace goes on')
    await stage.eventually(async () => (await backlog(stage)).length === AT_FIRST + step, 'orders of the outage are planned')
  }
  stage.figures['sends and look-ups refused'] = (await refused(stage)).length
}

const refused = (stage: Stage) => stage.rows(`SELECT FROM attempt WHERE channel = $1 AND error_code = 'unavailable'`, [ML])

/**
 * What is owed to the account, in the order that the hub promises: a claim takes what is due by due time, then by id, which is the order of planning. A
 * try that failed puts its delivery back behind those that were planned meanwhile.
 */
async function backlog(stage: Stage): Promise<string[]> {
  const rows = await stage.rows<{ reference: string }>(
    `SELECT b.reference FROM delivery d JOIN binding b ON b.id = d.binding_id
     WHERE d.channel = $1 AND d.kind = 'order' AND d.state IN ('pending', 'ambiguous') ORDER BY d.due_at, d.id`,
    [ML],
  )
  return rows.map((row) => row.reference)
}

/** Stops the worker and moves the clock until every try and the next probe are due, so that nothing but the order is left to decide; answers that. */
async function everythingDue(stage: Stage): Promise<string[]> {
  await stage.endCalm()
  await stage.rows(
    `UPDATE hub_clock SET shift = shift + greatest(interval '0', (SELECT max(due_at) FROM delivery WHERE channel = $1) - hub_now(),
       (SELECT probe_at FROM channel WHERE id = $1) - hub_now())`,
    [ML],
  )
  return backlog(stage)
}

async function createdAtMarketplace({ running }: Stage): Promise<string[]> {
  const { entries } = (await running.meli('GET', '/admin/ledger')) as {
    entries: { act?: string; order?: { external_reference?: string | null } }[]
  }
  return entries.flatMap(({ act, order }) => (act === 'created' && order?.external_reference ? [order.external_reference] : []))
}

const isEqual = (one: readonly string[], other: readonly string[]): boolean => one.join(' ') === other.join(' ')
