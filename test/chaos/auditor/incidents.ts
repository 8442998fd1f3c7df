import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { type Breach, breach } from './breach.ts'
import type { OrderCheck } from './check-erp-born.ts'
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
  breach: Breach | null
}

/** Each declared incident against what the tables show of its order. */
export function checkIncident(incident: Incident, check: OrderCheck | undefined, world: World): IncidentResult {
  const { reference, declared } = incident
  const facts = factsOf(reference, check, world)
  const holds = facts.some(
    (fact) =>
      fact.state === declared.state &&
      (fact.cause === null || fact.cause === declared.cause) &&
      (declared.channel === undefined ||
        fact.channel === null ||
        fact.channel === declared.channel ||
        fact.channel.split(':')[0] === declared.channel),
  )
  if (holds) return { incident, breach: null }
  const shown = facts.map((fact) => `${fact.state}/${fact.cause ?? '-'}${fact.channel ? `@${fact.channel}` : ''}`).join(', ') || 'nothing'
  const wanted = `${declared.state}/${declared.cause}${declared.channel ? `@${declared.channel}` : ''}`
  return { incident, breach: breach('incident', reference, `declared ${wanted}; the tables show ${shown}`, { field: 'state' }) }
}

interface Fact {
  state: string
  /** Null: this state has one cause only. */
  cause: string | null
  channel: string | null
}

function factsOf(reference: string, check: OrderCheck | undefined, world: World): Fact[] {
  const { hub } = world
  const silver = check && world.silverOf(check.origin, check.key)
  const names = new Set([reference.toUpperCase(), ...(check?.names ?? [])])
  const facts: Fact[] = [
    ...hub.delivery
      .filter((row) => row.order_id !== null && row.order_id === silver?.id && isNewest(row, hub))
      .flatMap((row) => deliveryFacts(row, world)),
    ...hub.event
      .filter(
        (row) =>
          (row.order_id !== null && row.order_id === silver?.id) ||
          names.has((row.order_key ?? '').toUpperCase()) ||
          names.has(row.resource.split('/').at(-1)?.toUpperCase() ?? ''),
      )
      .map((row) => ({ state: row.state, cause: row.cause ?? row.reason, channel: row.channel })),
    ...hub.quarantine
      .filter((row) => row.open && (names.has(row.erp_id) || names.has(row.erp_name.toUpperCase())))
      .map((row) => ({ state: 'quarantined', cause: row.cause, channel: 'odoo' })),
    ...hub.drift.filter((row) => row.order_id === silver?.id).map((row) => ({ state: 'drift', cause: row.cause, channel: row.channel })),
    ...hub.request
      .filter((row) => ['bad-signature', 'stale-timestamp', 'malformed'].includes(row.verdict))
      .map(() => ({ state: 'refused', cause: 'webhook-refused', channel: null })),
  ]
  if (!silver) facts.push({ state: 'absent', cause: null, channel: null })
  else if (!hub.binding.some((row) => row.order_id === silver.id)) facts.push({ state: 'not-sent', cause: null, channel: null })
  if (facts.some((fact) => fact.state === 'dead') && facts.every((fact) => fact.state !== 'pending'))
    facts.push({ state: 'dead-letter', cause: null, channel: null })
  return facts
}

type Delivery = World['hub']['delivery'][number]

const isNewest = (row: Delivery, hub: World['hub']): boolean =>
  !hub.delivery.some((other) => other.binding_id === row.binding_id && other.version > row.version)

// What holds a whole channel back is the cause of everything that waits there.
function deliveryFacts(row: Delivery, { hub }: World): Fact[] {
  const own: Fact = { state: row.state, cause: row.cause ?? row.state, channel: row.channel }
  const gate = hub.channel.find((channel) => channel.id === row.channel)
  if (!gate || (row.state !== 'pending' && row.state !== 'ambiguous')) return [own]
  const held: Fact[] = []
  if (gate.paused) held.push({ ...own, cause: gate.pause_cause ?? 'channel-paused' })
  if (gate.circuit) held.push({ ...own, cause: 'channel-paused' })
  if (gate.limited) held.push({ ...own, cause: 'rate-limited' })
  return [own, ...held]
}
