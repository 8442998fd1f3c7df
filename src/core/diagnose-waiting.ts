import { lastAttempt } from './attempt-evidence.ts'
import { ODOO_CHANNEL } from './channel.ts'
import type { Evidence, Finding } from './finding.ts'
import { type DeliveryFact, DELIVERING_APP, duration, isAlive, msBetween, type OrderFacts } from './order-facts.ts'
import { isPaid } from './order.ts'
import { plainLine } from './untrusted.ts'

/** A delivery whose send is under way or whose answer was lost. */
export function ambiguousFinding(facts: OrderFacts, d: DeliveryFact): Finding {
  const base = { certainty: 'certain' as const, target: d.channel, deadLetter: null }
  const evidence: Evidence[] = [
    { table: 'delivery', id: d.id, says: `ambiguous, due ${d.dueAt}, lease until ${d.leaseUntil ?? 'none'}` },
    ...lastAttempt(facts, d.id),
  ]
  if (d.cause === 'poison')
    return {
      ...base,
      cause: 'poison',
      sentence: 'Its worker ended again and again with it alone in hand; an unknown send stands, so it is kept as it is.',
      evidence,
    }
  const blocked = blockage(facts, d, evidence)
  if (inForce(facts, d))
    return isShut(blocked) ? blocked : { ...base, cause: 'queued', sentence: `It is being sent to ${d.channel} right now.`, evidence }
  // What a person must do first, or no look-up is ever made.
  if (blocked && (blocked.cause === 'worker-down' || blocked.cause === 'credentials-rejected')) return blocked
  return {
    ...base,
    cause: 'ambiguous-outcome',
    sentence: `It was sent to ${d.channel} and the answer was lost; a look-up settles it after ${d.dueAt}.${blocked ? ` ${blocked.sentence}` : ''}`,
    evidence: blocked?.evidence ?? evidence,
  }
}

/** A delivery that waits: for its turn, its time, its channel or a worker. */
export function pendingFinding(facts: OrderFacts, d: DeliveryFact): Finding {
  const base = { certainty: 'certain' as const, target: d.channel, deadLetter: null }
  const evidence: Evidence[] = [
    { table: 'delivery', id: d.id, says: `pending, due ${d.dueAt}, tries ${d.tries}, cause ${d.cause ?? 'none'}` },
    ...lastAttempt(facts, d.id),
  ]
  if (d.cause === 'poison')
    return { ...base, cause: 'poison', sentence: 'Its worker ended again and again with it alone in hand.', evidence }
  const blocked = blockage(facts, d, evidence)
  if (inForce(facts, d) && !isShut(blocked))
    return { ...base, cause: 'queued', sentence: `A worker has it in hand for ${d.channel} right now.`, evidence }
  if (blocked) return blocked
  if (msBetween(facts.at, d.dueAt) > 0) return waitingFinding(d, evidence)
  if (isKeptUnconfirmed(facts, d))
    return { ...base, cause: 'on-hold', sentence: `It goes to ${d.channel} unconfirmed on purpose${holdReason(facts)}.`, evidence }
  return { ...base, cause: 'queued', sentence: `Due since ${duration(msBetween(d.dueAt, facts.at))}${backlog(facts, d)}.`, evidence }
}

function waitingFinding(d: DeliveryFact, evidence: Evidence[]): Finding {
  const base = { certainty: 'certain' as const, target: d.channel, deadLetter: null, evidence }
  if (d.cause === 'rate-limited')
    return { ...base, cause: 'rate-limited', sentence: `${d.channel} asked to slow down; next attempt at ${d.dueAt}.` }
  const why = plainLine(d.summary, 160)
  if (d.tries === 0 && d.cause !== 'backing-off') return { ...base, cause: 'queued', sentence: `Due at ${d.dueAt} for ${d.channel}.` }
  return {
    ...base,
    cause: 'backing-off',
    sentence: `Attempt ${d.tries} for ${d.channel} failed${why ? ` (${why})` : ''}; the next one is due at ${d.dueAt}.`,
  }
}

