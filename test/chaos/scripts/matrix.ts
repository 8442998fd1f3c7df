import { beginFaults, failLinks, linksOf } from '../faults.ts'
import { LEASE_MS, LONGEST_LEASE_MS } from '../node-roles.ts'
import { EVERYTHING, type Failpoint, type Role, ROLES } from '../plan.ts'
import type { Stage } from '../stage.ts'
import type { VictimNode } from '../victim.ts'
import { type Act, changesOf, expectedOf, type Made, nothingMade, perform, SMALL, workloadOf } from '../workload.ts'
import { refusedOrder, withIncidents } from './incident.ts'
import type { Script } from './script.ts'

/**
 * One node is hit at a failpoint while other systems or links fail; another node takes its place. What the plan names must all fire, with an
 * order in flight.
 */
export const matrix: Script = {
  stage: (plan) => ({
    links: linksOf(plan.faults),
    yaml: plan.victim?.point === 'mid-comparison' ? [['compareAfterSeconds: 3600', 'compareAfterSeconds: 1']] : [],
  }),
  async run(stage) {
    const { victim, work } = stage.plan
    const known = work === 'change' ? await knownEverywhere(stage) : nothingMade()
    await beginFaults(stage)
    const role = victim?.role ?? null
    const others = ROLES.filter((one) => one !== role && one !== 'receiver')
    // They read new orders of the ERP too, and would be first.
    const late = victim?.point === 'mid-collect' ? others : []
    await stage.calm(...others.filter((one) => !late.includes(one)))
    const dead = victim?.point === 'dead-letter' ? [await refusedOrder(stage)] : []
    const node = victim ? await stage.victim() : null
    if (node && role === 'receiver') await stage.callbackTo(node.port)
    // A sweep fetches only what no notification told of.
    if (victim?.point === 'mid-sweep') await stage.running.meli('POST', '/admin/faults', { match: {}, fault: 'lost-webhook' })
    const acts = (work === 'change' ? changesOf : workloadOf)(stage.plan.seed, SMALL)
    const made = await perform(stage, role === 'receiver' ? acts.map(told) : acts, known)
    stage.note(work === 'change' ? 'orders changed' : 'orders made')
    const links = failLinks(stage, made)
    if (node) await replaced(stage, node)
    await stage.calm(...late)
    await links
    return withIncidents(stage, expectedOf(made), dead)
  },
}

/** A receiver needs notifications, also where some are lost. */
const told = (act: Act): Act => (act.act === 'purchase' ? { ...act, told: true } : act)

/** Orders that every system has, with nothing left to do; the nodes that saw to it are gone. */
async function knownEverywhere(stage: Stage): Promise<Made> {
  await stage.callbackTo(0)
  await stage.calm(...EVERYTHING)
  const made = await perform(stage, workloadOf(stage.plan.seed, SMALL))
  const { erpToMarketplace, marketplaceToErp } = expectedOf(made)
  const known = async (): Promise<boolean> => {
    const [all] = await stage.rows<{ count: number }>(`SELECT count(*)::int FROM silver_order`)
    return all?.count === erpToMarketplace + marketplaceToErp && (await stage.underWay()) === ''
  }
  await stage.eventually(async () => (await known()) || undefined, 'every system knows the orders')
  await stage.endCalm()
  stage.note('orders known everywhere')
  return made
}

// Behind the same address, as after a restart: what a sender tries again must reach it.
async function anotherReceiver(stage: Stage, node: VictimNode): Promise<void> {
  if (stage.plan.victim?.action !== 'kill') return stage.callbackTo(0)
  await stage.victim(null, { role: 'receiver', port: node.port })
  const triedAgain = async (): Promise<boolean> => {
    const { notifications } = (await stage.running.meli('GET', '/admin/state')) as { notifications: { pending: number } }
    return notifications.pending === 0
  }
  await stage.eventually(async () => (await triedAgain()) || undefined, 'every notification reaches the other receiver')
}

/** Longer than what the role holds is leased; a receiver holds nothing. */
const FROZEN_MS: Record<Role, number> = {
  worker: LONGEST_LEASE_MS * 1.5,
  subscriber: LEASE_MS * 1.5,
  reconciler: LEASE_MS * 1.5,
  receiver: LEASE_MS * 0.5,
}

/** Frozen there, a worker holds neither a transaction nor a lock: its delivery is free as soon as the settle window is over. */
const BETWEEN_INTENT_AND_FINISH: readonly Failpoint[] = [
  'after-intent',
  'before-send',
  'after-send-before-response',
  'after-response-before-finish',
]
const LONGEST_TAKEOVER_MS = 20_000

/** Until another worker began with that delivery; not for ever, since the fault of the scenario may keep its channel shut. */
async function takenOver(stage: Stage, reference: string): Promise<void> {
  const leases = () =>
    stage.rows(
      `SELECT FROM attempt a JOIN delivery d ON d.id = a.delivery_id JOIN binding b ON b.id = d.binding_id
       WHERE b.reference = $1 GROUP BY d.id HAVING count(DISTINCT a.lease) > 1`,
      [reference],
    )
  const isTaken = async (): Promise<boolean> => (await leases()).length > 0
  await stage.eventually(isTaken, 'another worker takes the delivery over', LONGEST_TAKEOVER_MS).catch(() => {})
}

/** Waits for the fault of the victim, then lets another node do its work; a stopped one wakes later and must not complete anything. */
async function replaced(stage: Stage, node: VictimNode): Promise<void> {
  const { victim } = stage.plan
  if (!victim) return
  const fired = await node.fired()
  // Red; it goes on by itself.
  if (!fired) return
  if (victim.action === 'kill') await node.exited
  if (victim.role === 'receiver') await anotherReceiver(stage, node)
  else await stage.calm(victim.role)
  if (victim.action !== 'stop') return
  // Its record is written before it freezes itself: a SIGCONT that comes first would wake nobody.
  await stage.eventually(() => Promise.resolve(node.isFrozen() || undefined), 'the node is frozen')
  await new Promise((resolve) => setTimeout(resolve, FROZEN_MS[victim.role]))
  if (BETWEEN_INTENT_AND_FINISH.includes(victim.point)) await takenOver(stage, fired.inFlight)
  node.resume()
  stage.note('resumed')
  // It ends what it has in hand, and only then is judged what that did.
  node.signal('SIGTERM')
  await node.exited
}
