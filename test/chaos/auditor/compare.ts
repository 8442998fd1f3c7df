import type { SilverRow } from './hub-tables.ts'
import { itemsOf, type SeenItem, type SeenOrder } from './seen-order.ts'

export interface Difference {
  field: string
  values: { erp: string; hub: string; target: string }
}

/** The compared part of a silver order. */
export type HubView = Pick<SeenOrder, 'items' | 'lifecycle' | 'fulfilment' | 'currency' | 'totalMinor'>

export function hubView({ canonical }: SilverRow): HubView {
  return {
    items: itemsOf(canonical.lines.map(({ sku, quantity, unitPriceMinor }) => ({ sku, quantity, unitPriceMinor }))),
    lifecycle: canonical.lifecycle,
    fulfilment: canonical.fulfilment,
    currency: canonical.currency,
    totalMinor: canonical.totalMinor,
  }
}

const NOT_READY_TO_LEAVE = ['none', 'awaiting_acceptance', 'to_prepare']

/** Until a parcel is ready to leave the hub notes nothing in the ERP, so its silence agrees with every such word. */
export function erpFulfilment(said: string | null, told: string | null): string | null {
  return said === 'none' && told !== null && NOT_READY_TO_LEAVE.includes(told) ? told : said
}

/** The fields on which three views disagree; a null is a view whose contract does not carry the field. */
export function differences(erp: HubView, hub: HubView, target: HubView, settled: { cancelled: boolean }): Difference[] {
  const found: Difference[] = []
  const same = (field: string, ...views: [string | number | null, string | number | null, string | number | null]): void => {
    const said = views.filter((value) => value !== null).map(String)
    if (new Set(said).size <= 1) return
    const [a, b, c] = views.map((value) => (value === null ? '(not carried)' : String(value)))
    found.push({ field, values: { erp: a ?? '', hub: b ?? '', target: c ?? '' } })
  }
  same('lifecycle', erp.lifecycle, hub.lifecycle, target.lifecycle)
  // What was cancelled everywhere is owed no further change.
  if (settled.cancelled) return found
  same('fulfilment', erp.fulfilment, hub.fulfilment, target.fulfilment)
  same('currency', erp.currency, hub.currency, target.currency)
  same('total', erp.totalMinor, hub.totalMinor, target.totalMinor)
  for (const sku of [...new Set([...erp.items.keys(), ...hub.items.keys(), ...target.items.keys()])].sort()) {
    const [a, b, c] = [erp.items.get(sku), hub.items.get(sku), target.items.get(sku)]
    same(`lines.${sku}.quantity`, quantityOf(a), quantityOf(b), quantityOf(c))
    if (a && b && c) same(`lines.${sku}.unit_price`, a.unitPriceMinor, b.unitPriceMinor, c.unitPriceMinor)
  }
  return found
}

const quantityOf = (item: SeenItem | undefined): string => item?.quantity ?? 'absent'
