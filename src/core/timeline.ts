import { attemptSays } from './attempt-evidence.ts'
import { ODOO_CHANNEL } from './channel.ts'
import { REFETCH_TOPIC, SWEEP_TOPIC } from './inbound-event.ts'
import type { OrderFacts } from './order-facts.ts'
import { codeWord, plainLine } from './untrusted.ts'

export const TIMELINE_SOURCES = ['erp', 'inbound', 'silver', 'delivery', 'attempt', 'operator'] as const
export type TimelineSource = (typeof TIMELINE_SOURCES)[number]

/** One thing that happened to an order, in our own words. */
export interface TimelineEntry {
  at: string
  source: TimelineSource
  channel: string | null
  what: string
  /** Table and id of the row that says so. */
  ref: string
}

/** Everything that happened to an order, oldest first; at one instant the cause stands before its effect. */
export function timelineOf(facts: OrderFacts): TimelineEntry[] {
  const entries = [
    ...ofErp(facts),
    ...ofInbound(facts),
    ...ofSilver(facts),
    ...ofDeliveries(facts),
    ...ofAttempts(facts),
    ...ofOperators(facts),
  ]
  return entries.sort(
    (a, b) => compare(a.at, b.at) || TIMELINE_SOURCES.indexOf(a.source) - TIMELINE_SOURCES.indexOf(b.source) || compare(a.ref, b.ref),
  )
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

function ofErp(facts: OrderFacts): TimelineEntry[] {
  const seen = facts.observations.map((o): TimelineEntry => {
    const version = o.sourceVersion ? `, version ${o.sourceVersion}` : ''
    const what = `showed ${o.entity} ${codeWord(o.externalId)}${o.rawStatus ? ` as ${codeWord(o.rawStatus)}` : ''}${version}`
    return {
      at: o.observedAt,
      source: o.channel === ODOO_CHANNEL ? 'erp' : 'inbound',
      channel: o.channel,
      what,
      ref: `observation/${o.id}`,
    }
  })
  const held = facts.quarantine.map((q): TimelineEntry => {
    const what = `${codeWord(q.erpName)} quarantined: field ${codeWord(q.field)}, ${plainLine(q.problem, 160)}`
    return { at: q.foundAt, source: 'erp', channel: ODOO_CHANNEL, what, ref: `erp_quarantine/${q.id}` }
  })
  return [...seen, ...held]
}

function receivedSays({ topic, conflict }: OrderFacts['inbound'][number]): string {
  if (topic === REFETCH_TOPIC) return 'asked to fetch the order again'
  if (topic === SWEEP_TOPIC) return 'found by a sweep, not told of by a webhook'
  return `webhook ${codeWord(topic)} received${conflict ? ', in conflict with an earlier body' : ''}`
}

function ofInbound(facts: OrderFacts): TimelineEntry[] {
  const events = facts.inbound.flatMap((e): TimelineEntry[] => {
    const base = { source: 'inbound' as const, channel: e.channel, ref: `inbound_event/${e.id}` }
    const received = {
      ...base,
      at: e.receivedAt,
      what: receivedSays(e),
    }
    const end = [e.reason, e.cause].filter((w) => w !== null).join(', ')
    return e.endedAt === null ? [received] : [received, { ...base, at: e.endedAt, what: `event ${e.state}${end ? ` (${end})` : ''}` }]
  })
  const refusals = facts.refusals.map(
    (r): TimelineEntry => ({
      at: r.receivedAt,
      source: 'inbound',
      channel: r.channel,
      what: `webhook refused: ${r.verdict}`,
      ref: `inbound_request/${r.id}`,
    }),
  )
  return [...events, ...refusals]
}

function ofSilver(facts: OrderFacts): TimelineEntry[] {
  const changes = facts.changes.map(
    (c): TimelineEntry => ({
      at: c.at,
      source: 'silver',
      channel: null,
      what: `${plainLine(c.type, 60)}${c.displayStatus ? `: ${c.displayStatus}` : ''}`,
      ref: `order_event/${c.id}`,
    }),
  )
  const drifts = facts.drifts.map(
    (d): TimelineEntry => ({
      at: d.foundAt,
      source: 'silver',
      channel: d.channel,
      what: `drift ${codeWord(d.kind)} found${d.resolvedAt ? `, gone at ${d.resolvedAt}` : ''}`,
      ref: `drift/${d.id}`,
    }),
  )
  return [...changes, ...drifts]
}

function ofDeliveries(facts: OrderFacts): TimelineEntry[] {
  return facts.deliveries.flatMap((d): TimelineEntry[] => {
    const base = { source: 'delivery' as const, channel: d.channel, ref: `delivery/${d.id}` }
    const planned = { ...base, at: d.createdAt, what: `version ${d.version} planned (outbox-${d.id})` }
    const why = d.state === 'delivered' ? d.reason : d.cause
    const ended =
      d.endedAt === null
        ? []
        : [{ ...base, at: d.endedAt, what: `version ${d.version} ${d.state}${why ? ` (${plainLine(why, 60)})` : ''}` }]
    const archived = d.archivedAt === null ? [] : [{ ...base, at: d.archivedAt, what: `outbox-${d.id} archived` }]
    return [planned, ...ended, ...archived]
  })
}

function ofAttempts(facts: OrderFacts): TimelineEntry[] {
  return facts.attempts.map((a) => ({
    at: a.startedAt,
    source: 'attempt',
    channel: a.channel,
    what: attemptSays(a),
    ref: `attempt/${a.id}`,
  }))
}

function ofOperators(facts: OrderFacts): TimelineEntry[] {
  return facts.actions.map((a) => ({
    at: a.at,
    source: 'operator',
    channel: null,
    what: `${plainLine(a.actor, 60)} called ${plainLine(a.tool, 60)} on ${a.target}: ${a.result}`,
    ref: `audit/${a.operationId}`,
  }))
}
