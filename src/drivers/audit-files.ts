import { createReadStream, existsSync } from 'node:fs'
import { mkdir, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import type { ChainRow, CheckpointLog } from '../ports/audit-chain.ts'
import { Checkpoint, type CheckpointKey, isSigned, signCheckpoint } from './audit-chain.ts'

/** A line of an export or of a checkpoint file that is none; its text names file and line. */
export class AuditFileError extends Error {
  override readonly name = 'AuditFileError'
}

const Row: z.ZodType<ChainRow> = z.strictObject({
  seq: z.string().regex(/^[1-9]\d{0,18}$/),
  at: z.string(),
  actor: z.string(),
  body: z.string(),
  prev: z.hex().length(64),
  hash: z.hex().length(64),
})

/** The rows of an export, one JSON object a line. Throws AuditFileError at the first line that is no row. */
export async function* exportedRows(file: string): AsyncGenerator<ChainRow> {
  if (!existsSync(file)) throw new AuditFileError(`there is no file ${file}`)
  let place = 0
  for await (const line of createInterface({ input: createReadStream(file, 'utf8'), crlfDelay: Infinity })) {
    place += 1
    const row = Row.safeParse(parsed(line))
    if (!row.success) throw new AuditFileError(`${file} line ${place} is no row of the audit log`)
    yield row.data
  }
}

/** Checkpoints in the order they were written; none where the file is not there yet. */
export async function readCheckpoints(file: string): Promise<Checkpoint[]> {
  const text = existsSync(file) ? await readFile(file, 'utf8') : ''
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line, at) => {
      const checkpoint = Checkpoint.safeParse(parsed(line))
      if (!checkpoint.success) throw new AuditFileError(`${file} line ${at + 1} is no checkpoint`)
      return checkpoint.data
    })
}

/** Signed heads in one file, a line each. Only one process may append. */
export function checkpointFile(file: string, key: CheckpointKey): CheckpointLog {
  return {
    newest: async () => {
      const newest = (await readCheckpoints(file)).at(-1)
      if (newest === undefined) return null
      if (!isSigned(newest, key.publicKey)) throw new AuditFileError(`the newest checkpoint of ${file} bears no signature of this hub`)
      return { seq: newest.seq, hash: newest.hash, at: newest.at }
    },
    append: async (head) => appendLine(file, signCheckpoint(head, (await readCheckpoints(file)).at(-1), key)),
  }
}

// On disk before it counts as written.
async function appendLine(file: string, checkpoint: Checkpoint): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o711 })
  const handle = await open(file, 'a', 0o600)
  try {
    await handle.appendFile(`${JSON.stringify(checkpoint)}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
