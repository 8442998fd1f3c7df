import type { Row } from './tables.ts'

/** Odoo's half-up rounding, away from zero, with its guard against 4936.499999. */
export function roundTo(value: number, decimals: number): number {
  const factor = 10 ** decimals
  return (Math.sign(value) * Math.floor(Math.abs(value) * factor + 0.5 + 1e-9)) / factor || 0
}

/** One line, rounded per line as Odoo's default does. Chile's IVA comes on top unless the tax says it is in the price. */
export function lineAmounts(line: Row, taxes: Row[], decimals: number): { price_subtotal: number; price_tax: number; price_total: number } {
  if (line.display_type) return { price_subtotal: 0, price_tax: 0, price_total: 0 }
  const price = Number(line.price_unit ?? 0) * (1 - Number(line.discount ?? 0) / 100)
  const gross = roundTo(price * Number(line.product_uom_qty ?? 0), decimals)
  const rate = (included: boolean) =>
    taxes.filter((tax) => (tax.price_include === true) === included).reduce((sum, tax) => sum + Number(tax.amount) / 100, 0)
  const untaxed = roundTo(gross / (1 + rate(true)), decimals)
  const included = gross - untaxed
  const onTop = roundTo(untaxed * rate(false), decimals)
  const tax = roundTo(included + onTop, decimals)
  return { price_subtotal: untaxed, price_tax: tax, price_total: roundTo(untaxed + tax, decimals) }
}
