import { lastAttempt } from './attempt-evidence.ts'
import { ODOO_CHANNEL } from './channel.ts'
import { ambiguousFinding, holdReason, isKeptUnconfirmed, pendingFinding } from './diagnose-waiting.ts'
import { causeCodeOf, type Evidence, type Finding } from './finding.ts'
import { outboxIdOf } from './identifier.ts'
import type { BindingFact, ChannelFact, DeliveryFact, OrderFacts, SilverFact } from './order-facts.ts'
import { isPaid } from './order.ts'
import { codeWord, plainLine } from './untrusted.ts'

/** What stands at each target of a silver order, its origin included where that is told something: one finding a channel, and one more where its binding shows trouble. */
export function diagnoseTargets(facts: OrderFacts, order: SilverFact): Finding[] {
  // Where the order was born comes last: what is told back to it leads only where that went wrong.
  const channels = [...facts.channels].sort((a, b) => Number(a.id === order.origin) - Number(b.id === order.origin))
  return channels.flatMap((channel) => {
    const binding = facts.bindings.find((b) => b.channel === channel.id)
    const trouble = binding ? bindingTrouble(binding) : []
    const main = mainFinding(facts, order, channel, binding)
    return [...trouble, ...(main ? [main] : [])]
  })
}

/** The finding of one delivery, whatever became of it. */
export function diagnoseDelivery(facts: OrderFacts, delivery: DeliveryFact): Finding {
  const base = { target: delivery.channel, deadLetter: null, certainty: 'certain' as const }
  const row = (says: string): Evidence[] => [{ table: 'delivery', id: delivery.id, says }]
  switch (delivery.state) {
    case 'delivered':
      return deliveredFinding(facts, delivery)
    case 'superseded':
      return {
        ...base,
        cause: 'superseded',
        sentence: `Version ${delivery.version} for ${delivery.channel} gave way to a newer one at ${delivery.endedAt ?? 'an unknown time'}.`,
        evidence: row(`state superseded, version ${delivery.version}`),
      }
    case 'dead':
      return deadFinding(facts, delivery)
    case 'ambiguous':
      return ambiguousFinding(facts, delivery)
    case 'pending':
      return behindAmbiguous(facts, delivery) ?? pendingFinding(facts, delivery)
  }
}

// Only an unsettled version blocks, and then nothing of the one that waits is claimable: its story is the older one's.
function behindAmbiguous(facts: OrderFacts, waiting: DeliveryFact): Finding | null {
  const older = facts.deliveries.find((d) => d.bindingId === waiting.bindingId && d.state === 'ambiguous')
  if (!older) return null
  const finding = ambiguousFinding(facts, older)
  return {
    ...finding,
    sentence: `${finding.sentence} Version ${waiting.version} waits behind version ${older.version}.`,
    evidence: [...finding.evidence, { table: 'delivery', id: waiting.id, says: `pending, version ${waiting.version}` }],
  }
}

function mainFinding(facts: OrderFacts, order: SilverFact, channel: ChannelFact, binding: BindingFact | undefined): Finding | null {
  const ofChannel = facts.deliveries.filter((d) => d.channel === channel.id).sort((a, b) => b.version - a.version)
  const newest = ofChannel.find((d) => d.state !== 'superseded') ?? ofChannel[0]
  if (newest) return diagnoseDelivery(facts, newest)
  if (channel.id === order.origin) return null
  return order.origin === ODOO_CHANNEL ? owedByErpOrder(order, channel) : owedByMarketplaceOrder(order, channel, binding)
}

function owedByErpOrder(order: SilverFact, channel: ChannelFact): Finding | null {
  const silver = (says: string): Evidence[] => [{ table: 'silver_order', id: order.id, says }]
  const base = { certainty: 'certain' as const, target: channel.id, deadLetter: null }
  if (!order.confirmed || order.lifecycle === 'cancelled') {
    const state = order.lifecycle === 'cancelled' ? 'cancelled' : 'not confirmed'
    return {
      ...base,
      cause: 'erp-not-confirmed',
      sentence: `The ERP order is ${state}, so nothing is owed to ${channel.id}.`,
      evidence: silver(`${state} in the ERP`),
    }
  }
  const skipped = order.route?.skipped.find((s) => s.channel === channel.id)
  if (skipped) {
    const why = {
      rule: 'does not name it',
      'channel-disabled': 'meets a disabled channel',
      'target-cannot-create-orders': 'meets a channel that takes no orders',
    }
    const sentence = `Routing rule "${plainLine(order.route?.rule, 80)}" ${why[skipped.reason]}: nothing is owed to ${channel.id}.`
    return {
      ...base,
      cause: 'not-routed',
      sentence,
      evidence: silver(`route: rule ${plainLine(order.route?.rule, 80)}, ${channel.id} skipped (${skipped.reason})`),
    }
  }
  if (!order.route?.channels.includes(channel.id)) return null
  return {
    ...base,
    cause: 'drift',
    certainty: 'likely',
    sentence: `The order is owed to ${channel.id} by rule "${plainLine(order.route.rule, 80)}" and no delivery was planned.`,
    evidence: silver('routed, no delivery'),
  }
}

