import type { ClaimedEvent } from '../../ports/inbox.ts'
import type { Fetched } from '../../ports/marketplace.ts'
import type { Applied, FetchTicket } from '../../ports/order-store.ts'
import { applyGates } from './gate.ts'
import { type ApplySettings, applyArrivals, type ArrivalOutcome } from './order-apply.ts'
import { type Arrival, lockNames, namesOf } from './order-rows.ts'
import { wakeOutbox } from './plan.ts'
import type { PoolClient } from './pool.ts'
import { resolveDead, type Tie, tieEvents } from './tie-events.ts'

/** What one fetch brought: for an inbound event, or in the answer to our own send (no claim). */
export interface FetchedItem {
  claim: ClaimedEvent | null
  ticket: FetchTicket
  fetched: Fetched
  traceparent: string | null
}

/**
 * Takes in what a group of fetches brought, in the caller's transaction: each item keeps its own fence (the event's lease) and its own ticket,
 * and one that lost either changes nothing. Locks go events, resources, orders, bindings, channels: the order of every other writer.
 */
export async function applyFetched(client: PoolClient, items: readonly FetchedItem[], settings: ApplySettings): Promise<Applied[]> {
  const held = await lockEvents(client, items)
  const unfenced = items.filter(({ claim }) => claim === null || held.has(claim.lease))
  const taken = await takeTickets(client, unfenced)
  const valid = unfenced.filter(({ ticket }) => taken.has(ticket.fetchNo))
  if (valid.length > 0) await take(client, valid, settings, taken)
  return items.map((item) => {
    if (!unfenced.includes(item)) return { kind: 'fenced' }
    const outcome = taken.get(item.ticket.fetchNo)
    return outcome ? appliedOf(outcome) : { kind: 'refetch' }
  })
}

/** By fetch number, which no two tickets share. Filled in when its item was applied. */
type Taken = Map<number, ArrivalOutcome | undefined>

async function take(client: PoolClient, valid: readonly FetchedItem[], settings: ApplySettings, taken: Taken): Promise<void> {
  const arrivals = valid.map(arrivalOf)
  await lockNames(client, arrivals)
  let planned = 0
  for (const wave of wavesOf(arrivals)) {
    const applied = await applyArrivals(client, wave, settings)
    wave.forEach(({ fetchNo }, at) => taken.set(fetchNo, applied.outcomes[at]))
    planned += applied.planned
  }
  const ended = valid.flatMap(({ claim, ticket }) => {
    const outcome = taken.get(ticket.fetchNo)
    return claim && outcome ? [{ claim, outcome }] : []
  })
  await closeEvents(client, ended)
  await tieEvents(client, valid.flatMap(tieOf(taken)))
  await applyGates(
    client,
    ended.map(({ claim }) => ({ channel: claim.channel, effect: { kind: 'healthy' }, probe: claim.probe })),
  )
  await wakeOutbox(client, planned)
}

function tieOf(taken: Taken): (item: FetchedItem) => Tie[] {
  return ({ ticket: { channel, resource, fetchNo } }) => {
    const orderId = taken.get(fetchNo)?.orderId
    return orderId ? [{ channel, resource, orderId }] : []
  }
}

function arrivalOf({ claim, ticket, fetched, traceparent }: FetchedItem): Arrival {
  return { channel: ticket.channel, fetchNo: ticket.fetchNo, inboundEventId: claim?.id ?? null, traceparent, ...fetched }
}

/**
 * One wave, but for arrivals that name one order by different keys (it gained a pack between two fetches): the later one must find what the
 * earlier one stored.
 */
function wavesOf(arrivals: readonly Arrival[]): Arrival[][] {
  const waves: Arrival[][] = []
  for (const arrival of arrivals) {
    const last = waves.findLastIndex((wave) => wave.some((other) => isRenamed(arrival, other)))
    const wave = waves[last + 1]
    if (wave) wave.push(arrival)
    else waves.push([arrival])
  }
  return waves
}

function isRenamed(one: Arrival, other: Arrival): boolean {
  if (one.channel !== other.channel || one.orderKey === other.orderKey) return false
  const names = new Set(namesOf(other))
  return namesOf(one).some((name) => names.has(name))
}

const appliedOf = ({ kind, orderId }: ArrivalOutcome): Applied => ({ kind: kind === 'changed' ? 'applied' : kind, orderId })

/** The leases that still hold. */
async function lockEvents(client: PoolClient, items: readonly FetchedItem[]): Promise<Set<string>> {
  const claims = items.flatMap(({ claim }) => claim ?? [])
  if (claims.length === 0) return new Set()
  const { rows } = await client.query<{ lease: string }>(
    `SELECT e.lease FROM inbound_event e JOIN unnest($1::bigint[], $2::bigint[]) AS c(id, lease) ON e.id = c.id AND e.lease = c.lease
     WHERE e.state = 'pending' ORDER BY e.id FOR UPDATE OF e`,
    [claims.map(({ id }) => id), claims.map(({ lease }) => lease)],
  )
  return new Set(rows.map(({ lease }) => lease))
}

// Only what was taken in counts as fetched: a sweep looks again for what it drew and did not get.
async function takeTickets(client: PoolClient, items: readonly FetchedItem[]): Promise<Taken> {
  const { rows } = await client.query<{ fetch_no: string }>(
    `UPDATE resource r SET lease_until = NULL, fetched_at = hub_now()
     FROM unnest($1::text[], $2::text[], $3::bigint[]) AS t(channel, resource, fetch_no)
     WHERE r.channel = t.channel AND r.resource = t.resource AND r.fetch_no = t.fetch_no
     RETURNING r.fetch_no`,
    [items.map(({ ticket }) => ticket.channel), items.map(({ ticket }) => ticket.resource), items.map(({ ticket }) => ticket.fetchNo)],
  )
  return new Map(rows.map((row) => [Number(row.fetch_no), undefined]))
}

async function closeEvents(client: PoolClient, ended: readonly { claim: ClaimedEvent; outcome: ArrivalOutcome }[]): Promise<void> {
  if (ended.length === 0) return
  const rows = ended.map(({ claim: { id }, outcome: { kind, orderId } }) => ({ id, kind, order_id: orderId }))
  await client.query(
    `UPDATE inbound_event e SET state = CASE i.kind WHEN 'changed' THEN 'applied' ELSE 'ignored' END,
       reason = CASE i.kind WHEN 'stale' THEN 'stale-event' WHEN 'unchanged' THEN 'unchanged' END, cause = NULL, order_id = i.order_id,
       ended_at = hub_now(), lease = NULL, lease_until = NULL, unfinished = 0, unfinished_alone = 0, state_version = e.state_version + 1
     FROM jsonb_to_recordset($1::jsonb) AS i(id bigint, kind text, order_id bigint) WHERE e.id = i.id`,
    [JSON.stringify(rows)],
  )
  await resolveDead(
    client,
    ended.map(({ claim }) => claim),
  )
}
