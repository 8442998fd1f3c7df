import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { type Breach, breach } from './breach.ts'
import type { OrderCheck } from './check-erp-born.ts'
import { isUnheard, isShownBy, type Subject, subjectOf } from './incident-subject.ts'
import type { World } from './world.ts'

const Incident = z.object({
  reference: z.string(),
  system: z.string(),
  declared: z.object({ cause: z.string(), state: z.string(), channel: z.string().optional() }).loose(),
})
export type Incident = z.infer<typeof Incident>

export function readIncidents(path: string | null): Incident[] {
  return path === null ? [] : z.array(Incident.loose()).parse(JSON.parse(readFileSync(path, 'utf8')))
}

export interface IncidentResult {
  incident: Incident
  /** A person replayed it since, and nothing is wrong with its order any more. */
  repaired: boolean
  breach: Breach | null
}

/** Each declared incident against what ledgers and tables show of its order. */
export function checkIncident(incident: Incident, check: OrderCheck | undefined, world: World): IncidentResult {
  const { reference, declared } = incident
  const subject = subjectOf(reference, check, world)
  const facts = factsOf(subject, world)
  const holds = facts.some(
    (fact) =>
      fact.state === declared.state &&
      isAt(fact, declared.channel) &&
      (fact.cause === null ? isShownBy(declared.cause, subject, world) : fact.cause === declared.cause),
  )
  if (holds) return { incident, repaired: false, breach: null }
  if (isRepaired(subject)) return { incident, repaired: true, breach: null }
  const shown = facts.map((fact) => `${fact.state}/${fact.cause ?? '-'}${fact.channel ? `@${fact.channel}` : ''}`).join(', ') || 'nothing'
  const wanted = `${declared.state}/${declared.cause}${declared.channel ? `@${declared.channel}` : ''}`
  const message = `declared ${wanted}; ledgers and tables show ${shown}`
  return { incident, repaired: false, breach: breach('incident', reference, message, { field: 'state' }) }
}

function isRepaired({ check, deliveries, events }: Subject): boolean {
  return check?.inScope === true && check.breaches.length === 0 && [...deliveries, ...events].some((row) => row.replays > 0)
}

interface Fact {
  state: string
  /** Null: the row names none, so ledgers and tables must show it. */
  cause: string | null
  channel: string | null
}

function isAt(fact: Fact, channel: string | undefined): boolean {
  return channel === undefined || fact.channel === null || fact.channel === channel || fact.channel.split(':')[0] === channel
}

function factsOf(subject: Subject, world: World): Fact[] {
  const { silver, sale, deliveries, events, names } = subject
  const { hub } = world
  const facts: Fact[] = [
    ...deliveries.filter((row) => isNewest(row, hub)).flatMap((row) => deliveryFacts(row, world)),
    ...events.map((row) => ({ state: row.state, cause: row.state === 'applied' ? null : (row.cause ?? row.reason), channel: row.channel })),
    ...hub.quarantine
      .filter((row) => row.open && (names.has(row.erp_id) || names.has(row.erp_name.toUpperCase())))
      .map((row) => ({ state: 'quarantined', cause: row.cause, channel: 'odoo' })),
  ]
  const ids = sale?.orderIds ?? []
  if (hub.request.some((row) => ids.some((id) => row.refused_body?.includes(`"${id}"`))))
    facts.push({ state: 'refused', cause: 'webhook-refused', channel: null })
  if (sale && isUnheard(subject)) facts.push({ state: 'unheard', cause: null, channel: sale.channel })
  if (!hub.binding.some((row) => silver && row.order_id === silver.id)) facts.push({ state: 'not-planned', cause: null, channel: null })
  return facts
}

type Delivery = World['hub']['delivery'][number]

const isNewest = (row: Delivery, hub: World['hub']): boolean =>
  !hub.delivery.some((other) => other.binding_id === row.binding_id && other.version > row.version)

// What holds a whole channel back is the cause of everything that waits there.
function deliveryFacts(row: Delivery, { hub }: World): Fact[] {
  const own: Fact = { state: row.state, cause: row.cause, channel: row.channel }
  const gate = hub.channel.find((channel) => channel.id === row.channel)
  if (!gate || (row.state !== 'pending' && row.state !== 'ambiguous')) return [own]
  const held: Fact[] = []
  if (gate.paused) held.push({ ...own, cause: gate.pause_cause ?? 'channel-paused' })
  if (gate.circuit) held.push({ ...own, cause: 'channel-paused' })
  if (gate.limited) held.push({ ...own, cause: 'rate-limited' })
  return [own, ...held]
}
