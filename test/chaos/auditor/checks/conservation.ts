import { type Breach, breach } from '../breach.ts'
import { samplesOf } from '../sample-file.ts'
import type { World } from '../world.ts'

const STATES = new Set(['pending', 'ambiguous', 'delivered', 'superseded', 'dead'])

/** I12: what was taken in is accounted for, in the tables now and in every snapshot that a sampler took. */
export function nothingVanishes(world: World): Breach[] {
  return [...versionsAddUp(world), ...eventsAddUp(world), ...ordersArePlanned(world), ...snapshotsAddUp(world)]
}

function versionsAddUp({ hub }: World): Breach[] {
  return [
    ...hub.binding
      .filter((row) => row.planned !== row.deliveries)
      .map((row) =>
        breach(
          'I12',
          row.reference,
          `binding ${row.id} at ${row.channel} planned ${row.planned} versions and has ${row.deliveries} deliveries`,
          { field: 'delivery', orderId: row.order_id },
        ),
      ),
    ...hub.delivery
      .filter((row) => !STATES.has(row.state))
      .map((row) => breach('I12', `delivery ${row.id}`, `state ${row.state}`, { field: 'delivery.state', orderId: row.order_id })),
  ]
}

function eventsAddUp({ hub }: World): Breach[] {
  const known = new Set(['applied', 'ignored', 'pending', 'dead'])
  return hub.event
    .filter((row) => !known.has(row.state))
    .map((row) => breach('I12', row.order_key ?? row.resource, `inbound_event ${row.id} is ${row.state}`, { field: 'inbound_event.state' }))
}

/** An order read from the ERP is planned for a target, routed nowhere by a named rule, or owed nothing: it is never undecided. */
function ordersArePlanned({ hub, nameOf }: World): Breach[] {
  const bound = new Set(hub.binding.flatMap((row) => row.order_id ?? []))
  return hub.silver
    .filter((row) => row.origin === 'odoo' && !bound.has(row.id) && row.canonical.confirmed && row.canonical.lifecycle !== 'cancelled')
    .filter((row) => row.route_channels === null || row.route_channels.length > 0)
    .map((row) => {
      const routed = row.route_channels?.join(', ') ?? 'nobody decided where'
      return breach('I12', nameOf(row.id), `read from the ERP and confirmed, routed to ${routed}, and nothing is planned`, {
        field: 'binding',
        orderId: row.id,
      })
    })
}

function snapshotsAddUp({ samples }: World): Breach[] {
  const sums = samplesOf(samples, 'sums')
  const inbound = sums.find(({ inbound: { total, ...states } }) => total !== sumOf(states))
  const deliveries = sums.find(({ deliveries: { planned, ...states } }) => planned !== sumOf(states))
  return [
    ...(inbound
      ? [breach('I12', `snapshot ${inbound.at}`, `inbound events: ${JSON.stringify(inbound.inbound)}`, { field: 'inbound_event' })]
      : []),
    ...(deliveries
      ? [breach('I12', `snapshot ${deliveries.at}`, `deliveries: ${JSON.stringify(deliveries.deliveries)}`, { field: 'delivery' })]
      : []),
  ]
}

const sumOf = (states: Record<string, number>): number => Object.values(states).reduce((sum, one) => sum + one, 0)
