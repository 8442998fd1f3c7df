import { readFileSync } from 'node:fs'
import { z } from 'zod'

const At = { at: z.iso.datetime() }
const Count = z.number().int()
const Instant = z.iso.datetime().nullable()

/**
 * One line of a sampler's file (JSON lines). `sampler.ts` writes all but `call`, `frozen` and `lifted`, once a second. A harness
 * writes one `call` for each request of a node: how many transactions the flow of calls that made it held open. Instants of `sums`, `channels`,
 * `leases` and `lifted` are the hub's, as its rows have them; the others are the machine's.
 */
const SampleLine = z.discriminatedUnion('kind', [
  /** Open transactions of the hub's sessions. */
  z.object({
    ...At,
    kind: z.literal('sessions'),
    sessions: z.array(
      z.object({ pid: z.number(), application: z.string(), state: z.string().nullable(), transactionMs: z.number(), query: z.string() }),
    ),
  }),
  z.object({
    ...At,
    kind: z.literal('sums'),
    /** Requests that were answered as taken in, and those of them that have an event. */
    inbound: z.object({ accepted: Count, accounted: Count }),
    /** Orders of the ERP that were observed or quarantined, and what became of each. */
    erp: z.object({ observed: Count, planned: Count, nothingOwed: Count, notRouted: Count, quarantined: Count }),
    deliveries: z.object({ planned: Count, delivered: Count, superseded: Count, pending: Count, ambiguous: Count, dead: Count }),
  }),
  /** `due`: deliveries that wait and whose time has come. */
  z.object({
    ...At,
    kind: z.literal('channels'),
    channels: z.array(
      z.object({ id: z.string(), delivered: Count, due: Count, circuitOpenedAt: Instant, pausedAt: Instant, limitedUntil: Instant }),
    ),
  }),
  z.object({ ...At, kind: z.literal('leases'), leases: z.array(z.object({ delivery: z.string(), lease: z.string() })) }),
  z.object({ ...At, kind: z.literal('call'), system: z.string(), request: z.string(), openTransactions: Count }),
  /** A node was frozen, or the database made to answer late, from `at` until then: what was held open was held that long. */
  z.object({ ...At, kind: z.literal('frozen'), until: z.iso.datetime() }),
  /** The harness, not the hub, lifted the limit of a channel. */
  z.object({ ...At, kind: z.literal('lifted'), channel: z.string() }),
  /** The database could not be looked at. */
  z.object({ ...At, kind: z.literal('blind'), why: z.string() }),
])
export type Sample = z.infer<typeof SampleLine>
export type SampleOf<Kind extends Sample['kind']> = Extract<Sample, { kind: Kind }>

/** Every whole line, oldest first. Throws on a line that is none, save a torn last one. */
export function readSamples(path: string | null): Sample[] {
  if (path === null) return []
  const lines = readFileSync(path, 'utf8').split('\n')
  return lines.flatMap((text, at) => {
    if (text === '') return []
    const line = SampleLine.safeParse(jsonOf(text))
    if (line.success) return [line.data]
    if (at === lines.length - 1) return []
    throw new Error(`${path}: line ${at + 1} is no sample (${line.error.issues[0]?.path.join('.') ?? ''})`)
  })
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** The samples of one kind. */
export function samplesOf<Kind extends Sample['kind']>(samples: readonly Sample[], kind: Kind): SampleOf<Kind>[] {
  return samples.filter((sample): sample is SampleOf<Kind> => sample.kind === kind)
}
