import type { AttemptFact, InboundFact, OrderFacts } from '../../core/order-facts.ts'
import type { Focus, OrderTrace, Unapplied } from '../../ports/order-trace.ts'
import { resolve } from './order-resolve.ts'
import type { Pool } from './pool.ts'
import { actionsOn, readActions } from './trace-actions.ts'
import { readHub } from './trace-hub.ts'
import {
  attemptsOfEvents,
  attemptsOfOrder,
  quarantineById,
  readBindings,
  readDeliveries,
  readTrouble,
  stockRows,
} from './trace-order-rows.ts'
import { eventsById, eventsOfOrder, readHistory, readRefusals, readSilver, unmappedOf } from './trace-silver-rows.ts'

/** The trace over PostgreSQL. Its statements run side by side on the pool, each an index look-up with a bound. */
export function postgresOrderTrace(pool: Pool): OrderTrace {
  return {
    resolve: (typed) => resolve(pool, typed),
    facts: (orderId, typed, focus) => facts(pool, orderId, typed, focus),
    unmapped: (orderId) => unmappedOf(pool, orderId),
    factsOfUnapplied: (unapplied, typed, focus) => factsOfUnapplied(pool, unapplied, typed, focus),
  }
}

async function facts(pool: Pool, orderId: string, typed: string, focus: Focus | null): Promise<OrderFacts | null> {
  const [order, bindings, deliveries, attempts, inbound, history, trouble, actions, refusals, hub] = await Promise.all([
    readSilver(pool, orderId),
    readBindings(pool, orderId),
    readDeliveries(pool, orderId, focus?.table === 'delivery' ? focus.id : null),
    attemptsOfOrder(pool, orderId),
    eventsOfOrder(pool, orderId, focus?.table === 'inbound_event' ? focus.id : null),
    readHistory(pool, orderId),
    readTrouble(pool, orderId),
    readActions(pool, orderId),
    readRefusals(pool, orderId),
    readHub(pool),
  ])
  if (!order) return null
  const all = newestFirst([...attempts, ...(await attemptsOfLooseEvents(pool, inbound, attempts))])
  return {
    ...hub,
    ...history,
    ...trouble,
    typed,
    order,
    focus,
    bindings,
    deliveries,
    attempts: all,
    inbound,
    refusals,
    actions,
    erp: null,
    nearest: [],
  }
}

// An event that only names the order's key is not tied to it yet, so its fetches were not read with the order's.
async function attemptsOfLooseEvents(pool: Pool, inbound: readonly InboundFact[], read: readonly AttemptFact[]): Promise<AttemptFact[]> {
  const missing = inbound.filter((e) => e.attemptsTotal > 0 && !read.some((a) => a.inboundId === e.id)).map((e) => e.id)
  return missing.length > 0 ? attemptsOfEvents(pool, missing) : []
}

async function factsOfUnapplied(pool: Pool, unapplied: Unapplied, typed: string, focus: Focus | null): Promise<OrderFacts> {
  const { quarantineIds, inboundIds } = unapplied
  const stockId = focus?.table === 'delivery' ? focus.id : null
  const [stock, inbound, quarantine, attempts, actions, hub] = await Promise.all([
    stockId === null ? NO_STOCK : stockRows(pool, stockId),
    inboundIds.length > 0 ? eventsById(pool, inboundIds) : [],
    quarantineIds.length > 0 ? quarantineById(pool, quarantineIds) : [],
    inboundIds.length > 0 ? attemptsOfEvents(pool, inboundIds) : [],
    actionsOn(pool, [
      ...quarantineIds.map((id) => ({ kind: 'erp_quarantine' as const, id })),
      ...inboundIds.map((id) => ({ kind: 'inbound_event' as const, id })),
      ...(stockId === null ? [] : [{ kind: 'delivery' as const, id: stockId }]),
    ]),
    readHub(pool),
  ])
  const none = {
    order: null,
    observations: [],
    changes: [],
    refusals: [],
    drifts: [],
    erp: null,
    nearest: [],
  }
  return { ...hub, ...none, ...stock, typed, focus, inbound, quarantine, actions, attempts: [...stock.attempts, ...attempts] }
}

const NO_STOCK = { bindings: [], deliveries: [], attempts: [] }

function newestFirst(attempts: AttemptFact[]): AttemptFact[] {
  return attempts.sort((a, b) => Number(BigInt(b.id) - BigInt(a.id)))
}
