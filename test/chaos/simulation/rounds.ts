import { IntegrationError } from '../../../src/core/integration-error.ts'
import { applyInboundEvent } from '../../../src/flows/apply-inbound-event.ts'
import { collectErpOrders, type CollectPorts, recollectErpOrders, reconcileErpIds } from '../../../src/flows/collect-erp-orders.ts'
import { deliverOrder } from '../../../src/flows/deliver-order.ts'
import { compareDelivered, type ReconcilePorts, sweepMarketplace } from '../../../src/flows/reconcile-marketplace.ts'
import type { ClaimedEvent } from '../../../src/ports/inbox.ts'
import type { Claim } from '../../../src/ports/outbox.ts'
import { steadyRandom } from '../../support/flow-fixtures.ts'
import { channelOf, TIMING } from './channels.ts'
import { MAX_TRIES, type Ports } from './ports.ts'
import type { Node, World } from './world.ts'

export const ROUNDS = ['collect', 'reread', 'deliver', 'apply', 'sweep', 'compare', 'suspects'] as const
export type Round = (typeof ROUNDS)[number]

const AT_ONCE = 3
const never = new AbortController().signal

/** Begins one round of a loop of the apps, as the app runs it: it goes on in turns, beside everything else. */
export function beginRound(world: World, node: Node, round: Round, channel: string): void {
  inBackground(world, `${node.life.name} ${round} ${channel}`, run(node, round, channel))
}

/** A flow that goes on by itself. What the apps' loops log and outlive is no breach; any other throw is a bug. */
export function inBackground(world: World, what: string, work: Promise<unknown>): void {
  work.catch((error: unknown) => {
    const known = error instanceof IntegrationError || (error instanceof Error && /was taken over/.test(error.message))
    if (!known) world.breach(`${what} threw ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  })
}

function run({ life, ports }: Node, round: Round, channel: string): Promise<unknown> {
  switch (round) {
    case 'collect':
      return life.hands.together((giveWay) => collectErpOrders(collectOf(ports), giveWay))
    case 'reread':
      return life.hands.together((giveWay) => reread(ports, giveWay))
    case 'deliver':
      return life.hands.together(() => deliverDue(ports, channel))
    case 'apply':
      return life.hands.together(() => applyDue(ports, channel))
    case 'sweep':
      return life.hands.together((giveWay) => sweepMarketplace(marketOf(ports, channel), reconcileOf(ports, channel), giveWay))
    case 'compare':
      return life.hands.together((giveWay) => compareDelivered(targetOf(ports, channel), reconcileOf(ports, channel), giveWay))
    case 'suspects':
      return suspects({ life, ports })
  }
}

async function reread(ports: Ports, giveWay: AbortSignal): Promise<void> {
  const now = Date.parse(await ports.erp.serverTime(giveWay))
  await reconcileErpIds(new Date(now - 7 * 86_400_000).toISOString(), collectOf(ports), giveWay)
  await recollectErpOrders(await ports.store.erpIdsToReread(7), collectOf(ports), giveWay)
}

async function deliverDue(ports: Ports, channel: string): Promise<void> {
  const claims = await ports.outbox.claim(channel, AT_ONCE)
  await Promise.all(claims.map((claim) => deliver(ports, claim)))
}

function deliver(ports: Ports, claim: Claim): Promise<unknown> {
  const { outbox, store, clock } = ports
  const channel = channelOf(claim.wanted.channel)
  const target = targetOf(ports, channel.id)
  return deliverOrder(claim, { outbox, target, channel, store, clock, random: steadyRandom, backoffScale: 1 }, never)
}

async function applyDue(ports: Ports, channel: string): Promise<void> {
  const claims = await ports.claims.claim(channel, AT_ONCE, TIMING.leaseMs)
  await Promise.all(claims.map((claim) => apply(ports, claim)))
}

function apply(ports: Ports, claim: ClaimedEvent): Promise<unknown> {
  const { claims, attempts, store } = ports
  const settings = { random: steadyRandom, maxTries: MAX_TRIES, maxReads: 2, backoffScale: 1, leaseMs: TIMING.leaseMs }
  return applyInboundEvent(claim, { inbox: claims, attempts, store, marketplace: marketOf(ports, claim.channel), ...settings }, never)
}

// As in the apps: the node has nothing else in hand while it works on a suspect.
async function suspects({ life, ports }: Node): Promise<void> {
  for (const channel of await ports.outbox.suspects())
    await life.hands.alone(async () => {
      const claim = await ports.outbox.claimSuspect(channel)
      if (claim) await deliver(ports, claim)
    })
  for (const channel of await ports.claims.suspects())
    await life.hands.alone(async () => {
      const claim = await ports.claims.claimSuspect(channel, TIMING.leaseMs)
      if (claim) await apply(ports, claim)
    })
}

function collectOf({ erp, store }: Ports): CollectPorts {
  return { erp, store, overlapMs: 60_000, since: '1970-01-01T00:00:00.000Z', chunk: 3, leaseMs: TIMING.leaseMs }
}

function reconcileOf({ inbox, reconcile }: Ports, channel: string): ReconcilePorts {
  const since = '1970-01-01T00:00:00.000Z'
  const settings = { since, overlapMs: 60_000, compareAfterMs: 3_600_000, firstCompareAfterMs: 600_000, compareLimit: 20 }
  return { channel, inbox, reconcile, ...settings, repairs: channel !== 'odoo' }
}

function marketOf(ports: Ports, channel: string): Ports['marketplaces'][number] {
  const market = ports.marketplaces.find((one) => one.channel === channel)
  if (!market) throw new Error(`no marketplace ${channel}`)
  return market
}

const targetOf = (ports: Ports, channel: string): Ports['erp'] | Ports['marketplaces'][number] =>
  channel === 'odoo' ? ports.erp : marketOf(ports, channel)
