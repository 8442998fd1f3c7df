import { connectSimulatedAccount } from '../../../src/cli/simulated-accounts.ts'
import { EVERYTHING } from '../plan.ts'
import type { Stage } from '../stage.ts'
import type { YamlChanges } from '../stage-yaml.ts'
import { expectedOf, type Made, perform } from '../workload.ts'
import { burned, delivered, erpOrders } from './marketplaces.ts'
import type { Script } from './script.ts'
import { letPass } from './webhooks.ts'

const ML = 'mercadolibre:1001'

/** So many sends to the account at once, in each process. */
const concurrencyOf = (sends: number): YamlChanges => [[`'${ML}': { timing`, `'${ML}': { concurrency: ${sends}, timing`]]

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
const inHand = (stage: Stage) => stage.rows(`SELECT FROM delivery WHERE channel = $1 AND lease_until > hub_now()`, [ML])
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
    stage.check((await burned(stage, ML)).length === 0, 'no try was burned')
    return expectedOf(made)
  },
}

/** T2: twenty sends from four processes meet a token that ended; the grant is single-use. */
export const twentyRefreshes: Script = {
  stage: () => ({ yaml: concurrencyOf(5) }),
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
    stage.check((await burned(stage, ML)).length === 0, 'no try was burned')
    await stage.calm('subscriber', 'reconciler')
    return expectedOf(made)
  },
}

/** T3: the process that refreshes dies between the exchange and the save: the refresh token is spent, and that is said, not looped over. */
export const diedBeforeSave: Script = {
  // Two at a time: the others of the four meet the spent token in the hands of the worker that comes after.
  stage: () => ({ yaml: concurrencyOf(2) }),
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
    await reconnectedAfterPause(stage, made, before)
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
    await reconnectedAfterPause(stage, made, await tokenRequests(stage))
    return expectedOf(made)
  },
}

/** The channel is paused with its cause, no try was burned and nobody asks for tokens any more; a person connects it again. */
async function reconnectedAfterPause(stage: Stage, made: Made, tokenRequestsBefore: number): Promise<void> {
  const cause = await stage.eventually(() => paused(stage), 'the channel is paused')
  stage.check(/credential|reconnect/.test(cause), `the pause says why: ${cause}`)
  // A try is charged with the intent and given back with the refusal.
  await stage.eventually(async () => (await inHand(stage)).length === 0, 'every send in hand is settled')
  stage.check((await burned(stage, ML)).length === 0, 'no try was burned')
  stage.check((await stage.rows(`SELECT FROM delivery WHERE state = 'dead'`)).length === 0, 'nothing was given up')
  // Longer than any probe waits; that the worker was at work all the while shows at the other marketplace.
  await letPass(stage, 600, ['worker'])
  await perform(stage, erpOrders(1, 'Paris'), made)
  await stage.eventually(async () => (await delivered(stage, 'paris:main')) === 1, 'the other marketplace goes on')
  stage.check((await tokenRequests(stage)) === tokenRequestsBefore, 'the exchange is not tried again and again')
  await connectSimulatedAccount(stage.running.hub, ML)
  await stage.calm('subscriber', 'reconciler')
}
