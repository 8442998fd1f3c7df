import type { Breach } from './breach.ts'
import { checkErpBorn, type OrderCheck } from './check-erp-born.ts'
import { checkSales, checkStrays } from './check-sales.ts'
import { checkIncident, type IncidentResult, readIncidents } from './incidents.ts'
import { checkInvariants } from './invariants.ts'
import { type AuditInput, readWorld } from './world.ts'

export interface AuditReport {
  checked: { erpToMarketplace: number; marketplaceToErp: number }
  /** Changed within the quiet window: not judged. */
  unsettled: number
  lost: number
  doubled: number
  unequal: number
  /** Every other breach, by its invariant. */
  invariants: number
  /** Of the declared ones: as declared, and put right by a person since. */
  incidents: { declared: number; ok: number; repaired: number }
  breaches: Breach[]
}

/** Starts from the ledgers, reads the base tables, and answers every breach. Reads only. */
export async function audit(input: AuditInput & { incidents: string | null }): Promise<AuditReport> {
  const world = await readWorld(input)
  const incidents = readIncidents(input.incidents)
  const erpBorn = checkErpBorn(world)
  const sales = checkSales(world)
  const checks = [...erpBorn, ...sales]
  const isNamed = (check: OrderCheck, reference: string): boolean => check.names.includes(reference.toUpperCase())
  const declaredOf = (check: OrderCheck) => incidents.find((incident) => isNamed(check, incident.reference))
  const results: IncidentResult[] = incidents.map((incident) =>
    checkIncident(
      incident,
      checks.find((check) => isNamed(check, incident.reference)),
      world,
    ),
  )
  const settled = checks.filter((check) => check.settled)
  const breaches = [
    ...settled.flatMap((check) => check.breaches.filter((breach) => isJudged(breach, declaredOf(check)?.declared.cause))),
    ...checkStrays(world),
    ...checkInvariants(world),
    ...results.flatMap((result) => result.breach ?? []),
  ]
  const inScope = (some: OrderCheck[]): number => some.filter((check) => check.settled && check.inScope).length
  const count = (kind: Breach['kind']): number => breaches.filter((breach) => breach.kind === kind).length
  return {
    checked: { erpToMarketplace: inScope(erpBorn), marketplaceToErp: inScope(sales) },
    unsettled: checks.length - settled.length,
    lost: count('lost'),
    doubled: count('doubled'),
    unequal: count('unequal'),
    invariants: breaches.length - count('lost') - count('doubled') - count('unequal') - count('incident'),
    incidents: {
      declared: incidents.length,
      ok: results.filter((result) => result.breach === null && !result.repaired).length,
      repaired: results.filter((result) => result.repaired).length,
    },
    breaches,
  }
}

// A declared incident answers for what its order lacks; a doubled order is one only where that is what was declared, and an order
// that is declared to be where it belongs is judged as any other.
function isJudged(found: Breach, declaredCause: string | undefined): boolean {
  if (declaredCause === undefined || declaredCause === 'delivered') return true
  return found.kind === 'doubled' && declaredCause !== 'duplicated-at-target'
}
