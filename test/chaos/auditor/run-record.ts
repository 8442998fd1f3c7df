import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { DURATION } from './checks/transactions.ts'

/**
 * What a harness writes of one run (JSON), so that a breach can be replayed and its exceptions are known. Fields that the auditor does not know
 * stay the harness's own.
 */
const RunRecord = z.looseObject({
  plan: z.looseObject({
    seed: z.number().int(),
    /** Row of the failure catalogue that the run injected: `D5`. */
    row: z.string(),
    /** Of a soak, which is no scenario: what it was started with. */
    soak: z.object({ minutes: z.number(), perSecond: z.number() }).optional(),
  }),
  /** Channels that were made to fail on purpose: I9 judges the others. */
  faultyChannels: z.array(z.string()).default([]),
  /** D5: what was committed between these instants of the machine's clock was lost with the stale snapshot. Null: nothing was. */
  lostWindow: z.object({ from: z.iso.datetime(), to: z.iso.datetime() }).nullable().default(null),
})
type RunRecord = z.infer<typeof RunRecord>

/** What the auditor must know of a run: what was injected on purpose, and how it is made again. */
export interface Run {
  scenarios: string[]
  faultyChannels: string[]
  lostWindow: RunRecord['lostWindow']
  replay: { seed: string; command: string } | null
}

export function readRun(path: string): Run {
  const read = RunRecord.safeParse(JSON.parse(readFileSync(path, 'utf8')))
  if (read.success) return runOf(read.data, path)
  throw new Error(`${path}: no run record (${read.error.issues[0]?.path.join('.') ?? ''}: ${read.error.issues[0]?.message ?? ''})`)
}

/** Of a record that stands, or will stand, in that file. */
export function runOf({ plan, faultyChannels, lostWindow }: RunRecord, file: string): Run {
  return { scenarios: [plan.row], faultyChannels, lostWindow, replay: { seed: String(plan.seed), command: commandOf(plan, file) } }
}

/** The command line that makes the run of a record again. */
export function commandOf({ seed, soak }: Pick<RunRecord['plan'], 'seed' | 'soak'>, file: string): string {
  return soak === undefined
    ? `npm run chaos -- --replay ${file}`
    : `npm run soak -- --seed ${seed} --minutes ${soak.minutes} --per-second ${soak.perSecond}`
}

/** What `reliability.md` §2 takes out, by row of the catalogue; of I8 only how long a transaction was open. */
const EXCEPTIONS: Record<string, string[]> = { D5: ['I1', 'I5', 'I7'], D3: ['I8'], S1: ['I8'], A4: ['I8'], R2: ['I8'] }

/** Whether these scenarios take this invariant out; D5 only what the lost window explains, so nothing that cannot be placed in time. */
export function isExcepted(
  { invariant, field, at }: { invariant: string; field: string | null; at: number | null },
  { scenarios, lostWindow }: Pick<Run, 'scenarios' | 'lostWindow'>,
): boolean {
  return scenarios.some((scenario) => {
    if (!EXCEPTIONS[scenario]?.includes(invariant) || (invariant === 'I8' && field !== DURATION)) return false
    if (scenario !== 'D5') return true
    return lostWindow !== null && at !== null && at >= Date.parse(lostWindow.from) && at <= Date.parse(lostWindow.to)
  })
}
