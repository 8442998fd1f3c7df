import { attemptSays } from './attempt-evidence.ts'
import { ODOO_CHANNEL } from './channel.ts'
import { causeCodeOf, type Evidence, type Finding } from './finding.ts'
import { SWEEP_TOPIC } from './inbound-event.ts'
import { outboxIdOf } from './identifier.ts'
import { APPLYING_APP, type InboundFact, isAlive, msBetween, type OrderFacts } from './order-facts.ts'
import { plainLine } from './untrusted.ts'

/** What stands on the inbound side: events not applied, events given up on, webhooks that were refused or never came. */
export function diagnoseInbound(facts: OrderFacts): Finding[] {
  // A conflict stays one whatever was fetched since: the sender said two things under one name.
  const open = facts.inbound.filter((e) => e.state === 'pending' || e.conflict || isOpenDead(e))
  const told = open.map((e) => ({ event: e, finding: diagnoseEvent(facts, e) })).filter((one) => !isRoutine(facts, one))
  return [...told.map(({ finding }) => finding), ...refused(facts), ...neverArrived(facts)]
}

// The hub looks at orders that it holds again and again: that it is about to says nothing of the order.
function isRoutine({ order }: OrderFacts, { event, finding }: { event: InboundFact; finding: Finding }): boolean {
  return order !== null && isSwept(event) && finding.cause === 'inbound-waiting'
}

/** The finding of one inbound event, whatever became of it. */
export function diagnoseEvent(facts: OrderFacts, event: InboundFact): Finding {
  const base = { certainty: 'certain' as const, target: event.channel, deadLetter: null }
  const evidence: Evidence[] = [{ table: 'inbound_event', id: event.id, says: saysOf(event) }, ...lastFetch(facts, event.id)]
  if (event.state === 'dead') return deadEvent(event, evidence)
  if (event.conflict && event.state !== 'pending') return conflictingEvent(event, evidence)
  if (event.state === 'ignored') return ignoredEvent(event, evidence)
  if (event.state === 'applied')
    return { ...base, cause: 'delivered', sentence: `The event was applied at ${event.endedAt ?? 'an unknown time'}.`, evidence }
  return event.conflict ? conflictingEvent(event, evidence) : pendingEvent(facts, event, evidence)
}

function conflictingEvent(event: InboundFact, evidence: Evidence[]): Finding {
  return {
    cause: 'webhook-conflict',
    certainty: 'certain',
    target: event.channel,
    deadLetter: null,
    sentence: `${event.channel} sent the same event id with another body at ${event.receivedAt}.`,
    evidence,
  }
}

function pendingEvent(facts: OrderFacts, event: InboundFact, evidence: Evidence[]): Finding {
  const base = { certainty: 'certain' as const, target: event.channel, deadLetter: null }
  const channel = facts.channels.find((c) => c.id === event.channel)
  if (channel?.pauseCause === 'credentials-rejected' && channel.pausedAt !== null) {
    const says: Evidence = { table: 'channel', id: channel.id, says: `paused ${channel.pausedAt}: credentials-rejected` }
    return {
      ...base,
      cause: 'credentials-rejected',
      sentence: `The event waits: ${channel.id} refuses our credentials since ${channel.pausedAt}.`,
      evidence: [...evidence, says],
    }
  }
  const due = msBetween(event.dueAt, facts.at) >= 0
  if (due && !isAlive(facts, APPLYING_APP)) {
    const says: Evidence = { table: 'worker_heartbeat', id: APPLYING_APP, says: 'no live beat' }
    return {
      ...base,
      cause: 'worker-down',
      sentence: `An event is due since ${event.dueAt} and no subscriber is alive.`,
      evidence: [...evidence, says],
    }
  }
  if (event.tries > 0 || event.cause !== null) {
    const why = plainLine(event.summary, 160) || event.cause || 'no reason recorded'
    return {
      ...base,
      cause: 'inbound-failing',
      sentence: `Received at ${event.receivedAt}; try ${event.tries} of ${event.maxTries} failed (${why}), the next is due at ${event.dueAt}.`,
      evidence,
    }
  }
  return {
    ...base,
    cause: 'inbound-waiting',
    sentence: `${cameBy(event)} ${event.channel} at ${event.receivedAt} and not applied yet.`,
    evidence,
  }
}

