import { closeSync, openSync, readSync } from 'node:fs'
import type { Stage } from './stage.ts'

export interface Samples {
  taken: number
  /** Samples that the database did not answer, because it was being restarted. */
  missed: number
  breaches: string[]
  /** One look at everything that must hold at any moment. */
  take(): Promise<void>
}

/** Conservation, a cause for whatever is given up on, and one order a reference at each marketplace: what can be said of a hub in full flight. */
export function samplesOf(stage: Stage): Samples {
  const ledgers = [ledgerReader(stage.running.ledgers.meli), ledgerReader(stage.running.ledgers.paris)]
  const samples: Samples = {
    taken: 0,
    missed: 0,
    breaches: [],
    async take() {
      for (const ledger of ledgers) samples.breaches.push(...ledger.doubles().map((reference) => `I2: a second order under ${reference}`))
      try {
        samples.breaches.push(...(await lookAtTables(stage)))
        samples.taken += 1
      } catch {
        samples.missed += 1
      }
    },
  }
  return samples
}

async function lookAtTables(stage: Stage): Promise<string[]> {
  const [row] = await stage.rows<{ planned: string; deliveries: string; dead: number }>(
    `SELECT (SELECT coalesce(sum(next_version - 1), 0) FROM binding) AS planned, (SELECT count(*) FROM delivery) AS deliveries,
       (SELECT count(*)::int FROM delivery WHERE state = 'dead' AND cause IS NULL) AS dead`,
  )
  if (!row) return []
  return [
    ...(row.planned === row.deliveries ? [] : [`I12: ${row.planned} versions planned, ${row.deliveries} deliveries`]),
    ...(row.dead === 0 ? [] : [`I3: ${row.dead} dead without a cause`]),
  ]
}

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
