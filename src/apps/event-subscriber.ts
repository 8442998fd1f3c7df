import { applyErpHints, type HintPorts } from '../flows/apply-erp-hints.ts'
import { type ApplyPorts, applyInboundEvent } from '../flows/apply-inbound-event.ts'
import type { Clock } from '../ports/clock.ts'
import type { EventBus } from '../ports/event-bus.ts'
import type { ClaimedEvent } from '../ports/inbox.ts'
import type { Marketplace } from '../ports/marketplace.ts'
import { type Log, supervise, Wake } from '../supervise.ts'

export interface EventSubscriber {
  marketplaces: readonly Marketplace[]
  ports: Omit<ApplyPorts, 'marketplace'>
  erp: HintPorts
  concurrency: number
  bus: EventBus
  clock: Clock
  log: Log
  /** The bus is only a wake-up; this sweep finds what it lost. Milliseconds. */
  sweepMs: number
  progress(what: string): void
}

/** Applies inbound events, one loop a marketplace account, so that a slow one holds up nobody else. */
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
    ])
  } finally {
    await subscription.close()
  }
}

async function applyLoop(subscriber: EventSubscriber, marketplace: Marketplace, wake: Wake, signal: AbortSignal): Promise<void> {
  const { clock, log } = subscriber
  const loop = { name: `apply ${marketplace.channel}`, clock, log, wake, everyMs: subscriber.sweepMs, signal }
  await supervise(loop, async () => {
    const claims = await subscriber.ports.inbox.claim(marketplace.channel, subscriber.concurrency, subscriber.ports.leaseMs)
    await Promise.all(claims.map((claim) => applyOne(subscriber, marketplace, claim)))
    return claims.length > 0 ? 'again' : 'idle'
  })
}

async function hintLoop(subscriber: EventSubscriber, wake: Wake, signal: AbortSignal): Promise<void> {
  const { clock, log } = subscriber
  await supervise({ name: 'apply odoo', clock, log, wake, everyMs: subscriber.sweepMs, signal }, async () => {
    const applied = await applyErpHints(subscriber.erp, signal)
    return applied > 0 ? 'again' : 'idle'
  })
}

// A throw here is a bug, not a failure of the marketplace: the lease runs out and the event is claimed again, in the end alone.
async function applyOne(subscriber: EventSubscriber, marketplace: Marketplace, claim: ClaimedEvent): Promise<void> {
  try {
    const outcome = await applyInboundEvent(claim, { ...subscriber.ports, marketplace }, new AbortController().signal)
    subscriber.progress(`event ${outcome}`)
  } catch (error) {
    subscriber.log.error({ channel: claim.channel, event: claim.eventId, err: error }, 'an inbound event failed without a settlement')
  }
}
