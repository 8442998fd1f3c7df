import { beforeAll, describe, expect, test } from 'vitest'
import { MUTANTS } from './plan.ts'
import { type MutantResult, mutantTable, runMutants } from './run-mutants.ts'
import { witness } from './table.ts'

/** `no-fence` shows only where the frozen worker's row was taken over in time; the simulation holds it on schedules of its own. */
const HELD = MUTANTS.filter((mutant) => mutant !== 'no-fence')

describe('the auditor turns red on every hub with a planted mistake, and only there', () => {
  let results: MutantResult[]
  beforeAll(async () => {
    results = await runMutants({ parallel: 2 }, HELD)
  }, 900_000)

  test.each(HELD)('%s is caught, and the same scenario without it is green', (mutant) => {
    const result = results.find((one) => one.mutant === mutant)
    expect(result?.control.result, result ? witness(result.control).join('\n') : '').toBe('green')
    expect(result?.caughtBy, mutantTable(result ? [result] : [])).not.toEqual([])
  })
})
