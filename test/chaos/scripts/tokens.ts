import { connectSimulatedAccount } from '../../../src/cli/simulated-accounts.ts'
import { EVERYTHING } from '../plan.ts'
import type { Stage } from '../stage.ts'
import { expectedOf, perform } from '../workload.ts'
import { delivered, erpOrders } from './marketplaces.ts'
import type { Script } from './script.ts'

const ML = 'mercadolibre:1001'

async function tokenRequests({ running }: Stage): Promise<number> {
  return ((await running.meli('GET', '/admin/state')) as { tokenRequests: { total: number } }).tokenRequests.total
}

/** Lets every delivery of the account wait, so that all of them meet the same token. */
async function hold(stage: Stage, isHeld: boolean): Promise<void> {
  const [row] = await stage.rows<{ at: string }>(
    `UPDATE channel SET limited_until = CASE WHEN $2 THEN hub_now() + interval '1 hour' END WHERE id = $1 RETURNING hub_now() AS at`,
    [ML, isHeld],
  )
  if (!isHeld && row) stage.evidence.lifted(ML, row.at)
}

const planned = (stage: Stage) => stage.rows(`SELECT FROM delivery WHERE channel = $1 AND kind = 'order'`, [ML])
const burned = (stage: Stage) => stage.rows(`SELECT FROM delivery WHERE channel = $1 AND kind = 'order' AND tries > 1`, [ML])
const paused = async (stage: Stage): Promise<string | null> =>
  (await stage.rows<{ pause_cause: string | null }>(`SELECT pause_cause FROM channel WHERE id = $1 AND paused_at IS NOT NULL`, [ML]))[0]
    ?.pause_cause ?? null

/** T1: the access token ends while a batch is under way. */
export const tokenEnds: Script = {
  async run(stage) {
    await stage.calm(...EVERYTHING)
    await hold(stage, true)
    const made = await perform(stage, erpOrders(8, 'MercadoLibre'))
    await stage.eventually(async () => (await planned(stage)).length === 8, 'eight deliveries wait')
    const before = await tokenRequests(stage)
    await stage.running.meli('POST', '/admin/revoke', { user_id: 1001, what: 'access' })
    stage.fire('the access token ended', await stage.underWay())
    await hold(stage, false)
    await stage.eventually(async () => (await delivered(stage, ML)) === 8, 'all are delivered')
    stage.check((await tokenRequests(stage)) - before === 1, 'one refresh, whoever asks')
    stage.check((await burned(stage)).length === 0, 'no try was burned')
    return expectedOf(made)
  },
}

/** T2: twenty sends from four processes meet a token that ended; the grant is single-use. */
export const twentyRefreshes: Script = {
  stage: () => ({ yaml: [["'mercadolibre:1001': { timing", "'mercadolibre:1001': { concurrency: 5, timing"]] }),
  async run(stage) {
    await stage.calm('worker')
    await hold(stage, true)
    const made = await perform(stage, erpOrders(20, 'MercadoLibre'))
    await stage.eventually(async () => (await planned(stage)).length === 20, 'twenty deliveries wait')
    await stage.endCalm()
    for (let i = 0; i < 4; i++) await stage.victim(null, { role: 'worker' })
    const before = await tokenRequests(stage)
    await stage.running.meli('POST', '/admin/revoke', { user_id: 1001, what: 'access' })
    stage.fire('four processes meet a token that ended', await stage.underWay())
    await hold(stage, false)
    await stage.eventually(async () => (await delivered(stage, ML)) === 20, 'all are delivered')
    stage.figures['token requests'] = (await tokenRequests(stage)) - before
    stage.check(stage.figures['token requests'] === 1, `exactly one token request, not ${stage.figures['token requests']}`)
    stage.check((await burned(stage)).length === 0, 'no try was burned')
    await stage.calm('subscriber', 'reconciler')
    return expectedOf(made)
  },
}

/** T3: the process that refreshes dies between the exchange and the save: the refresh token is spent, and that is said, not looped over. */
export const diedBeforeSave: Script = {
  async run(stage) {
    const { running } = stage
    await hold(stage, true)
    const node = await stage.victim()
    const made = await perform(stage, erpOrders(4, 'MercadoLibre'))
    await stage.eventually(async () => (await planned(stage)).length === 4, 'four deliveries wait')
    await running.meli('POST', '/admin/revoke', { user_id: 1001, what: 'access' })
    await hold(stage, false)
    await node.fired()
    await node.exited
    stage.fire('the new token pair was lost', await stage.underWay())
    const before = await tokenRequests(stage)
    await stage.rows(`UPDATE hub_clock SET shift = shift + interval '2 min'`)
    await stage.calm('worker')
    await reconnectedAfterPause(stage, before)
    return expectedOf(made)
  },
}

/** T4: the grant is refused for good. */
export const invalidGrant: Script = {
  async run(stage) {
    await stage.calm('worker')
    await hold(stage, true)
    const made = await perform(stage, erpOrders(4, 'MercadoLibre'))
    await stage.eventually(async () => (await planned(stage)).length === 4, 'four deliveries wait')
    await stage.running.meli('POST', '/admin/revoke', { user_id: 1001, what: 'all' })
    stage.fire('invalid_grant', await stage.underWay())
    await hold(stage, false)
    await stage.eventually(async () => (await paused(stage)) !== null, 'the channel is paused')
    await reconnectedAfterPause(stage, await tokenRequests(stage))
    return expectedOf(made)
  },
}

/** The channel is paused with its cause, no try was burned and nobody asks for tokens any more; a person connects it again. */
async function reconnectedAfterPause(stage: Stage, tokenRequestsBefore: number): Promise<void> {
  const cause = await stage.eventually(() => paused(stage), 'the channel is paused')
  stage.check(/credential|reconnect/.test(cause), `the pause says why: ${cause}`)
  stage.check((await burned(stage)).length === 0, 'no try was burned')
  stage.check((await stage.rows(`SELECT FROM delivery WHERE state = 'dead'`)).length === 0, 'nothing was given up')
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  stage.check((await tokenRequests(stage)) === tokenRequestsBefore, 'the exchange is not tried again and again')
  await connectSimulatedAccount(stage.running.hub, ML)
  await stage.calm('subscriber', 'reconciler')
}
