export type BreachKind = 'lost' | 'doubled' | 'unequal' | 'strayed' | 'incident' | 'I1' | 'I3' | 'I5' | 'I6' | 'I12'

/** One violation with the smallest evidence that shows it. */
export interface Breach {
  kind: BreachKind
  /** What people call the order; `-` where it is about none. */
  order: string
  /** The field on which systems disagree. */
  field: string | null
  values: { erp: string; hub: string; target: string } | null
  message: string
  /** Lines of the ledgers, `odoo:12,15 mercadolibre:1001:7`. */
  ledger: string
  /** Attempts of the order, `17 send create unknown`. */
  attempts: string[]
}

export function breach(kind: BreachKind, order: string, message: string, more: Partial<Breach> = {}): Breach {
  return { field: null, values: null, ledger: '', attempts: [], ...more, kind, order, message }
}

export function seqText(...seen: { channel: string; seqs: readonly number[] }[]): string {
  return seen.map(({ channel, seqs }) => `${channel}:${[...new Set(seqs)].sort((a, b) => a - b).join(',')}`).join(' ')
}
