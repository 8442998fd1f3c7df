import { type Breach, breach } from '../breach.ts'
import { samplesOf } from '../sample-file.ts'
import { attemptText, type World } from '../world.ts'

/**
 * I11: what ended a delivery was sent under the newest lease that anybody held until then. Leases are known from attempts, and from a sampler
 * where a claim made none.
 */
export function noStaleFinish(world: World): Breach[] {
  const sampled = Map.groupBy(
    samplesOf(world.samples, 'leases').flatMap(({ at, leases }) => leases.map((one) => ({ ...one, atMs: Date.parse(at) }))),
    (one) => one.delivery,
  )
  const attempts = Map.groupBy(world.hub.attempt, (row) => row.delivery_id ?? '')
  return world.hub.delivery.flatMap((row) => {
    if (row.state !== 'delivered' || row.reason !== 'sent' || row.ended_ms === null) return []
    const endedMs = row.ended_ms
    const own = attempts.get(row.id) ?? []
    const held = [
      ...own.filter((one) => one.started_ms <= endedMs).map((one) => BigInt(one.lease)),
      ...(sampled.get(row.id) ?? []).filter((one) => one.atMs < endedMs).map((one) => BigInt(one.lease)),
    ]
    const newest = held.reduce((most, lease) => (lease > most ? lease : most), 0n)
    // The send that ended it committed in the same transaction, a statement later.
    const finishing = own
      .filter((one) => one.purpose === 'send' && one.outcome === 'ok' && one.started_ms <= endedMs)
      .toSorted((a, b) => b.started_ms - a.started_ms)[0]
    if (finishing && BigInt(finishing.lease) === newest) return []
    // A send whose lease ran out was ended as unknown by whoever took the row: only a worker without that lease still calls it sent.
    const message = finishing
      ? `delivery ${row.id} was finished under lease ${finishing.lease} while ${newest} was in force`
      : `delivery ${row.id} was finished as sent while ${newest} was in force, and no send of it ended well`
    return [
      breach('I11', row.order_id === null ? `delivery ${row.id}` : world.nameOf(row.order_id), message, {
        field: 'delivery.lease',
        orderId: row.order_id,
        attempts: own.map(attemptText),
        at: endedMs,
      }),
    ]
  })
}

/** I11: what ended stays ended until a person replays it. A holder of an old lease that finishes again ends it a second time, whatever it heard. */
export function endedOnce(world: World): Breach[] {
  const times = new Map(world.hub.ending.map((row) => [row.delivery_id, row.times]))
  return world.hub.delivery.flatMap(({ id, order_id: orderId, replays }) => {
    const ended = times.get(id) ?? 0
    if (ended <= 1 + replays) return []
    const message = `delivery ${id} ended ${ended} times and was replayed ${replays} times`
    return [breach('I11', orderId === null ? `delivery ${id}` : world.nameOf(orderId), message, { field: 'delivery.ended_at', orderId })]
  })
}