function deadEvent(event: InboundFact, evidence: Evidence[]): Finding {
  const cause = causeCodeOf(event.cause, 'inbound-dead')
  const why = plainLine(event.summary, 160)
  const answered = event.resolvedBy === null ? '' : ` A later event (inbound-${event.resolvedBy}) answered it.`
  return {
    cause,
    certainty: 'certain',
    target: event.channel,
    deadLetter: outboxIdOf('inbound_event', event.id),
    sentence: `${cameBy(event)} ${event.channel} at ${event.receivedAt} and given up on after ${event.tries} tries${why ? `: ${why}` : ''}.${answered}`,
    evidence,
  }
}

function ignoredEvent(event: InboundFact, evidence: Evidence[]): Finding {
  return {
    cause: 'stale-event',
    certainty: event.reason === 'stale-event' ? 'certain' : 'likely',
    target: event.channel,
    deadLetter: null,
    sentence: `Received at ${event.receivedAt} and ignored on purpose (${event.reason ?? 'no reason recorded'}): the hub holds the same or newer.`,
    evidence,
  }
}

function refused(facts: OrderFacts): Finding[] {
  return facts.refusals.slice(0, 1).map((r) => ({
    cause: 'webhook-refused',
    certainty: 'likely',
    target: r.channel,
    deadLetter: null,
    sentence: `A webhook that names this order was refused at ${r.receivedAt}: ${r.verdict}.`,
    evidence: facts.refusals
      .slice(0, 5)
      .map((x) => ({ table: 'inbound_request' as const, id: x.id, says: `${x.verdict} at ${x.receivedAt}` })),
  }))
}

const LATE_MS = 120_000

// A sweep showed a state for which no event ever came, although the marketplace had time to send one.
function neverArrived(facts: OrderFacts): Finding[] {
  const swept = facts.observations.find((o) => o.channel !== ODOO_CHANNEL && o.entity === 'order')
  if (!swept || swept.sourceVersion === null || facts.order?.origin !== swept.channel) return []
  const [ofSweeps, told] = [facts.inbound.filter(isSwept), facts.inbound.filter((e) => !isSwept(e))]
  if (swept.inboundId !== null && !ofSweeps.some(({ id }) => id === swept.inboundId)) return []
  const version = swept.sourceVersion
  const heard = told.some((e) => e.channel === swept.channel && msBetween(version, e.receivedAt) > -LATE_MS)
  if (heard || msBetween(version, swept.observedAt) < LATE_MS) return []
  return [
    {
      cause: 'webhook-never-arrived',
      certainty: 'likely',
      target: swept.channel,
      deadLetter: null,
      sentence: `${swept.channel} changed the order at ${version} and no webhook told of it; a sweep found it at ${swept.observedAt}.`,
      evidence: [{ table: 'observation', id: swept.id, says: `source version ${version}, fetched without a webhook` }],
    },
  ]
}

const isSwept = ({ topic }: InboundFact): boolean => topic === SWEEP_TOPIC
const cameBy = (event: InboundFact): string => (isSwept(event) ? 'Found by a sweep of' : 'Received from')

function isOpenDead(e: InboundFact): boolean {
  return e.state === 'dead' && e.resolvedBy === null
}

function lastFetch(facts: OrderFacts, inboundId: string): Evidence[] {
  const last = facts.attempts.find((a) => a.inboundId === inboundId)
  return last ? [{ table: 'attempt', id: last.id, says: attemptSays(last) }] : []
}

function saysOf(e: InboundFact): string {
  return `${e.topic} ${e.state}${e.reason ? ` (${e.reason})` : ''}${e.conflict ? ', conflict' : ''}, received ${e.receivedAt}, tries ${e.tries}`
}
