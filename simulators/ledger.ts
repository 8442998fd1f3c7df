import { mkdir, open, readFile } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'

export type LedgerRecord =
  | {
      kind: 'request'
      requestId: string | null
      method: string
      path: string
      bodySha256: string
      decision: string
      status: number | null
      replySha256: string | null
      orderId?: string | null
      detail?: unknown
    }
  | {
      kind: 'order'
      act: 'created' | 'updated' | 'cancelled' | 'confirmed' | 'status' | 'message' | 'tracking' | 'deleted'
      id: string
      reference: string | null
      requestId: string | null
      by: 'client' | 'admin'
      /** Full snapshot after the act, in the vendor's shape; for `deleted` the last one before it. */
      order: unknown
    }
  | { kind: 'stock'; sku: string; requestId: string | null; by: 'client' | 'admin'; stock: unknown }
  | { kind: 'webhook'; url: string; eventId: string | null; bodySha256: string; attempt: number; status: number | null; error?: string }
  /** Whatever else must survive a restart: tokens, products, registered URLs. */
  | { kind: 'account' | 'state'; id: string; state: unknown }

export type LedgerEntry = LedgerRecord & { seq: number; at: string }

export interface Ledger {
  /** Resolves with the sequence number once the line is on disk (fsync). Rejects for good after the first failed write. */
  append(record: LedgerRecord): Promise<number>
  /** What is on disk, oldest first. */
  entries(): LedgerEntry[]
  close(): Promise<void>
}

interface Waiting {
  entry: LedgerEntry
  resolve: (seq: number) => void
  reject: (error: unknown) => void
}

/**
 * Opens an append-only file of JSON lines and replays it. Appends that arrive together share one fsync and keep their order.
 * A torn last line (the process died while writing) is dropped; a damaged line elsewhere is an error that names it.
 */
export async function openLedger(path: string): Promise<Ledger> {
  await mkdir(dirname(path), { recursive: true })
  const file = await open(path, 'a')
  const { entries, validBytes, fileBytes } = parseLedger(await readFile(path), path)
  await syncFolder(dirname(path))
  let tornBytes = fileBytes > validBytes
  let seq = entries.at(-1)?.seq ?? 0
  let waiting: Waiting[] = []
  let flushing: Promise<void> | null = null
  let closed = false
  let broken: Error | null = null

  async function flush(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      try {
        if (broken !== null) throw broken
        // Not at open: a second process started by mistake must be able to read the file without harm.
        if (tornBytes) await file.truncate(validBytes)
        tornBytes = false
        await writeLines(file, batch)
      } catch (error) {
        broken ??= error instanceof Error ? error : new Error(String(error))
        for (const one of batch) one.reject(error)
        continue
      }
      for (const one of batch) {
        entries.push(one.entry)
        one.resolve(one.entry.seq)
      }
    }
    flushing = null
  }

  return {
    append(record) {
      if (closed) return Promise.reject(new Error(`ledger ${path} is closed`))
      seq += 1
      const entry: LedgerEntry = { ...record, seq, at: new Date().toISOString() }
      return new Promise((resolve, reject) => {
        waiting.push({ entry, resolve, reject })
        // A turn later, so that appends of the same turn share the fsync.
        flushing ??= Promise.resolve().then(flush)
      })
    },
    entries: () => [...entries],
    async close() {
      if (closed) return
      closed = true
      await flushing
      await file.close()
    },
  }
}

async function writeLines(file: FileHandle, batch: readonly Waiting[]): Promise<void> {
  await file.appendFile(batch.map((one) => `${JSON.stringify(one.entry)}\n`).join(''))
  await file.datasync()
}

function parseLedger(bytes: Buffer, path: string): { entries: LedgerEntry[]; validBytes: number; fileBytes: number } {
  const entries: LedgerEntry[] = []
  let start = 0
  let line = 0
  while (start < bytes.length) {
    const end = bytes.indexOf(10, start)
    if (end === -1) break
    line += 1
    const entry = parseLine(bytes.toString('utf8', start, end))
    if (entry === null && end + 1 === bytes.length) break
    if (entry === null)
      throw new Error(`ledger ${path}: line ${line} is not a ledger entry; move the file away to start with an empty ledger`)
    entries.push(entry)
    start = end + 1
  }
  return { entries, validBytes: start, fileBytes: bytes.length }
}

function parseLine(text: string): LedgerEntry | null {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || !('kind' in value) || !('seq' in value) || typeof value.seq !== 'number') return null
    return value as LedgerEntry
  } catch {
    return null
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
