/** A time window as people type it: `24h`, `7d`, `90m`, or an ISO time. */
export type Since = { kind: 'window'; ms: number } | { kind: 'instant'; iso: string }

const UNIT_MS: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }
const LONGEST_MS = 366 * 86_400_000

/** Undefined for what is neither a window of at most 366 days nor an ISO time. */
export function readSince(typed: string): Since | undefined {
  const text = typed.trim()
  const window = /^(\d{1,5})\s*([mhdw])$/i.exec(text)
  if (window) {
    const ms = Number(window[1]) * (UNIT_MS[(window[2] ?? '').toLowerCase()] ?? 0)
    return ms > 0 && ms <= LONGEST_MS ? { kind: 'window', ms } : undefined
  }
  if (!/^\d{4}-\d{2}-\d{2}/.test(text)) return undefined
  const instant = Date.parse(text)
  return Number.isNaN(instant) ? undefined : { kind: 'instant', iso: new Date(instant).toISOString() }
}
