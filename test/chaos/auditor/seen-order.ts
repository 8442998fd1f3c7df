/** One SKU of an order: what two systems must agree on. */
export interface SeenItem {
  quantity: string
  unitPriceMinor: number | null
}

/** An order as one system's ledger (or the hub's table) shows it. Null: its contract does not carry the field. */
export interface SeenOrder {
  channel: string
  id: string
  /** What it shows of the other system's order. */
  reference: string | null
  items: Map<string, SeenItem>
  lifecycle: string
  fulfilment: string | null
  currency: string | null
  totalMinor: number | null
  /** When its ledger last spoke of it, milliseconds since the epoch. */
  changedAt: number
  seqs: number[]
}

export const RANK: Record<string, number> = {
  none: 0,
  awaiting_acceptance: 1,
  to_prepare: 2,
  ready_to_ship: 3,
  shipped: 4,
  delivered: 5,
  not_delivered: 5,
  returned: 6,
}

/** The one that says least; undefined for none at all. */
export function least(words: readonly string[]): string | undefined {
  return words.toSorted((a, b) => (RANK[a] ?? 0) - (RANK[b] ?? 0))[0]
}

export interface RawItem {
  sku: string
  quantity: number | string
  unitPriceMinor: number | null
}

/** Lines by SKU; two lines of one SKU add up, and agree on a price or have none. */
export function itemsOf(lines: readonly RawItem[]): Map<string, SeenItem> {
  const groups = Map.groupBy(lines, (line) => line.sku)
  return new Map(
    [...groups].map(([sku, group]) => {
      const prices = new Set(group.map((line) => line.unitPriceMinor))
      return [
        sku,
        {
          quantity: textOfMillionths(group.reduce((sum, line) => sum + millionths(line.quantity), 0n)),
          unitPriceMinor: prices.size === 1 ? ([...prices][0] ?? null) : null,
        },
      ]
    }),
  )
}

const millionths = (quantity: number | string): bigint => BigInt(Math.round(Number(quantity) * 1_000_000))

function textOfMillionths(amount: bigint): string {
  const text = amount.toString().replace('-', '').padStart(7, '0')
  const fraction = text.slice(-6).replace(/0+$/, '')
  return `${amount < 0n ? '-' : ''}${text.slice(0, -6)}${fraction ? `.${fraction}` : ''}`
}

const WITHOUT_DECIMALS = new Set(['CLP', 'PYG', 'JPY', 'KRW', 'UYI'])

/** Minor units of an amount in a currency's major unit. */
export function minor(amount: number, currency: string | null): number {
  return Math.round(amount * (WITHOUT_DECIMALS.has(currency ?? '') ? 1 : 100))
}
