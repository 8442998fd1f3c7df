import type { CauseCode } from './cause-code.ts'
import type { DesiredOrder } from './desired.ts'
import type { Lifecycle, OrderLine } from './order.ts'

/** One field on which two systems disagree. Values are short texts of the hub's own making, never personal data. */
export interface FieldDifference {
  field: string
  hub: string
  there: string
}

export interface Drift {
  kind: 'missing' | 'content' | 'lifecycle' | 'duplicate'
  cause: CauseCode
  fields: FieldDifference[]
}

/** What a system shows of an order that was delivered to it, as far as the comparison needs it. */
export interface ShownOrder {
  lifecycle: Lifecycle | null
  currency: string | null
  totalMinor: number | null
  lines: { sku: string; quantity: string; unitPriceMinor: number | null }[]
}

/**
 * Compares what was delivered with what the target shows. Fields that its contract does not carry (null) are not compared.
 * Answers one drift per kind, with every field that differs.
 */
export function compareOrder(desired: DesiredOrder, shown: ShownOrder | null): Drift[] {
  if (shown === null) return desired.lifecycle === 'cancelled' ? [] : [{ kind: 'missing', cause: 'delivered-then-missing', fields: [] }]
  const drifts: Drift[] = []
  const there = shown.lifecycle === 'cancelled' ? 'cancelled' : 'open'
  const ours = desired.lifecycle === 'cancelled' ? 'cancelled' : 'open'
  if (shown.lifecycle !== null && there !== ours)
    drifts.push({ kind: 'lifecycle', cause: 'drift', fields: [{ field: 'lifecycle', hub: ours, there }] })
  if (ours === 'cancelled' || desired.lines.length === 0) return drifts
  const fields = [...money(desired, shown), ...lineDifferences(desired.lines, shown.lines)]
  if (fields.length > 0) drifts.push({ kind: 'content', cause: 'drift', fields })
  return drifts
}

function money(desired: DesiredOrder, shown: ShownOrder): FieldDifference[] {
  const differs = (hub: string | number | null, there: string | number | null): boolean => hub !== null && there !== null && hub !== there
  return [
    ...(differs(desired.currency, shown.currency)
      ? [{ field: 'currency', hub: String(desired.currency), there: String(shown.currency) }]
      : []),
    ...(differs(desired.totalMinor, shown.totalMinor)
      ? [{ field: 'total', hub: String(desired.totalMinor), there: String(shown.totalMinor) }]
      : []),
  ]
}

function lineDifferences(ours: readonly OrderLine[], theirs: ShownOrder['lines']): FieldDifference[] {
  const hub = bySku(ours)
  const there = bySku(theirs)
  return [...new Set([...hub.keys(), ...there.keys()])].sort().flatMap((sku) => {
    const a = hub.get(sku)
    const b = there.get(sku)
    if (a?.quantity !== b?.quantity)
      return [{ field: `lines.${sku}.quantity`, hub: a?.quantity ?? 'absent', there: b?.quantity ?? 'absent' }]
    const priced = a?.price !== null && b?.price !== null && a?.price !== b?.price
    return priced ? [{ field: `lines.${sku}.unit_price`, hub: String(a?.price), there: String(b?.price) }] : []
  })
}

// Two lines of one SKU are one line at a target that groups them.
function bySku(
  lines: readonly { sku: string; quantity: string; unitPriceMinor: number | null }[],
): Map<string, { quantity: string; price: number | null }> {
  const grouped = new Map<string, { quantities: string[]; prices: Set<number | null> }>()
  for (const line of lines) {
    const group = grouped.get(line.sku) ?? { quantities: [], prices: new Set() }
    group.quantities.push(line.quantity)
    group.prices.add(line.unitPriceMinor)
    grouped.set(line.sku, group)
  }
  return new Map(
    [...grouped].map(([sku, g]) => [
      sku,
      { quantity: addDecimals(g.quantities), price: g.prices.size === 1 ? ([...g.prices][0] ?? null) : null },
    ]),
  )
}

/** The sum of canonical decimal texts, exact. */
export function addDecimals(texts: readonly string[]): string {
  const places = Math.max(0, ...texts.map((t) => t.split('.')[1]?.length ?? 0))
  const scaled = texts.reduce((total, t) => {
    const [whole = '0', fraction = ''] = t.split('.')
    return total + BigInt(whole + fraction.padEnd(places, '0'))
  }, 0n)
  if (places === 0) return scaled.toString()
  const digits = scaled.toString().padStart(places + 1, '0')
  return `${digits.slice(0, -places)}.${digits.slice(-places)}`.replace(/\.?0+$/, '')
}
