import { type Diagnosis, diagnose } from '../core/diagnosis.ts'
import type { OrderFacts } from '../core/order-facts.ts'
import { type TimelineEntry, timelineOf } from '../core/timeline.ts'
import type { Candidate } from '../ports/order-trace.ts'
import { type LocatePorts, locateOrder } from './locate-order.ts'

export type Trace =
  | { kind: 'traced'; facts: OrderFacts; diagnosis: Diagnosis; timeline: TimelineEntry[]; lookedIn: string[] }
  | { kind: 'ambiguous'; typed: string; candidates: Candidate[] }
  | { kind: 'unreadable' }

/** The whole story of an order, whatever people call it, and why it is not where it should be. */
export async function traceOrder(orderId: unknown, ports: LocatePorts): Promise<Trace> {
  const located = await locateOrder(orderId, ports)
  if (located.kind !== 'located') return located
  const { facts, lookedIn } = located
  return { kind: 'traced', facts, diagnosis: diagnose(facts), timeline: timelineOf(facts), lookedIn }
}
