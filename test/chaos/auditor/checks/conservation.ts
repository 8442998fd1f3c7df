import { type Breach, breach } from '../breach.ts'
import { type SampleOf, samplesOf } from '../sample-file.ts'
import type { World } from '../world.ts'

const STATES = new Set(['pending', 'ambiguous', 'delivered', 'superseded', 'dead'])

/** I12: what was taken in is accounted for, in the tables now and in every snapshot that a sampler took. */
export function nothingVanishes(world: World): Breach[] {
  return [...versionsAddUp(world), ...requestsAddUp(world), ...ordersArePlanned(world), ...snapshotsAddUp(world)]
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

/** What was answered as taken in has its event; in which of its states that is, a constraint of the table sees to. */
function requestsAddUp({ hub }: World): Breach[] {
  return hub.request
    .filter((row) => (row.verdict === 'accepted' || row.verdict === 'conflict') && row.events === 0)
    .map((row) =>
      breach('I12', `inbound_request ${row.id}`, `its verdict is ${row.verdict}, and no inbound_event is of it`, {
        field: 'inbound_request',
        at: row.received_ms,
      }),
    )
}

/** An order read from the ERP is planned at every channel of its route, routed nowhere by a named rule, or owed nothing: it is never undecided. */
function ordersArePlanned({ hub, nameOf }: World): Breach[] {
  const bound = new Set(hub.binding.flatMap((row) => (row.kind === 'order' && row.planned > 0 ? [`${row.order_id} ${row.channel}`] : [])))
  return hub.silver
    .filter((row) => row.origin === 'odoo' && row.canonical.confirmed && row.canonical.lifecycle !== 'cancelled')
    .flatMap((row) => {
      const unplanned = row.route_channels?.filter((channel) => !bound.has(`${row.id} ${channel}`)) ?? ['nobody decided where']
      if (unplanned.length === 0) return []
      const message = `read from the ERP and confirmed, routed to ${unplanned.join(', ')}, and nothing is planned there`
      return [breach('I12', nameOf(row.id), message, { field: 'binding', orderId: row.id })]
    })
}

/** Each sum of a snapshot, by the table that lacks something where it does not come out. */
const ADD_UP = {
  inbound_request: ({ inbound: { accepted, accounted } }) => accepted === accounted,
  silver_order: ({ erp: { observed, ...became } }) => observed === sumOf(became),
  delivery: ({ deliveries: { planned, ...states } }) => planned === sumOf(states),
} satisfies Record<string, (sums: SampleOf<'sums'>) => boolean>

function snapshotsAddUp({ samples }: World): Breach[] {
  const snapshots = samplesOf(samples, 'sums')
  return Object.entries(ADD_UP).flatMap(([field, addsUp]) => {
    const first = snapshots.find((sums) => !addsUp(sums))
    if (!first) return []
    const { at, inbound, erp, deliveries } = first
    const sums = JSON.stringify({ inbound, erp, deliveries })
    return [breach('I12', `snapshot ${at}`, `does not add up: ${sums}`, { field, at: Date.parse(at) })]
  })
}

const sumOf = (counts: Record<string, number>): number => Object.values(counts).reduce((sum, one) => sum + one, 0)
