import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { judge } from './audit.ts'
import { type LedgerLine, readLedgerText } from './ledger-file.ts'
import { type AuditInput, type Lines, worldOf } from './world.ts'

/** What one look saw of the orders outside the incident list, and of the incidents. */
export interface Look {
  at: string
  orders: number
  /** On every compared field, in ERP, hub and target. */
  agreeing: number
  incidents: { declared: number; ok: number }
}

const EVERY_MS = 2_000
/** Of the time that a look took: what watches must not slow down what it watches. */
const REST = 3

/** Looks again and again, reading of the ledgers only what is new, and tells each look. Runs until the signal aborts. */
export async function watch(input: AuditInput, tell: (look: Look) => void, signal: AbortSignal): Promise<void> {
  const { odoo, meli, paris } = input.ledgers
  const tails = { odoo: tail(odoo), meli: tail(meli), paris: tail(paris) }
  while (!signal.aborted) {
    const began = performance.now()
    const readLines = (): Lines => ({ odoo: tails.odoo(), meli: tails.meli(), paris: tails.paris() })
    const { report, judged } = judge(await worldOf({ ...input, quietSeconds: 0 }, readLines), input)
    const orders = judged.filter((one) => one.check.inScope && one.declared === undefined)
    const { declared, ok } = report.incidents
    const agreeing = orders.filter((one) => one.check.breaches.length === 0).length
    tell({ at: new Date().toISOString(), orders: orders.length, agreeing, incidents: { declared, ok } })
    const tookMs = performance.now() - began
    await wait(Math.max(EVERY_MS - tookMs, REST * tookMs), undefined, { signal }).catch(() => {})
  }
}

/** Every line of a growing ledger; each call reads what was appended since the last one. */
function tail(path: string): () => LedgerLine[] {
  const lines: LedgerLine[] = []
  let read = 0
  return () => {
    const size = statSync(path).size
    const bytes = Buffer.alloc(size - read)
    const file = openSync(path, 'r')
    try {
      readSync(file, bytes, 0, bytes.length, read)
    } finally {
      closeSync(file)
    }
    const whole = bytes.lastIndexOf(10) + 1
    lines.push(...readLedgerText(bytes.toString('utf8', 0, whole), path))
    read += whole
    return lines
  }
}
