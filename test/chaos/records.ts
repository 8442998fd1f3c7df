import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../src/home.ts'
import { RunRecord } from './plan.ts'

const FOLDER = join(packageRoot, 'out', 'chaos')

/** Keeps the record of a run as `out/chaos/<id>.json`, in place of the one before; whole or not at all. */
export function keepRecord(record: RunRecord): void {
  mkdirSync(FOLDER, { recursive: true })
  const path = join(FOLDER, `${record.plan.id}.json`)
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
