import { ODOO_CHANNEL } from '../core/channel.ts'
import { applyErpHints, applySuspectHint } from '../flows/apply-erp-hints.ts'
import { type ApplyPorts, applyInboundEvent } from '../flows/apply-inbound-event.ts'
import type { CollectPorts } from '../flows/collect-erp-orders.ts'
import type { Clock } from '../ports/clock.ts'
import type { EventBus } from '../ports/event-bus.ts'
import type { ClaimedEvent } from '../ports/inbox.ts'
import type { Marketplace } from '../ports/marketplace.ts'
import type { Hands } from '../hands.ts'
import { type Log, supervise, Wake } from '../supervise.ts'
import { withinLease } from '../within-lease.ts'

export interface EventSubscriber {
  marketplaces: readonly Marketplace[]
  ports: Omit<ApplyPorts, 'marketplace'>
  /** Hints of the ERP are collected. */
  collect: CollectPorts
  concurrencyOf(channel: string): number
  bus: EventBus
  /** What this process has in hand, shared by everything that runs in it. */
  hands: Hands
  clock: Clock
  log: Log
  /** The bus is only a wake-up; this sweep finds what it lost. Milliseconds. */
  sweepMs: number
  progress(what: string): void
}

/** Applies inbound events, one loop a marketplace account, so that a slow one holds up nobody else; suspects with nothing else in hand. */
export async function runEventSubscriber(subscriber: EventSubscriber, signal: AbortSignal): Promise<void> {
  const wakes = subscriber.marketplaces.map(() => new Wake())
  const erpWake = new Wake()
  const subscription = await subscriber.bus.subscribe('inbound', () => {
    for (const wake of [...wakes, erpWake]) wake.wake()
  })
  try {
    await Promise.all([
      ...subscriber.marketplaces.map((marketplace, i) => applyLoop(subscriber, marketplace, wakes[i] ?? new Wake(), signal)),
      hintLoop(subscriber, erpWake, signal),
      suspectLoop(subscriber, signal),
    ])
  } finally {
    await subscription.close()
  }
}

async function applyLoop(subscriber: EventSubscriber, marketplace: Marketplace, wake: Wake, signal: AbortSignal): Promise<void> {
  const { clock, log, hands } = subscriber
  const { inbox, leaseMs } = subscriber.ports
  const most = subscriber.concurrencyOf(marketplace.channel)
  const loop = { name: `apply ${marketplace.channel}`, clock, log, wake, everyMs: subscriber.sweepMs, signal }
  await supervise(loop, () =>
    hands.together(async () => {
      const claims = await inbox.claim(marketplace.channel, most, leaseMs)
      await Promise.all(claims.map((claim) => applyOne(subscriber, marketplace, claim)))
      return claims.length > 0 ? 'again' : 'idle'
    }),
  )
}

async function hintLoop(subscriber: EventSubscriber, wake: Wake, signal: AbortSignal): Promise<void> {
  const { clock, log, collect } = subscriber
  const ports = { ...subscriber.ports, collect }
  await supervise({ name: 'apply odoo', clock, log, wake, everyMs: subscriber.sweepMs, signal }, async () => {
    const applied = await subscriber.hands.together((giveWay) => applyErpHints(ports, AbortSignal.any([signal, giveWay])))
    return applied > 0 ? 'again' : 'idle'
  })
}

// The process is empty before a suspect is claimed, so that whatever ends it meanwhile is the suspect's doing.
async function suspectLoop(subscriber: EventSubscriber, signal: AbortSignal): Promise<void> {
  const { clock, log, hands } = subscriber
  await supervise({ name: 'apply suspects', clock, log, wake: new Wake(), everyMs: subscriber.sweepMs, signal }, async () => {
    let claimed = 0
    for (const channel of await subscriber.ports.inbox.suspects()) {
      if (signal.aborted) break
      await hands.alone(async () => {
        claimed += await applySuspect(subscriber, channel, signal)
      })
    }
    return claimed > 0 ? 'again' : 'idle'
  })
}

async function applySuspect(subscriber: EventSubscriber, channel: string, signal: AbortSignal): Promise<number> {
  if (channel === ODOO_CHANNEL) return applySuspectHint({ ...subscriber.ports, collect: subscriber.collect }, signal)
  const marketplace = subscriber.marketplaces.find((m) => m.channel === channel)
  const claim = marketplace && (await subscriber.ports.inbox.claimSuspect(channel, subscriber.ports.leaseMs))
  if (!claim) return 0
  await applyOne(subscriber, marketplace, claim)
  return 1
}

// A throw here is a bug, not a failure of the marketplace: the lease runs out and the event is claimed again, in the end alone.
async function applyOne(subscriber: EventSubscriber, marketplace: Marketplace, claim: ClaimedEvent): Promise<void> {
  try {
    const { clock, ports } = subscriber
    const outcome = await withinLease({ clock, leaseMs: ports.leaseMs }, (signal) =>
      applyInboundEvent(claim, { ...ports, marketplace }, signal),
    )
    subscriber.progress(`event ${outcome}`)
  } catch (error) {
    subscriber.log.error({ channel: claim.channel, event: claim.eventId, err: error }, 'an inbound event failed without a settlement')
  }
}
