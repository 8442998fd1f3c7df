import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { packageRoot } from '../../src/home.ts'
import { type Run, runOf } from './auditor/run-record.ts'
import { type Plan, RunRecord } from './plan.ts'

const FOLDER = join(packageRoot, 'out', 'chaos')

/** The record of a run that only began: red, until something else is known. */
export function emptyRecord(plan: Plan, commit: string): RunRecord {
  return {
    plan,
    at: new Date().toISOString(),
    commit,
    seconds: 0,
    result: 'red',
    problems: [],
    fired: [],
    schedule: [],
    orders: { erpToMarketplace: 0, marketplaceToErp: 0 },
    breaches: {},
    figures: {},
    faultyChannels: [],
    lostWindow: null,
    judgedBy: null,
  }
}

/** What the auditor is told of a run whose record is kept when it ends. */
export const toldOf = (record: RunRecord): Run => runOf(record, relative(packageRoot, recordPath(record.plan.id)))

/** Where the record of a run stands. */
export const recordPath = (id: string, folder = FOLDER): string => join(folder, `${id}.json`)

/** Keeps the record of a run as `out/chaos/<id>.json`, in place of the one before; whole or not at all. */
export function keepRecord(record: RunRecord, folder = FOLDER): void {
  mkdirSync(folder, { recursive: true })
  const path = recordPath(record.plan.id, folder)
  writeFileSync(`${path}.new`, `${JSON.stringify(record, null, 2)}\n`)
  renameSync(`${path}.new`, path)
}

/** The last record of every scenario that ran here, by its id. One that cannot be read, of another version of the harness, counts as none. */
export function readRecords(): Map<string, RunRecord> {
  if (!existsSync(FOLDER)) return new Map()
  const read = readdirSync(FOLDER)
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => {
      try {
        return [readRecord(join(FOLDER, name))]
      } catch {
        return []
      }
    })
  return new Map(read.map((record) => [record.plan.id, record]))
}

/** Folder of what a red run left, for a person to look at. */
export const evidenceOf = (id: string): string => join(FOLDER, 'evidence', id)

export function readRecord(path: string): RunRecord {
  return RunRecord.parse(JSON.parse(readFileSync(path, 'utf8')))
}
