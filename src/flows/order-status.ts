import { type Diagnosis, diagnose } from '../core/diagnosis.ts'
import type { OrderFacts } from '../core/order-facts.ts'
import type { Candidate } from '../ports/order-trace.ts'
import { type LocatePorts, locateOrder } from './locate-order.ts'

/** How one system shows, or should show, the order. */
export interface SystemState {
  channel: string
  role: 'origin' | 'target'
  /** The id there, null while none is known. */
  externalId: string | null
  reference: string | null
  /** State of the newest delivery; null where nothing was ever owed. */
  delivery: string | null
  observed: string | null
  observedAt: string | null
  cause: string | null
}

export type OrderStatus =
  | { kind: 'status'; facts: OrderFacts; diagnosis: Diagnosis; systems: SystemState[]; lookedIn: string[] }
  | { kind: 'ambiguous'; typed: string; candidates: Candidate[] }
  | { kind: 'unreadable' }

/** The silver state of an order and how it stands in each system. */
export async function orderStatus(orderId: unknown, ports: LocatePorts): Promise<OrderStatus> {
  const located = await locateOrder(orderId, ports)
  if (located.kind !== 'located') return located
  const { facts, lookedIn } = located
  const diagnosis = diagnose(facts)
  return { kind: 'status', facts, diagnosis, systems: systemsOf(facts, diagnosis), lookedIn }
}

function systemsOf(facts: OrderFacts, diagnosis: Diagnosis): SystemState[] {
  const { order } = facts
  if (!order) return []
  const shown = facts.observations.find((o) => o.channel === order.origin && o.entity === 'order')
  const binding = facts.bindings.find((b) => b.channel === order.origin)
  const origin: SystemState = {
    channel: order.origin,
    role: 'origin',
    externalId: order.orderKey,
    reference: binding?.reference ?? null,
    delivery: deliveryStateAt(facts, order.origin),
    observed: shown?.rawStatus ?? order.rawStatus,
    observedAt: shown?.observedAt ?? order.updatedAt,
    cause: diagnosis.perTarget.find((v) => v.target === order.origin)?.cause ?? null,
  }
  const targets = diagnosis.perTarget.filter((v) => v.target !== order.origin)
  return [origin, ...targets.map((v) => targetState(facts, v.target, v.cause))]
}

function targetState(facts: OrderFacts, channel: string, cause: string): SystemState {
  const binding = facts.bindings.find((b) => b.channel === channel)
  const observed = [binding?.observedLifecycle, binding?.observedFulfilment].filter((w) => w !== null && w !== undefined && w !== 'none')
  return {
    channel,
    role: 'target',
    externalId: binding?.externalId ?? null,
    reference: binding?.reference ?? null,
    delivery: deliveryStateAt(facts, channel),
    observed: observed.length > 0 ? observed.join('/') : null,
    observedAt: binding?.observedAt ?? null,
    cause,
  }
}

function deliveryStateAt(facts: OrderFacts, channel: string): string | null {
  const newest = facts.deliveries.filter((d) => d.channel === channel).sort((a, b) => b.version - a.version)
  return (newest.find((d) => d.state !== 'superseded') ?? newest[0])?.state ?? null
}