function owedByMarketplaceOrder(order: SilverFact, channel: ChannelFact, binding: BindingFact | undefined): Finding | null {
  if (channel.id !== ODOO_CHANNEL || binding || !channel.enabled) return null
  const evidence: Evidence[] = [{ table: 'silver_order', id: order.id, says: `payment ${order.payment}` }]
  if (!isPaid(order))
    return {
      cause: 'on-hold',
      certainty: 'certain',
      target: channel.id,
      deadLetter: null,
      evidence,
      sentence: `The order is ${wasPaid(order) ? `${order.payment}: its payment went back` : 'not paid yet'}, so the ERP is not told of it.`,
    }
  return {
    cause: 'drift',
    certainty: 'likely',
    target: channel.id,
    deadLetter: null,
    evidence,
    sentence: 'The order is owed to the ERP and no delivery was planned.',
  }
}

const wasPaid = ({ payment }: SilverFact): boolean => payment === 'refunded' || payment === 'charged_back'

function bindingTrouble(binding: BindingFact): Finding[] {
  const base = { certainty: 'certain' as const, target: binding.channel, deadLetter: null }
  const row = (says: string): Evidence[] => [{ table: 'binding', id: binding.id, says }]
  const found: Finding[] = []
  if (binding.duplicates.length > 0) {
    const ids = binding.duplicates
      .slice(0, 5)
      .map((d) => codeWord(d))
      .join(', ')
    found.push({
      ...base,
      cause: 'duplicated-at-target',
      sentence: `${binding.channel} shows more than one order for ${binding.reference}: ${ids}.`,
      evidence: row(`duplicates ${ids}`),
    })
  }
  if (binding.missingSince !== null) {
    found.push({
      ...base,
      cause: 'delivered-then-missing',
      sentence: `It was delivered to ${binding.channel} as ${codeWord(binding.externalId) || 'an unknown id'} and is absent there since ${binding.missingSince}.`,
      evidence: row(`missing since ${binding.missingSince}`),
    })
  }
  return found
}

function deliveredFinding(facts: OrderFacts, d: DeliveryFact): Finding {
  const binding = facts.bindings.find((b) => b.id === d.bindingId)
  const id = codeWord(binding?.externalId)
  const held = isKeptUnconfirmed(facts, d)
  return {
    cause: held ? 'on-hold' : 'delivered',
    certainty: 'certain',
    target: d.channel,
    deadLetter: null,
    sentence: held
      ? `${d.channel} holds it since ${d.endedAt ?? d.createdAt}${id ? ` as ${id}` : ''}, unconfirmed on purpose${holdReason(facts)}.`
      : `${d.channel} shows version ${d.version} since ${d.endedAt ?? d.createdAt}${id ? `, as ${id}` : ''}.`,
    evidence: [
      { table: 'delivery', id: d.id, says: `delivered ${d.endedAt ?? ''} (${d.reason ?? 'sent'})` },
      ...(binding ? [{ table: 'binding' as const, id: binding.id, says: `reference ${binding.reference}${id ? `, id ${id}` : ''}` }] : []),
    ],
  }
}

function deadFinding(facts: OrderFacts, d: DeliveryFact): Finding {
  const cause = causeCodeOf(d.cause, d.channel === ODOO_CHANNEL ? 'erp-write-failing' : 'rejected-by-target')
  const why = plainLine(d.summary, 160)
  const archived = d.archivedAt === null ? '' : ` It was archived at ${d.archivedAt}.`
  return {
    cause,
    certainty: 'certain',
    target: d.channel,
    deadLetter: outboxIdOf('delivery', d.id),
    sentence: `Given up on at ${d.endedAt ?? 'an unknown time'} for ${d.channel} after ${d.tries} of ${d.maxTries} sends${why ? `: ${why}` : ''}.${archived}`,
    evidence: [
      { table: 'delivery', id: d.id, says: `dead, cause ${cause}, reason ${d.reason ?? 'none'}, tries ${d.tries}` },
      ...lastAttempt(facts, d.id),
    ],
  }
}
