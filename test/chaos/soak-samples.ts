import { closeSync, openSync, readSync } from 'node:fs'
import type { Stage } from './stage.ts'

export interface Samples {
  taken: number
  /** Samples that the database did not answer, because it was being restarted. */
  missed: number
  breaches: string[]
  longestTransactionMs: number
  /** One look at everything that must hold at any moment. */
  take(): Promise<void>
}

const MOST_TRANSACTION_MS = 250

/** Conservation, one order a reference at each marketplace, and no long transaction: what can be said of a hub in full flight. */
export function samplesOf(stage: Stage): Samples {
  const ledgers = [ledgerReader(stage.running.ledgers.meli), ledgerReader(stage.running.ledgers.paris)]
  const samples: Samples = {
    taken: 0,
    missed: 0,
    breaches: [],
    longestTransactionMs: 0,
    async take() {
      for (const ledger of ledgers) samples.breaches.push(...ledger.doubles().map((reference) => `I2: a second order under ${reference}`))
      try {
        samples.breaches.push(...(await lookAtTables(stage, samples)))
        samples.taken += 1
      } catch {
        samples.missed += 1
      }
    },
  }
  return samples
}

async function lookAtTables(stage: Stage, samples: Samples): Promise<string[]> {
  const [row] = await stage.rows<{ planned: string; deliveries: string; dead: number; transaction: number }>(
    `SELECT (SELECT coalesce(sum(next_version - 1), 0) FROM binding) AS planned, (SELECT count(*) FROM delivery) AS deliveries,
       (SELECT count(*)::int FROM delivery WHERE state = 'dead' AND cause IS NULL) AS dead,
       (SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start) * 1000), 0)::int FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'rosh%' AND state LIKE 'idle in transaction%') AS transaction`,
  )
  if (!row) return []
  samples.longestTransactionMs = Math.max(samples.longestTransactionMs, row.transaction)
  return [
    ...(row.planned === row.deliveries ? [] : [`I12: ${row.planned} versions planned, ${row.deliveries} deliveries`]),
    ...(row.dead === 0 ? [] : [`I3: ${row.dead} dead without a cause`]),
  ]
}

export const isLong = (samples: Samples): boolean => samples.longestTransactionMs > MOST_TRANSACTION_MS

/** Reads what a ledger gained since the last look, and answers references that were created again. */
function ledgerReader(path: string): { doubles(): string[] } {
  const seen = new Set<string>()
  let offset = 0
  let rest = ''
  return {
    doubles() {
      const file = openSync(path, 'r')
      const doubled: string[] = []
      for (const buffer = Buffer.alloc(1 << 20); ; ) {
        const length = readSync(file, buffer, 0, buffer.length, offset)
        if (length === 0) break
        offset += length
        const lines = (rest + buffer.toString('utf8', 0, length)).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) {
          const reference = createdReference(line)
          if (reference === null) continue
          if (seen.has(reference)) doubled.push(reference)
          seen.add(reference)
        }
      }
      closeSync(file)
      return doubled
    },
  }
}

function createdReference(line: string): string | null {
  if (!line.includes('"created"')) return null
  const { kind, act, by, reference } = JSON.parse(line) as { kind: string; act?: string; by?: string; reference?: string | null }
  return kind === 'order' && act === 'created' && by === 'client' ? (reference ?? null) : null
}
