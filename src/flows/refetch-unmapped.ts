import { type InboundEvent, REFETCH_TOPIC } from '../core/inbound-event.ts'
import type { Inbox } from '../ports/inbox.ts'
import type { OrderTrace } from '../ports/order-trace.ts'
import { currentTraceparent } from '../telemetry.ts'

export interface RefetchPorts {
  trace: Pick<OrderTrace, 'unmapped'>
  inbox: Pick<Inbox, 'record'>
}

/**
 * Has what shows the order in a status that no map knew fetched again, as inbound events like any other: what is fetched is read by the map of
 * today, and folded even where the other system changed nothing. Answers the ids of the events.
 */
export async function refetchUnmapped(orderId: string, operationId: string, { trace, inbox }: RefetchPorts): Promise<string[]> {
  const parts = await trace.unmapped(orderId)
  const taken: string[] = []
  for (const [channel, events] of Map.groupBy(
    parts.map((part) => eventOf(part, operationId)),
    (event) => event.channel,
  )) {
    const body = new TextEncoder().encode(JSON.stringify({ operation: operationId, resources: events.map((e) => e.resource) }))
    const request = { channel, path: REFETCH_TOPIC, headers: {}, body, sourceIp: null, traceparent: currentTraceparent() ?? null }
    const receipts = await inbox.record(request, 'accepted', events)
    taken.push(...receipts.flatMap(({ kind, eventId }) => (kind === 'accepted' && eventId !== null ? [eventId] : [])))
  }
  return taken
}

// An event of its own each time it is asked for: the map may have changed in between.
function eventOf({ channel, resource, orderKey }: Awaited<ReturnType<OrderTrace['unmapped']>>[number], operationId: string): InboundEvent {
  const key = `${REFETCH_TOPIC}/${operationId}${resource}`
  return { channel, topic: REFETCH_TOPIC, resource, sourceEventId: null, dedupeKey: key, comparable: key, orderKey, ignore: null }
}
