import type { CauseCode } from './cause-code.ts'
import { ODOO_CHANNEL } from './channel.ts'
import { DELIVERING_APP, duration, erpCursors, isAlive, msBetween, type OrderFacts } from './order-facts.ts'

export interface RuledOut {
  cause: CauseCode
  because: string
}

/** What it is not, each with the fact that says so. Only what the facts prove; nothing is ruled out for want of a row. */
export function ruleOut(facts: OrderFacts, target: string | null): RuledOut[] {
  return [...ofChannels(facts, target), ...ofHub(facts), ...ofOrder(facts)].slice(0, 8)
}

function ofChannels(facts: OrderFacts, target: string | null): RuledOut[] {
  const channel = facts.channels.find((c) => c.id === target)
  if (!channel) return []
  const out: RuledOut[] = []
  if (channel.pausedAt === null) out.push({ cause: 'credentials-rejected', because: `${channel.id} is not paused` })
  if (channel.pausedAt === null && channel.circuitOpenedAt === null && channel.enabled)
    out.push({ cause: 'channel-paused', because: `the circuit of ${channel.id} is closed` })
  if (channel.limitedUntil === null || msBetween(facts.at, channel.limitedUntil) <= 0)
    out.push({ cause: 'rate-limited', because: `${channel.id} sets no limit now` })
  return out
}

function ofHub(facts: OrderFacts): RuledOut[] {
  const out: RuledOut[] = []
  const beat = facts.workers.find((w) => w.app === DELIVERING_APP)
  if (beat && isAlive(facts, DELIVERING_APP))
    out.push({ cause: 'worker-down', because: `a delivery worker beat ${duration(msBetween(beat.beatAt, facts.at))} ago` })
  const read = erpCursors(facts).find((c) => c.failedSince === null && c.movedAt !== null)
  if (read?.movedAt && erpCursors(facts).every((c) => c.failedSince === null))
    out.push({ cause: 'erp-unreachable', because: `the ERP was read at ${read.movedAt}` })
  return out
}

function ofOrder(facts: OrderFacts): RuledOut[] {
  const { order } = facts
  if (!order) return []
  const out: RuledOut[] = []
  if (order.origin === ODOO_CHANNEL && order.confirmed) out.push({ cause: 'erp-not-confirmed', because: 'the ERP order is confirmed' })
  if (order.origin === ODOO_CHANNEL && order.route && order.route.channels.length > 0)
    out.push({ cause: 'not-routed', because: `rule "${order.route.rule}" sends it to ${order.route.channels.join(', ')}` })
  if (facts.bindings.length > 0 && facts.bindings.every((b) => b.duplicates.length === 0))
    out.push({ cause: 'duplicated-at-target', because: 'no comparison found a second order' })
  if (facts.quarantine.every((q) => q.resolvedAt !== null))
    out.push({ cause: 'erp-order-invalid', because: 'no record of it is in quarantine' })
  return out
}
