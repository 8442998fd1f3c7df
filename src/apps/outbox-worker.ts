import type { Channel } from '../core/channel.ts'
import { collectErpOrders, type CollectPorts } from '../flows/collect-erp-orders.ts'
import { collectStock } from '../flows/collect-stock.ts'
import { deliverOrder } from '../flows/deliver-order.ts'
import type { Clock } from '../ports/clock.ts'
import type { EventBus } from '../ports/event-bus.ts'
import type { Claim, Outbox } from '../ports/outbox.ts'
import type { Random } from '../ports/random.ts'
import type { Target } from '../ports/target.ts'
import type { Hands } from '../hands.ts'
import { type Log, supervise, Wake } from '../supervise.ts'
import { withinLease } from '../within-lease.ts'

export interface OutboxWorker {
  outbox: Outbox & { drain(): Promise<void> }
  channels: readonly Channel[]
  targetOf(channel: string): Target
  concurrencyOf(channel: string): number
  collect: CollectPorts
  bus: EventBus
  /** What this process has in hand, shared by everything that runs in it. */
  hands: Hands
  clock: Clock
  random: Random
  log: Log
  backoffScale: number
  collectEveryMs: number
  /** How often due work is looked for when nothing wakes the worker. */
  sweepMs: number
  /** Called after every round that did something. */
  progress(what: string): void
}

/**
 * Three kinds of loops under one signal: collect from the ERP, deliver to each channel, deliver suspects. None of them can stall another, but
 * while a suspect is delivered this process does nothing else.
 */
export async function runOutboxWorker(worker: OutboxWorker, signal: AbortSignal): Promise<void> {
  const wakes = new Map(worker.channels.map((c) => [c.id, new Wake()]))
  const collectWake = new Wake()
  const outbound = await worker.bus.subscribe('outbound', () => {
    for (const wake of wakes.values()) wake.wake()
  })
  const collect = await worker.bus.subscribe('collect', collectWake.wake)
  try {
    await Promise.all([
      ...worker.channels
        .filter((c) => c.enabled)
        .map((channel) => deliverLoop(worker, channel, wakes.get(channel.id) ?? new Wake(), signal)),
      suspectLoop(worker, signal),
      collectLoop(worker, collectWake, signal),
      stockLoop(worker, signal),
    ])
  } finally {
    await Promise.all([outbound.close(), collect.close()])
    await worker.outbox.drain()
  }
}

async function deliverLoop(worker: OutboxWorker, channel: Channel, wake: Wake, signal: AbortSignal): Promise<void> {
  const inFlight = new Set<Promise<void>>()
  const most = worker.concurrencyOf(channel.id)
  const { clock, log } = worker
  await supervise({ name: `deliver ${channel.id}`, clock, log, wake, everyMs: worker.sweepMs, signal }, async () => {
    if (inFlight.size > most / 2) {
      await Promise.race(inFlight)
      return 'again'
    }
    const held = await worker.hands.join()
    try {
      const claims = await worker.outbox.claim(channel.id, most - inFlight.size)
      for (const claim of claims) {
        const one = held.more()
        const running = deliverOne(worker, channel, claim).finally(() => {
          one.leave()
          inFlight.delete(running)
          wake.wake()
        })
        inFlight.add(running)
      }
      return claims.length > 0 ? 'again' : 'idle'
    } finally {
      held.leave()
    }
  })
  await Promise.all(inFlight) // a clean stop lets every send come to its finish
}

// The process is empty before a suspect is claimed, so that whatever ends it meanwhile is the suspect's doing.
async function suspectLoop(worker: OutboxWorker, signal: AbortSignal): Promise<void> {
  const channels = new Map(worker.channels.filter((c) => c.enabled).map((c) => [c.id, c]))
  const { clock, log, hands, outbox } = worker
  await supervise({ name: 'deliver suspects', clock, log, wake: new Wake(), everyMs: worker.sweepMs, signal }, async () => {
    let claimed = 0
    for (const id of await outbox.suspects()) {
      const channel = channels.get(id)
      if (!channel || signal.aborted) continue
      await hands.alone(async () => {
        const claim = await outbox.claimSuspect(id)
        if (claim === null) return
        claimed += 1
        await deliverOne(worker, channel, claim)
      })
    }
    return claimed > 0 ? 'again' : 'idle'
  })
}

// A throw that is no IntegrationError is a bug: logged once; the lease runs out and the row is claimed again, in the end as a suspect.
async function deliverOne(worker: OutboxWorker, channel: Channel, claim: Claim): Promise<void> {
  const ports = {
    target: worker.targetOf(channel.id),
    channel,
    store: worker.collect.store,
    clock: worker.clock,
    random: worker.random,
    backoffScale: worker.backoffScale,
  }
  const { clock } = worker
  try {
    // Each intent renews the lease.
    const ending = await withinLease({ clock, leaseMs: channel.timing.leaseMs }, (signal, renew) => {
      const outbox: Outbox = {
        ...worker.outbox,
        intend: (of, operation) => worker.outbox.intend(of, operation).finally(renew),
        intendLookUp: (of, operation) => worker.outbox.intendLookUp(of, operation).finally(renew),
      }
      return deliverOrder(claim, { ...ports, outbox }, signal)
    })
    worker.progress(`delivery ${ending}`)
  } catch (error) {
    worker.log.error({ channel: channel.id, delivery: claim.deliveryId, err: error }, 'a delivery failed without a settlement')
  }
}

async function collectLoop(worker: OutboxWorker, wake: Wake, signal: AbortSignal): Promise<void> {
  const { clock, log } = worker
  await supervise({ name: 'collect', clock, log, wake, everyMs: worker.collectEveryMs, signal }, async () => {
    const outcome = await worker.hands.together((giveWay) => collectErpOrders(worker.collect, AbortSignal.any([signal, giveWay])))
    if (outcome.kind === 'failed') log.warn({ code: outcome.code }, 'the ERP cannot be read; nothing is lost, the cursor stays')
    if (outcome.kind === 'collected') worker.progress('collected')
    return 'idle'
  })
}

async function stockLoop(worker: OutboxWorker, signal: AbortSignal): Promise<void> {
  if (!worker.channels.some((c) => c.enabled && c.capabilities.updateStock)) return
  const { clock, log } = worker
  await supervise({ name: 'stock', clock, log, wake: new Wake(), everyMs: worker.collectEveryMs, signal }, async () => {
    await worker.hands.together(() => collectStock(worker.collect, signal))
    return 'idle'
  })
}
