import { join } from 'node:path'
import type { RunningHub } from '../support/running-hub.ts'
import { type AuditReport, audit } from './auditor/audit.ts'
import type { Run } from './auditor/run-record.ts'
import type { Evidence } from './evidence.ts'
import type { RunRecord } from './plan.ts'

export interface Expected {
  erpToMarketplace: number
  marketplaceToErp: number
  /** So many ERP orders were cancelled, perhaps before the hub could read them; then they are no business of a marketplace. */
  cancelled?: number
  /** File of declared incidents. */
  incidents?: string | null
  /** When what was committed was lost on purpose. */
  lostWindow?: RunRecord['lostWindow']
  /** What the auditor is told of the run: what was injected takes out what it must, and nothing else; and how the run is made again. */
  run?: Run
  /** What the run left beside ledgers and tables. */
  evidence?: Evidence
}

const POLL_MS = 100
/** A double that is on its way arrives within this: longer than a simulator takes for a create. */
const LATE_MS = 300
/** Share of looks at the database that may fail: some rows restart it. */
const MOST_BLIND = 0.5
/** Nodes that start and scenarios beside this one take the processor for longer than 250 ms. What a transaction must never wait for, a call to another
 * system, is seen at the call itself. */
const LONGEST_TRANSACTION_MS = 2_500

/**
 * The auditor's word once everything ended and it finds nothing more to say, or after the deadline: a double never goes away, a lost order
 * would have come.
 */
export async function judged(running: RunningHub, expected: Expected, forMs: number): Promise<AuditReport> {
  const end = Date.now() + forMs
  const { evidence } = expected
  const ask = (): Promise<AuditReport> =>
    audit({
      databaseUrl: running.database.migratorUrl,
      ledgers: running.ledgers,
      hubFile: join(running.home, 'hub.yaml'),
      incidents: expected.incidents ?? null,
      quietSeconds: 0,
      run: expected.run ?? null,
      ...(evidence ? given(evidence) : {}),
    })
  for (;;) {
    await untilQuiet(running, end)
    const report = await ask()
    if ((missing(report, expected).length === 0 && report.breaches.length === 0) || report.doubled > 0 || Date.now() > end) return report
    await pause(POLL_MS * 3)
  }
}

const given = ({ samples, canaries, logs }: Evidence) => ({ samples, canaries, scan: logs(), longestTransactionMs: LONGEST_TRANSACTION_MS })

// The hub looks at open orders again and again by itself; what a sweep found anew shows in what is expected.
async function untilQuiet(running: RunningHub, end: number): Promise<void> {
  let quietSince: number | null = null
  while (Date.now() < end) {
    const { rows } = await running.owner.query<{ open: number }>(
      `SELECT ((SELECT count(*) FROM delivery WHERE kind = 'order' AND state IN ('pending', 'ambiguous'))
             + (SELECT count(*) FROM inbound_event WHERE state = 'pending' AND topic <> 'sweep'))::int AS open`,
    )
    quietSince = rows[0]?.open === 0 ? (quietSince ?? Date.now()) : null
    if (quietSince !== null && Date.now() - quietSince >= LATE_MS) return
    await pause(POLL_MS)
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Breaches counted by kind, for a record. */
export function breachesOf(report: AuditReport): Record<string, number> {
  const counted: Record<string, number> = {}
  for (const { kind } of report.breaches) counted[kind] = (counted[kind] ?? 0) + 1
  return counted
}

/** Why a run with evidence was not judged whole, as sentences: no look at the database, no call, no log. */
export function unjudged({ judged: each, blindness }: AuditReport): string[] {
  const notes = Object.entries(each).flatMap(([invariant, { note }]) =>
    note === null ? [] : [`${invariant} was not judged whole: ${note}`],
  )
  return blindness > MOST_BLIND ? [...notes, `the sampler was blind in ${Math.round(blindness * 100)} % of its looks`] : notes
}

/** Every order known to the auditor that was expected, as a sentence when it is not so. */
export function missing(report: AuditReport, expected: Expected): string[] {
  const { erpToMarketplace, marketplaceToErp } = report.checked
  const unread = expected.erpToMarketplace - erpToMarketplace
  return [
    ...(unread >= 0 && unread <= (expected.cancelled ?? 0)
      ? []
      : [`${erpToMarketplace} of ${expected.erpToMarketplace} orders were checked from ERP to marketplace`]),
    ...(marketplaceToErp === expected.marketplaceToErp
      ? []
      : [`${marketplaceToErp} of ${expected.marketplaceToErp} orders were checked from marketplace to ERP`]),
  ]
}
