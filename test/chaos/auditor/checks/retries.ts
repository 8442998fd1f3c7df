import { type Breach, breach } from '../breach.ts'
import type { AttemptRow, HubTables } from '../hub-tables.ts'
import { type Sample, type SampleOf, samplesOf } from '../sample-file.ts'
import { attemptText, type World } from '../world.ts'

/** Codes after which the same version is never sent again by itself. */
const PERMANENT = ['rejected', 'not-found', 'unsupported']
/** Tries that the circuit, the pause and the bucket hold back, and that therefore count nothing. */
const UNCOUNTED = ['unreachable', 'unauthorized', 'rate-limited']
const FIRST_PROBE_MS = 5_000

/** I10: permanent errors are tried once, budgets hold, and a shut gate lets nothing through. */
export function retriesHold(world: World): Breach[] {
  const sends = Map.groupBy(
    world.hub.attempt.filter((row) => row.purpose === 'send' && row.delivery_id !== null),
    (row) => row.delivery_id ?? '',
  )
  return [
    ...world.hub.delivery.flatMap((row) => [
      ...sentAfterRefusal(world, row, sends.get(row.id) ?? []),
      ...overBudget(world, row, sends.get(row.id) ?? []),
    ]),
    ...throughShutGates(world),
  ]
}

type Delivery = HubTables['delivery'][number]
type Channel = SampleOf<'channels'>['channels'][number]

function sentAfterRefusal(world: World, row: Delivery, sends: readonly AttemptRow[]): Breach[] {
  const putBack = world.hub.replay.filter((one) => one.delivery_id === row.id).map((one) => one.at_ms)
  // A refusal that a worker heard after its delivery was taken over stands as `unknown`: it settled nothing.
  const refused = sends.find(
    (one) => (one.outcome === 'rejected' || one.outcome === 'not-sent') && PERMANENT.includes(one.error_code ?? ''),
  )
  const again = refused && sends.find((one) => one.started_ms > (refused.ended_ms ?? refused.started_ms))
  if (!refused || !again || putBack.some((at) => at >= (refused.ended_ms ?? 0) - 1 && at <= again.started_ms + 1)) return []
  return [
    breach('I10', orderOf(world, row), `delivery ${row.id} was sent again by itself after a permanent ${refused.error_code}`, {
      field: 'attempt.error_code',
      orderId: row.order_id,
      attempts: [refused, again].map(attemptText),
      at: again.started_ms,
    }),
  ]
}

// A replay starts the count anew.
function overBudget(world: World, row: Delivery, sends: readonly AttemptRow[]): Breach[] {
  const counted = new Set(
    sends.filter((one) => one.outcome !== 'not-sent' && !UNCOUNTED.includes(one.error_code ?? '')).map((one) => one.lease),
  )
  const allowed = row.max_tries * (1 + row.replays)
  if (counted.size <= allowed && row.tries <= row.max_tries) return []
  return [
    breach('I10', orderOf(world, row), `delivery ${row.id} took ${Math.max(counted.size, row.tries)} tries of ${allowed}`, {
      field: 'delivery.tries',
      orderId: row.order_id,
      attempts: sends.map(attemptText),
    }),
  ]
}

interface Shut {
  channel: string
  why: 'circuit' | 'limit' | 'pause'
  fromMs: number
  toMs: number
}

function throughShutGates(world: World): Breach[] {
  const shuts = shutPeriods(world)
  return shuts.flatMap((shut) => {
    const within = world.hub.attempt
      .filter((row) => row.purpose === 'send' && row.channel === shut.channel)
      .filter((row) => row.started_ms > shut.fromMs && row.started_ms < shut.toMs)
    const wrong = admitsProbes(shut) ? within.find((row, at) => !isProbe(row, within[at - 1], shut)) : within[0]
    if (!wrong) return []
    const delivery = world.hub.delivery.find((row) => row.id === wrong.delivery_id)
    const since = new Date(shut.fromMs).toISOString()
    return [
      breach(
        'I10',
        delivery ? orderOf(world, delivery) : '-',
        `an intent was committed through the ${shut.why} of ${shut.channel}, shut since ${since}`,
        {
          field: 'attempt.started_at',
          orderId: delivery?.order_id ?? null,
          attempts: [attemptText(wrong)],
          at: wrong.started_ms,
        },
      ),
    ]
  })
}

// A refused key is tested again and again; a refused grant waits for a person to connect the account.
function admitsProbes({ channel, why }: Shut): boolean {
  return why === 'circuit' || (why === 'pause' && !channel.startsWith('mercadolibre:'))
}

// Probes are at least five seconds apart; what comes sooner is none.
function isProbe(row: AttemptRow, before: AttemptRow | undefined, { fromMs }: Shut): boolean {
  return row.started_ms - (before?.started_ms ?? fromMs) >= FIRST_PROBE_MS - 1
}

/** Every period that a sampler or the present row shows a gate shut; the same opening seen many times is one. */
function shutPeriods({ samples, hub }: World): Shut[] {
  const shuts = new Map<string, Shut>()
  const see = (channel: string, why: Shut['why'], fromMs: number, toMs: number): void => {
    const key = `${channel} ${why} ${why === 'limit' ? toMs : fromMs}`
    const known = shuts.get(key)
    shuts.set(key, { channel, why, fromMs: Math.min(fromMs, known?.fromMs ?? fromMs), toMs: Math.max(toMs, known?.toMs ?? toMs) })
  }
  for (const { at, channels } of samplesOf(samples, 'channels'))
    for (const one of channels) {
      const atMs = Date.parse(at)
      if (one.circuitOpenedAt !== null) see(one.id, 'circuit', Date.parse(one.circuitOpenedAt), atMs)
      if (one.pausedAt !== null) see(one.id, 'pause', Date.parse(one.pausedAt), atMs)
      if (one.limitedUntil !== null && Date.parse(one.limitedUntil) > atMs) see(one.id, 'limit', atMs, endOfLimit(one, atMs, samples))
    }
  for (const row of hub.channel) {
    if (row.circuit_opened_ms !== null) see(row.id, 'circuit', row.circuit_opened_ms, row.now_ms)
    if (row.paused_ms !== null) see(row.id, 'pause', row.paused_ms, row.now_ms)
  }
  return [...shuts.values()]
}

/** The instant of a limit, or the one at which the harness lifted it. */
function endOfLimit({ id, limitedUntil }: Channel, fromMs: number, samples: readonly Sample[]): number {
  const until = Date.parse(limitedUntil ?? '')
  const lifts = samplesOf(samples, 'lifted').filter(({ channel, at }) => channel === id && Date.parse(at) >= fromMs)
  return Math.min(until, ...lifts.map(({ at }) => Date.parse(at)))
}

function orderOf(world: World, row: Delivery): string {
  return row.order_id === null ? `delivery ${row.id}` : world.nameOf(row.order_id)
}
