import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../src/home.ts'
import { RunRecord } from './plan.ts'

const FOLDER = join(packageRoot, 'out', 'chaos')

/** Keeps the record of a run as `out/chaos/<id>.json`, in place of the one before. */
export function keepRecord(record: RunRecord): void {
  mkdirSync(FOLDER, { recursive: true })
  writeFileSync(join(FOLDER, `${record.plan.id}.json`), `${JSON.stringify(record, null, 2)}\n`)
}

/** The last record of every scenario that ran here, by its id. */
export function readRecords(): Map<string, RunRecord> {
  if (!existsSync(FOLDER)) return new Map()
  const read = readdirSync(FOLDER)
    .filter((name) => name.endsWith('.json'))
    .map((name) => readRecord(join(FOLDER, name)))
  return new Map(read.map((record) => [record.plan.id, record]))
}

export function readRecord(path: string): RunRecord {
  return RunRecord.parse(JSON.parse(readFileSync(path, 'utf8')))
}
