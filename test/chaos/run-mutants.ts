import { type MutantCase, mutantCases } from './mutant-plans.ts'
import type { RunRecord } from './plan.ts'
import { runAll, runCounted, type RunOptions } from './run-all.ts'

export interface MutantResult {
  mutant: MutantCase['mutant']
  mustBreak: readonly string[]
  control: RunRecord
  /** The runs with the mistake, up to the first that the auditor caught. */
  runs: RunRecord[]
  /** Kinds of breaches that the auditor named in the run that was caught. */
  caughtBy: string[]
}

/** Runs every mutant until the auditor names one of its breaches, and the same scenario without the mistake. */
export async function runMutants(options: Pick<RunOptions, 'onRecord' | 'parallel'>, only?: readonly string[]): Promise<MutantResult[]> {
  const cases = mutantCases().filter((one) => only === undefined || only.includes(one.mutant))
  const controls = await runCounted(
    cases.map((one) => one.control),
    options,
  )
  const results = cases.map((one, at): MutantResult => {
    const control = controls[at]
    if (!control) throw new Error('a control that never ran')
    return { ...one, control, runs: [], caughtBy: [] }
  })
  for (let round = 0; results.some((one) => one.caughtBy.length === 0); round++) {
    const open = results.flatMap((result, at) => {
      const plan = cases[at]?.plans[round]
      return plan && result.caughtBy.length === 0 ? [{ result, plan }] : []
    })
    if (open.length === 0) break
    const records = await runAll(
      open.map(({ plan }) => plan),
      options,
    )
    for (const [at, { result }] of open.entries()) judge(result, records[at])
  }
  return results
}

function judge(result: MutantResult, record: RunRecord | undefined): void {
  if (!record) return
  result.runs.push(record)
  result.caughtBy = Object.keys(record.breaches).filter((kind) => result.mustBreak.includes(kind))
}

export const isProven = (result: MutantResult): boolean => result.control.result === 'green' && result.caughtBy.length > 0

export function mutantTable(results: readonly MutantResult[]): string {
  const rows = results.map((one) => {
    const found = one.runs.map((record) => Object.keys(record.breaches).join(' ') || 'nothing').join(' | ')
    const verdict = isProven(one) ? 'caught' : 'NOT CAUGHT'
    return `${one.mutant.padEnd(21)} ${one.mustBreak.join(' or ').padEnd(17)} ${found.padEnd(34)} ${one.control.result.padEnd(8)} ${verdict}`
  })
  const caught = results.filter(isProven).length
  const head = `${'mutant'.padEnd(21)} ${'must break'.padEnd(17)} ${'the auditor found'.padEnd(34)} control`
  return ['', head, ...rows, '', `${caught} of ${results.length} mutants caught, each with its control green`, ''].join('\n')
}