/** In hand although its channel is shut, a delivery only tests the channel: what keeps it is still the channel. */
function isShut(blocked: Finding | null): blocked is Finding {
  return blocked?.cause === 'channel-paused' || blocked?.cause === 'credentials-rejected'
}

/** What stops every delivery of the channel, whatever this one's own state. */
function blockage(facts: OrderFacts, d: DeliveryFact, evidence: Evidence[]): Finding | null {
  const channel = facts.channels.find((c) => c.id === d.channel)
  if (!channel) return null
  const base = { certainty: 'certain' as const, target: d.channel, deadLetter: null }
  const gate = (says: string): Evidence[] => [...evidence, { table: 'channel', id: channel.id, says }]
  if (channel.pausedAt !== null && channel.pauseCause === 'credentials-rejected')
    return {
      ...base,
      cause: 'credentials-rejected',
      sentence: `${d.channel} refuses our credentials since ${channel.pausedAt}.`,
      evidence: gate(`paused ${channel.pausedAt}: credentials-rejected`),
    }
  if (channel.pausedAt !== null)
    return {
      ...base,
      cause: 'channel-paused',
      sentence: `${d.channel} is paused since ${channel.pausedAt}.`,
      evidence: gate(`paused ${channel.pausedAt}`),
    }
  if (!channel.enabled)
    return { ...base, cause: 'channel-paused', sentence: `${d.channel} is disabled in the configuration.`, evidence: gate('disabled') }
  if (channel.limitedUntil !== null && msBetween(facts.at, channel.limitedUntil) > 0)
    return {
      ...base,
      cause: 'rate-limited',
      sentence: `${d.channel} asked to slow down until ${channel.limitedUntil}.`,
      evidence: gate(`limited until ${channel.limitedUntil}`),
    }
  if (channel.circuitOpenedAt !== null)
    return {
      ...base,
      cause: 'channel-paused',
      sentence: `${d.channel} fails since ${channel.circuitOpenedAt}; its next test is due at ${channel.probeAt ?? 'once'}.`,
      evidence: gate(`circuit open since ${channel.circuitOpenedAt}`),
    }
  if (msBetween(d.dueAt, facts.at) < 0 || isAlive(facts, DELIVERING_APP)) return null
  const last = facts.workers.find((w) => w.app === DELIVERING_APP)
  const seen = last ? `the last one beat at ${last.beatAt}` : 'none ever beat'
  return {
    ...base,
    cause: 'worker-down',
    sentence: `It is due since ${d.dueAt} and no delivery worker is alive: ${seen}.`,
    evidence: [...evidence, { table: 'worker_heartbeat', id: DELIVERING_APP, says: seen }],
  }
}

function inForce(facts: OrderFacts, d: DeliveryFact): boolean {
  return d.leaseUntil !== null && msBetween(facts.at, d.leaseUntil) > 0
}

function backlog(facts: OrderFacts, d: DeliveryFact): string {
  if (d.ahead === null) return ''
  const perMinute = (facts.channels.find((c) => c.id === d.channel)?.recentlyDelivered ?? 0) / 10
  const estimate = perMinute > 0 ? `, about ${duration(((d.ahead + 1) / perMinute) * 60_000)} at the present pace` : ''
  return `; ${d.ahead >= 1_000 ? 'at least 1000' : d.ahead} of ${d.channel} are ahead${estimate}`
}

/** Whether Odoo shows the order unconfirmed because the hub wants it so: what was confirmed there once stays confirmed. */
export function isKeptUnconfirmed(facts: OrderFacts, d: DeliveryFact): boolean {
  const wasConfirmed = facts.deliveries.some((o) => o.bindingId === d.bindingId && o.state === 'delivered' && o.confirm)
  return d.channel === ODOO_CHANNEL && !d.confirm && !wasConfirmed
}

/** Why a person or a rule keeps the order from going on, in words. */
export function holdReason(facts: OrderFacts): string {
  if (facts.order?.flags.includes('hold_fraud')) return ': fraud alert'
  if (facts.order?.flags.includes('mediation')) return ': open mediation'
  return facts.order && !isPaid(facts.order) ? `: payment ${facts.order.payment}` : ': grace period'
}
