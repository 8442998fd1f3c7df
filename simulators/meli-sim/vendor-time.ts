/** MercadoLibre answers with an offset, not with Z; Chile is `-04:00` (facts: notifications are UTC, resources carry offsets). */
const CHILE_OFFSET_MINUTES = -240

export function vendorTime(atMs: number): string {
  return withOffset(atMs, CHILE_OFFSET_MINUTES, ':')
}

/** Packs write their offset without a colon (`-0400`), as in the vendor's published example. */
export function packTime(atMs: number): string {
  return withOffset(atMs, CHILE_OFFSET_MINUTES, '')
}

/** The search index writes its own time in another offset than the order it indexes. */
export function indexTime(atMs: number): string {
  return withOffset(atMs, 0, ':')
}

/** Reads any of the forms above; NaN when it is none. */
export function readTime(text: string): number {
  return Date.parse(text.replace(/([+-]\d{2})(\d{2})$/, '$1:$2'))
}

/** A version later than `previous`, so that two changes in one millisecond never share a version. */
export function laterThan(previous: string | null, nowMs: number): number {
  if (previous === null) return nowMs
  return Math.max(nowMs, readTime(previous) + 1)
}

function withOffset(atMs: number, minutes: number, colon: string): string {
  const local = new Date(atMs + minutes * 60_000).toISOString().slice(0, -1)
  const sign = minutes < 0 ? '-' : '+'
  const hours = String(Math.floor(Math.abs(minutes) / 60)).padStart(2, '0')
  const rest = String(Math.abs(minutes) % 60).padStart(2, '0')
  return `${local}${sign}${hours}${colon}${rest}`
}
