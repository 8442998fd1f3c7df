import type { AuditReport } from './audit.ts'
import type { Breach } from './breach.ts'

/** The report as people read it: one table, then a witness for each breach. */
export function reportText(report: AuditReport): string {
  const { checked, incidents } = report
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
  return [...table, '', ...(report.breaches.length === 0 ? ['no breach'] : report.breaches.map(witness)), ''].join('\n')
}

function witness({ kind, order, field, message, values, ledger, attempts }: Breach): string {
  return [
    `${kind.toUpperCase()} ${order}${field === null ? '' : ` [${field}]`}: ${message}`,
    ...(values ? [`    erp ${values.erp} | hub ${values.hub} | marketplace ${values.target}`] : []),
    ...(ledger === '' ? [] : [`    ledger lines ${ledger}`]),
    ...(attempts.length === 0 ? [] : [`    attempts ${attempts.slice(-8).join('; ')}`]),
  ].join('\n')
}
