import { type MutantCase, mutantCases } from './mutant-plans.ts'
import type { RunRecord } from './plan.ts'
import { runAll, runCounted, type RunOptions } from './run-all.ts'

export interface MutantResult {
  mutant: MutantCase['mutant']
  mustBreak: MutantCase['mustBreak']
  control: RunRecord
  /** The runs with the mistake, up to the one by which the auditor had named all that must break. */
  runs: RunRecord[]
}

/** Runs every mutant until the auditor has named all that it must break, and the same scenario without the mistake. */
export async function runMutants(options: Pick<RunOptions, 'onRecord' | 'parallel'>, only?: readonly string[]): Promise<MutantResult[]> {
  const cases = mutantCases().filter((one) => only === undefined || only.includes(one.mutant))
  const controls = await runCounted(
    cases.map((one) => one.control),
    options,
  )
  const results = cases.map((one, at): MutantResult => {
    const control = controls[at]
    if (!control) throw new Error('a control that never ran')
    return { ...one, control, runs: [] }
  })
  for (let round = 0; !results.every(isCaught); round++) {
    const open = results.flatMap((result, at) => {
      const plan = cases[at]?.plans[round]
      return plan && !isCaught(result) ? [{ result, plan }] : []
    })
    if (open.length === 0) break
    const records = await runAll(
      open.map(({ plan }) => plan),
      options,
    )
    for (const [at, { result }] of open.entries()) {
      const record = records[at]
      if (record) result.runs.push(record)
    }
  }
  return results
}

/** Whether every group of what it must break was named in one of its runs. */
export function isCaught({ mustBreak, runs }: MutantResult): boolean {
  const named = runs.flatMap((record) => Object.keys(record.breaches))
  return mustBreak.every((group) => group.some((kind) => named.includes(kind)))
}

export const isProven = (result: MutantResult): boolean => result.control.result === 'green' && isCaught(result)

export function mutantTable(results: readonly MutantResult[]): string {
  const rows = results.map((one) => {
    const found = one.runs.map((record) => Object.keys(record.breaches).join(' ') || 'nothing').join(' | ')
    const must = one.mustBreak.map((group) => group.join(' or ')).join(', ')
    const verdict = isProven(one) ? 'caught' : 'NOT CAUGHT'
    return `${one.mutant.padEnd(21)} ${must.padEnd(17)} ${found.padEnd(34)} ${one.control.result.padEnd(8)} ${verdict}`
  })
  const caught = results.filter(isProven).length
  const head = `${'mutant'.padEnd(21)} ${'must break'.padEnd(17)} ${'the auditor found'.padEnd(34)} control`
  return ['', head, ...rows, '', `${caught} of ${results.length} mutants caught, each with its control green`, ''].join('\n')
}
