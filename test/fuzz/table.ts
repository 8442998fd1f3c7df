import type { Outcome } from './run-door.ts'

export function tableOf(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map((o) => [
    o.door,
    String(o.runs),
    String(o.accepted),
    String(o.refused),
    String(o.crashes.length),
    o.seconds.toFixed(1),
  ])
  const all = [['door', 'runs', 'accepted', 'refused', 'crashes', 'seconds'], ...rows]
  const widths = all[0]!.map((_, at) => Math.max(...all.map((row) => row[at]!.length)))
  return all.map((row) => row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join('  ')).join('\n')
}
