import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Plan } from '../plan.ts'
import { emptyRecord, keepRecord, readRecord, recordPath } from '../records.ts'
import { isExcepted, readRun } from './run-record.ts'

describe('the auditor reads the record that the harness keeps', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'rosh-records-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const kept = (plan: Plan, more: object = {}): string => {
    keepRecord({ ...emptyRecord(plan, 'abc'), ...more }, folder)
    return recordPath(plan.id, folder)
  }

  test('of a scenario: its row, what was made to fail, what was lost, and the command that the harness takes', () => {
    const lostWindow = { from: '2026-11-23T09:00:00.000Z', to: '2026-11-23T09:00:30.000Z' }
    const plan = Plan.parse({ id: 'D5-9', row: 'D5', title: 'a title', script: 'staleSnapshot', seed: 9 })
    const file = kept(plan, { lostWindow, faultyChannels: ['paris:main'] })
    expect(readRun(file)).toEqual({
      scenarios: ['D5'],
      faultyChannels: ['paris:main'],
      lostWindow,
      replay: { seed: '9', command: `npm run chaos -- --replay ${file}` },
    })
    expect(readRecord(file).plan).toEqual(plan)
  })

  test('of a soak, which is made again by a command of its own', () => {
    const plan = Plan.parse({
      id: 'soak',
      row: 'soak',
      title: 'a title',
      script: 'soak',
      seed: 4,
      soak: { minutes: 2, perSecond: 3 },
    })
    expect(readRun(kept(plan)).replay).toEqual({ seed: '4', command: 'npm run soak -- --seed 4 --minutes 2 --per-second 3' })
  })

  test('and says what is wrong with another file', () => {
    const file = join(folder, 'other.json')
    writeFileSync(file, JSON.stringify({ seed: 1, scenarios: ['K9'] }))
    expect(() => readRun(file)).toThrow(/no run record \(plan/)
  })
})

describe('what a stale snapshot lost is excepted', () => {
  const lostWindow = { from: '2026-11-23T09:00:00.000Z', to: '2026-11-23T09:00:30.000Z' }
  const within = Date.parse('2026-11-23T09:00:10.000Z')
  const run = { scenarios: ['D5'], lostWindow }
  for (const invariant of ['I1', 'I5', 'I7']) {
    test(`${invariant} within the lost window, not before or after it, nor without an instant`, () => {
      const excepted = (at: number | null): boolean => isExcepted({ invariant, field: null, at }, run)
      expect(excepted(within)).toBe(true)
      expect(excepted(within - 11_000)).toBe(false)
      expect(excepted(within + 21_000)).toBe(false)
      expect(excepted(null)).toBe(false)
    })
    test(`${invariant} never where the run names no window`, () => {
      expect(isExcepted({ invariant, field: null, at: within }, { ...run, lostWindow: null })).toBe(false)
    })
  }
  test('and no other invariant', () => {
    expect(isExcepted({ invariant: 'I2', field: null, at: within }, run)).toBe(false)
  })
})
