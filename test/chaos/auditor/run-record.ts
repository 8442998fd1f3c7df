import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { DURATION } from './checks/transactions.ts'

/**
 * What a harness writes of one run (JSON), so that a breach can be replayed and its exceptions are known. Fields that the auditor does not know
 * stay the harness's own. `npm run chaos -- --replay FILE` takes the same file.
 */
const RunRecord = z.looseObject({
  seed: z.union([z.number(), z.string()]),
  /** Rows of the failure catalogue that the run injected: `["D5"]`. */
  scenarios: z.array(z.string()).default([]),
  /** Channels that were made to fail on purpose: I9 judges the others. */
  faultyChannels: z.array(z.string()).default([]),
  /** D5: what was committed between these instants was lost with the stale snapshot. */
  lostWindow: z.object({ from: z.iso.datetime(), to: z.iso.datetime() }).nullable().default(null),
})
export type RunRecord = z.infer<typeof RunRecord> & { file: string }

export function readRecord(path: string | null): RunRecord | null {
  if (path === null) return null
  const read = RunRecord.safeParse(JSON.parse(readFileSync(path, 'utf8')))
  if (read.success) return { ...read.data, file: path }
  throw new Error(`${path}: no run record (${read.error.issues[0]?.path.join('.') ?? ''}: ${read.error.issues[0]?.message ?? ''})`)
}

/** What `reliability.md` §2 takes out, by row of the catalogue; of I8 only how long a transaction was open. */
const EXCEPTIONS: Record<string, string[]> = { D5: ['I1', 'I5', 'I7'], D3: ['I8'], S1: ['I8'], A4: ['I8'], R2: ['I8'] }

/** Whether these scenarios take this invariant out; D5 only within its lost window, where the record names one. */
export function isExcepted(
  { invariant, field, at }: { invariant: string; field: string | null; at: number | null },
  { scenarios, lostWindow }: Pick<RunRecord, 'scenarios' | 'lostWindow'>,
): boolean {
  return scenarios.some((scenario) => {
    if (!EXCEPTIONS[scenario]?.includes(invariant) || (invariant === 'I8' && field !== DURATION)) return false
    if (scenario !== 'D5' || lostWindow === null || at === null) return true
    return at >= Date.parse(lostWindow.from) && at <= Date.parse(lostWindow.to)
  })
}
