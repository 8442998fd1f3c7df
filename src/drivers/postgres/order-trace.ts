import type { OrderFacts } from '../../core/order-facts.ts'
import type { Focus, OrderTrace, Unapplied } from '../../ports/order-trace.ts'
import { resolve } from './order-resolve.ts'
import type { Pool } from './pool.ts'
import { readChannels, readClock, readCursors, readWorkers } from './trace-hub.ts'
import {
  attemptsOfEvents,
  attemptsOfOrder,
  readActions,
  readBindings,
  readDeliveries,
  readDrifts,
  readQuarantine,
} from './trace-order-rows.ts'
import { eventsById, eventsOfOrder, readChanges, readObservations, readRefusals, readSilver } from './trace-silver-rows.ts'

/** The trace over PostgreSQL. Its statements run side by side on the pool, each an index look-up with a bound. */
export function postgresOrderTrace(pool: Pool): OrderTrace {
  return {
    resolve: (typed) => resolve(pool, typed),
    facts: (orderId, typed, focus) => facts(pool, orderId, typed, focus),
    factsOfUnapplied: (unapplied, typed, focus) => factsOfUnapplied(pool, unapplied, typed, focus),
  }
}

async function facts(pool: Pool, orderId: string, typed: string, focus: Focus | null): Promise<OrderFacts | null> {
  const [order, bindings, deliveries, sends, inbound, observations, changes, quarantine, drifts, actions, refusals, hub] =
    await Promise.all([
      readSilver(pool, orderId),
      readBindings(pool, orderId),
      readDeliveries(pool, orderId, focus?.table === 'delivery' ? focus.id : null),
      attemptsOfOrder(pool, orderId),
      eventsOfOrder(pool, orderId, focus?.table === 'inbound_event' ? focus.id : null),
      readObservations(pool, orderId),
      readChanges(pool, orderId),
      readQuarantine(pool, orderId),
      readDrifts(pool, orderId),
      readActions(pool, orderId),
      readRefusals(pool, orderId),
      hubFacts(pool),
    ])
  if (!order) return null
  const fetches =
    inbound.length > 0
      ? await attemptsOfEvents(
          pool,
          inbound.map((e) => e.id),
        )
      : []
  return {
    ...hub,
    typed,
    order,
    focus,
    bindings,
    deliveries,
    attempts: [...sends, ...fetches].sort((a, b) => Number(BigInt(b.id) - BigInt(a.id))),
    inbound,
    observations,
    changes,
    refusals,
    quarantine,
    drifts,
    actions,
    erp: null,
    nearest: [],
  }
}

async function factsOfUnapplied(
  pool: Pool,
  { quarantineIds, inboundIds }: Unapplied,
  typed: string,
  focus: Focus | null,
): Promise<OrderFacts> {
  const [inbound, quarantine, attempts, hub] = await Promise.all([
    eventsById(pool, inboundIds),
    readQuarantine(pool, null, quarantineIds),
    attemptsOfEvents(pool, inboundIds),
    hubFacts(pool),
  ])
  const none = {
    order: null,
    bindings: [],
    deliveries: [],
    observations: [],
    changes: [],
    refusals: [],
    drifts: [],
    actions: [],
    erp: null,
    nearest: [],
  }
  return { ...hub, ...none, typed, focus, inbound, quarantine, attempts }
}

async function hubFacts(pool: Pool): Promise<Pick<OrderFacts, 'at' | 'channels' | 'workers' | 'cursors'>> {
  const [at, channels, workers, cursors] = await Promise.all([readClock(pool), readChannels(pool), readWorkers(pool), readCursors(pool)])
  return { at, channels, workers, cursors }
}
