/** Decimals of the currencies the hub meets; ISO 4217 says 2 for every other. */
const DECIMALS: Record<string, number> = { CLP: 0, PYG: 0, JPY: 0, KRW: 0, UYI: 0 }
const DECIMAL = /^([+-]?)(\d{1,15})(?:\.(\d{1,12}))?$/

function decimalsOf(currency: string): number {
  return DECIMALS[currency] ?? 2
}

/**
 * An amount as another system wrote it, in minor units of its currency.
 * Answers undefined for what is no exact amount of that currency (`12990.5` CLP), so that a caller can name the field.
 */
export function minorFrom(amount: string | number, currency: string): number | undefined {
  const parts = DECIMAL.exec(String(amount).trim())
  if (!parts) return undefined
  const decimals = decimalsOf(currency)
  const fraction = (parts[3] ?? '').replace(/0+$/, '')
  if (fraction.length > decimals) return undefined
  const minor = Number(`${parts[1] === '-' ? '-' : ''}${parts[2]}${fraction.padEnd(decimals, '0')}`)
  return Number.isSafeInteger(minor) ? minor + 0 : undefined
}

/** Minor units as a plain decimal number in the currency's major unit, for systems that take JSON numbers. */
export function majorFrom(amountMinor: number, currency: string): number {
  return Number(decimalText(amountMinor, currency))
}

export function decimalText(amountMinor: number, currency: string): string {
  const decimals = decimalsOf(currency)
  if (decimals === 0) return String(amountMinor)
  const digits = String(Math.abs(amountMinor)).padStart(decimals + 1, '0')
  return `${amountMinor < 0 ? '-' : ''}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`
}

/** A quantity as canonical decimal text (`"2"`, `"0.5"`); undefined when it is no decimal number. */
export function quantityFrom(value: string | number): string | undefined {
  const parts = DECIMAL.exec(typeof value === 'number' ? plain(value) : value.trim())
  if (!parts) return undefined
  const whole = parts[2]?.replace(/^0+(?=\d)/, '') ?? '0'
  const fraction = (parts[3] ?? '').replace(/0+$/, '')
  const text = fraction ? `${whole}.${fraction}` : whole
  return parts[1] === '-' && text !== '0' ? `-${text}` : text
}

export function isWholePositive(quantity: string): boolean {
  return /^[1-9]\d{0,8}$/.test(quantity)
}

export function isPositive(quantity: string): boolean {
  return !quantity.startsWith('-') && /[1-9]/.test(quantity)
}

// Most numbers print as plain decimals already; only very large or small ones need the slow way.
function plain(value: number): string {
  const text = String(value)
  if (!Number.isFinite(value)) return 'not a number'
  return text.includes('e') ? value.toLocaleString('en-US', { useGrouping: false, maximumFractionDigits: 12 }) : text
}
