/** Checks that no single invariant names: what the ledgers of ERP and marketplaces say of an order against each other, and the incident list. */
export type LedgerBreachKind = 'lost' | 'doubled' | 'unequal' | 'strayed' | 'incident'
export const INVARIANTS = ['I1', 'I2', 'I3', 'I4', 'I5', 'I6', 'I7', 'I8', 'I9', 'I10', 'I11', 'I12', 'I13', 'I14', 'I15'] as const
export type Invariant = (typeof INVARIANTS)[number]
export type BreachKind = LedgerBreachKind | Invariant

/** One violation with the smallest evidence that shows it. */
export interface Breach {
  kind: BreachKind
  /** What people call the order, or the row where it is about none; `-` where there is neither. */
  order: string
  /** The field on which systems disagree. */
  field: string | null
  values: { erp: string; hub: string; target: string } | null
  message: string
  /** Lines of the ledgers, `odoo:12,15 mercadolibre:1001:7`. */
  ledger: string
  /** Attempts of the order, `17 send create unknown`. */
  attempts: string[]
  /** Its silver order, where the check started from there. */
  orderId: string | null
  /** When it happened, milliseconds since the epoch, where its evidence tells: by the machine's clock of a ledger, by the hub's of a row. */
  at: number | null
  /** What happened to the order, oldest first; filled in for the report. */
  timeline: string[]
}

export function breach(kind: BreachKind, order: string, message: string, more: Partial<Breach> = {}): Breach {
  return { field: null, values: null, ledger: '', attempts: [], orderId: null, at: null, timeline: [], ...more, kind, order, message }
}

/** Two orders where one should be is I2; the other kinds of the ledgers are no invariant of their own. */
export function invariantOf({ kind }: Breach): Invariant | null {
  if (kind === 'doubled') return 'I2'
  return INVARIANTS.find((one) => one === kind) ?? null
}

export function seqText(...seen: { channel: string; seqs: readonly number[] }[]): string {
  return seen.map(({ channel, seqs }) => `${channel}:${[...new Set(seqs)].sort((a, b) => a - b).join(',')}`).join(' ')
}
