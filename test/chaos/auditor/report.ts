import type { AuditReport } from './audit.ts'
import { type Breach, INVARIANTS, invariantOf } from './breach.ts'

/** The report as people read it: the orders, the invariants, then a witness for each breach. */
export function reportText(report: AuditReport): string {
  const { checked, incidents, breaches, replay } = report
  const rows: [string, string | number][] = [
    ['checked, ERP to marketplace', checked.erpToMarketplace],
    ['checked, marketplace to ERP', checked.marketplaceToErp],
    ['still moving, not judged', report.unsettled],
    ['lost', report.lost],
    ['doubled', report.doubled],
    ['unequal', report.unequal],
    ['other breaches', report.invariants],
    ['incidents as declared', `${incidents.ok} of ${incidents.declared}`],
    ...(incidents.repaired > 0 ? [['incidents repaired since', incidents.repaired] as [string, number]] : []),
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  const table = rows.map(([name, value]) => `${name.padEnd(width)}  ${String(value).padStart(8)}`)
  const witnesses = breaches.length === 0 ? ['no breach'] : breaches.map((one) => witness(one, replay))
  return [...table, '', ...invariantLines(report), '', ...witnesses, ''].join('\n')
}

/** What holds stands in one line; what does not, and what could not be judged whole, in its own. */
function invariantLines({ judged }: AuditReport): string[] {
  const hold = INVARIANTS.filter((one) => judged[one].breaches === 0 && judged[one].excepted === 0 && judged[one].note === null)
  const others = INVARIANTS.filter((one) => !hold.includes(one)).map((one) => {
    const { breaches, excepted, note } = judged[one]
    const said = [
      breaches > 0 ? `${breaches} breached` : 'no breach',
      ...(excepted > 0 ? [`${excepted} excepted`] : []),
      ...(note ? [note] : []),
    ]
    return `${one.padEnd(4)} ${said.join(', ')}`
  })
  return [`hold: ${hold.join(' ')}`, ...others]
}

function witness(found: Breach, replay: AuditReport['replay']): string {
  const { kind, order, field, message, values, ledger, attempts, timeline } = found
  const invariant = invariantOf(found)
  const name = invariant === null || invariant === kind ? kind.toUpperCase() : `${invariant} ${kind.toUpperCase()}`
  return [
    `${name} ${order}${field === null ? '' : ` [${field}]`}: ${message}`,
    ...(values ? [`    erp ${values.erp} | hub ${values.hub} | marketplace ${values.target}`] : []),
    ...(ledger === '' ? [] : [`    ledger lines ${ledger}`]),
    ...(attempts.length === 0 ? [] : [`    attempts ${attempts.slice(-8).join('; ')}`]),
    ...timeline.map((line) => `    ${line}`),
    ...(replay ? [`    seed ${replay.seed}, replay: ${replay.command}`] : []),
  ].join('\n')
}
