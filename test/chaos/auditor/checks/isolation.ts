import { awakeMs, type Freeze, freezesOf } from '../awake.ts'
import { type Breach, breach } from '../breach.ts'
import { type SampleOf, samplesOf } from '../sample-file.ts'
import type { World } from '../world.ts'

/** How long a healthy channel may have due work and complete none of it while another one fails. */
const STALL_MS = 15_000
/** Between two samples at most this counts: a hub's clock that was moved, or a sampler that could not look, proves no stall. */
const MOST_BETWEEN_MS = 2_000

type Channels = SampleOf<'channels'>
type Channel = Channels['channels'][number]

/** I9, the suite's half: while a channel fails, the others keep completing what is due there; the time of a freeze, which stops them all, does not count. */
export function healthyChannelsComplete({ samples, run }: World): Breach[] {
  const series = samplesOf(samples, 'channels')
  const faulty = run.faultyChannels
  const freezes = freezesOf(samples)
  const ids = [...new Set(series.flatMap(({ channels }) => channels.map(({ id }) => id)))].filter((id) => !faulty.includes(id))
  return ids.flatMap((id) => {
    const stall = longestStall(series, id, faulty, freezes)
    if (stall === null || stall.ms < STALL_MS) return []
    const message = `had due work from ${stall.from} to ${stall.to} and completed nothing, while ${stall.failing} failed`
    return [breach('I9', `channel ${id}`, message, { field: 'delivery.state', at: Date.parse(stall.from) })]
  })
}

interface Stall {
  from: string
  to: string
  ms: number
  failing: string
}

function longestStall(series: readonly Channels[], id: string, faulty: readonly string[], freezes: readonly Freeze[]): Stall | null {
  let open: (Stall & { delivered: number }) | null = null
  let longest: Stall | null = null
  for (const sample of series) {
    const own = sample.channels.find((one) => one.id === id)
    const failing = sample.channels.find((one) => one.id !== id && (faulty.includes(one.id) || isGated(one, sample.at)))
    if (!own || !failing || own.due === 0 || isGated(own, sample.at)) {
      open = null
      continue
    }
    if (open === null || open.delivered !== own.delivered)
      open = { from: sample.at, to: sample.at, ms: 0, failing: failing.id, delivered: own.delivered }
    const [at, since] = [Date.parse(sample.at), Date.parse(open.to)]
    open.ms += Math.min(awakeMs(at, Math.max(0, at - since), freezes), MOST_BETWEEN_MS)
    open.to = sample.at
    if (longest === null || open.ms > longest.ms) longest = { ...open }
  }
  return longest
}

function isGated({ circuitOpenedAt, pausedAt, limitedUntil }: Channel, at: string): boolean {
  return circuitOpenedAt !== null || pausedAt !== null || (limitedUntil !== null && limitedUntil > at)
}
