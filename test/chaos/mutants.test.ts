import { beforeAll, describe, expect, test } from 'vitest'
import { MUTANTS } from './plan.ts'
import { isCaught, type MutantResult, mutantTable, runMutants } from './run-mutants.ts'
import { witness } from './table.ts'

describe('the auditor turns red on every hub with a planted mistake, and only there', () => {
  let results: MutantResult[]
  beforeAll(async () => {
    results = await runMutants({ parallel: 2 })
  }, 900_000)

  test.each(MUTANTS)('%s is caught, and the same scenario without it is green', (mutant) => {
    const result = results.find((one) => one.mutant === mutant)
    expect(result?.control.result, result ? witness(result.control).join('\n') : '').toBe('green')
    expect(result && isCaught(result), mutantTable(result ? [result] : [])).toBe(true)
  })
})
