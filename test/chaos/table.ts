import type { RunRecord } from './plan.ts'

/** One line of progress. */
export function progressLine(record: RunRecord, done: number, of: number): string {
  const { plan, result, seconds, fired } = record
  const why = record.problems[0]?.split('\n')[0] ?? ''
  const tail = result === 'green' ? `${fired.length} fired` : `RED ${why}`
  return `${String(done).padStart(String(of).length)}/${of} ${plan.id.padEnd(9)} ${seconds.toFixed(1).padStart(5)} s  ${plan.title}  ${tail}`
}

/** What a run came to: a line a catalogue row, then what was red with its witness and the line that replays it. */
export function resultTable(records: readonly RunRecord[], seconds: number): string {
  const rows = Map.groupBy(records, (record) => record.plan.row)
  const lines = [...rows]
    .toSorted(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
    .map(([row, some]) => {
      const red = some.filter((one) => one.result === 'red').length
      const fired = some.reduce((sum, one) => sum + one.fired.length, 0)
      const orders = some.reduce((sum, one) => sum + one.orders.erpToMarketplace + one.orders.marketplaceToErp, 0)
      return `${row.padEnd(6)} ${String(some.length).padStart(9)} ${String(red).padStart(4)} ${String(fired).padStart(12)} ${String(orders).padStart(7)}`
    })
  const red = records.filter((record) => record.result === 'red')
  return [
    '',
    `row    scenarios  red faults fired  orders`,
    ...lines,
    '',
    ...red.flatMap(witness),
    `${records.length} scenarios, ${records.length - red.length} green, ${red.length} red, ${Math.round(seconds)} s`,
    '',
  ].join('\n')
}

export function witness(record: RunRecord): string[] {
  return [
    `RED ${record.plan.id} (${record.plan.row}, seed ${record.plan.seed}): ${record.plan.title}`,
    ...record.problems.flatMap((problem) => problem.split('\n').map((line) => `    ${line}`)),
    ...record.fired.slice(0, 6).map((one) => `    fired ${one.at} ${one.fault}: ${one.inFlight.slice(0, 120)}`),
    `    npm run chaos -- --replay out/chaos/${record.plan.id}.json`,
    '',
  ]
}
