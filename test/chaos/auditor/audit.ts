import { type Breach, INVARIANTS, type Invariant, invariantOf } from './breach.ts'
import { checkErpBorn, type OrderCheck } from './check-erp-born.ts'
import { checkSales, checkStrays } from './check-sales.ts'
import { auditHolds } from './checks/audit-log.ts'
import { nothingLeaks } from './checks/canaries.ts'
import { nothingVanishes } from './checks/conservation.ts'
import { foldedAgain } from './checks/fold.ts'
import { healthyChannelsComplete } from './checks/isolation.ts'
import { endedOnce, noStaleFinish } from './checks/leases.ts'
import { onlyOwnedFieldsChange } from './checks/owned-fields.ts'
import { requestsAreAccountedFor } from './checks/requests.ts'
import { retriesHold } from './checks/retries.ts'
import { longestTransaction, transactionsAreShort } from './checks/transactions.ts'
import { checkIncident, type Incident, type IncidentResult, readIncidents } from './incidents.ts'
import { isExcepted, type Run } from './run-record.ts'
import { type Sample, samplesOf } from './sample-file.ts'
import { timelineOf } from './timeline.ts'
import { type AuditInput, readWorld, type World } from './world.ts'

export interface AuditReport {
  checked: { erpToMarketplace: number; marketplaceToErp: number }
  /** Changed within the quiet window: not judged. */
  unsettled: number
  lost: number
  doubled: number
  unequal: number
  /** Every other breach, by its invariant. */
  invariants: number
  /** How each of I1 to I15 was judged: how many breaches, or why it was not judged whole. */
  judged: Record<Invariant, { breaches: number; excepted: number; note: string | null }>
  /** Milliseconds of the oldest transaction that a sampler saw; null without one. */
  longestTransactionMs: number | null
  /** Share of a sampler's looks at the database that failed, 0 to 1. */
  blindness: number
  /** Of the declared ones: as declared, and put right by a person since. */
  incidents: { declared: number; ok: number; repaired: number }
  breaches: Breach[]
  /** Of the run record: what makes the run again. */
  replay: Run['replay']
}

/** Starts from the ledgers, reads the base tables, and answers every breach of I1 to I15. Reads only. */
export async function audit(input: AuditInput): Promise<AuditReport> {
  return judge(await readWorld(input), input).report
}

export interface Judged {
  check: OrderCheck
  /** What the incident list says of it. */
  declared: Incident | undefined
}

/** The same of a world that was read already, with the verdict on each order. */
export function judge(world: World, input: Pick<AuditInput, 'incidents'>): { report: AuditReport; judged: Judged[] } {
  const incidents = readIncidents(input.incidents)
  const erpBorn = checkErpBorn(world)
  const sales = checkSales(world)
  const checks = [...erpBorn, ...sales]
  const byName = new Map(checks.toReversed().flatMap((check) => check.names.map((name) => [name, check] as const)))
  const declaredOf = new Map(incidents.flatMap((incident) => [[byName.get(incident.reference.toUpperCase()), incident] as const]))
  const results = incidents.map((incident) => checkIncident(incident, byName.get(incident.reference.toUpperCase()), world))
  const settled = checks.filter((check) => check.settled)
  const found = [
    ...settled.flatMap((check) => check.breaches.filter((one) => isJudged(one, declaredOf.get(check)?.declared.cause))),
    ...checkStrays(world),
    ...everyInvariant(world),
    ...results.flatMap((result) => result.breach ?? []),
  ]
  const excepted = found.filter((one) => isExceptedHere(one, world))
  const breaches = found.filter((one) => !excepted.includes(one))
  for (const one of breaches.slice(0, MOST_TIMELINES)) one.timeline = timelineOf(one, checks, world)
  const inScope = (some: OrderCheck[]): number => some.filter((check) => check.settled && check.inScope).length
  const count = (kind: Breach['kind']): number => breaches.filter((one) => one.kind === kind).length
  return {
    judged: checks.map((check) => ({ check, declared: declaredOf.get(check) })),
    report: {
      checked: { erpToMarketplace: inScope(erpBorn), marketplaceToErp: inScope(sales) },
      unsettled: checks.length - settled.length,
      lost: count('lost'),
      doubled: count('doubled'),
      unequal: count('unequal'),
      invariants: breaches.length - count('lost') - count('doubled') - count('unequal') - count('incident'),
      judged: judgedOf(breaches, excepted, world),
      longestTransactionMs: longestTransaction(world),
      blindness: blindnessOf(world),
      incidents: incidentsOf(results),
      breaches,
      replay: world.run.replay,
    },
  }
}

/** Of hundreds of breaches the first ones tell the story. */
const MOST_TIMELINES = 50

function everyInvariant(world: World): Breach[] {
  return [
    ...requestsAreAccountedFor(world),
    ...foldedAgain(world),
    ...auditHolds(world),
    ...transactionsAreShort(world),
    ...healthyChannelsComplete(world),
    ...retriesHold(world),
    ...noStaleFinish(world),
    ...endedOnce(world),
    ...nothingVanishes(world),
    ...nothingLeaks(world),
    ...onlyOwnedFieldsChange(world),
  ]
}

function isExceptedHere(found: Breach, { run }: World): boolean {
  const invariant = invariantOf(found)
  return invariant !== null && isExcepted({ invariant, field: found.field, at: found.at }, run)
}

function judgedOf(breaches: readonly Breach[], excepted: readonly Breach[], world: World): AuditReport['judged'] {
  const count = (some: readonly Breach[], invariant: Invariant): number => some.filter((one) => invariantOf(one) === invariant).length
  const entries = INVARIANTS.map((invariant): [Invariant, AuditReport['judged'][Invariant]] => [
    invariant,
    { breaches: count(breaches, invariant), excepted: count(excepted, invariant), note: noteOn(invariant, world) },
  ])
  return Object.fromEntries(entries) as AuditReport['judged']
}

/** What a sampler must have seen for an invariant to be judged whole. */
const SAMPLED: Partial<Record<Invariant, Sample['kind'][]>> = {
  I8: ['sessions', 'call'],
  I9: ['channels'],
  I10: ['channels'],
  I11: ['leases'],
  I12: ['sums'],
}
/** Those of which no table tells. */
const SAMPLED_ALONE: ReadonlySet<Invariant> = new Set(['I8', 'I9'])

/** What the given files leave out. */
function noteOn(invariant: Invariant, { samples, files }: World): string | null {
  const lacking = SAMPLED[invariant]?.find((kind) => !samples.some((sample) => sample.kind === kind))
  if (lacking) return `${SAMPLED_ALONE.has(invariant) ? 'not judged whole' : 'by the tables alone'}: no ${lacking} in --samples`
  if (files.length === 0 && (invariant === 'I13' || invariant === 'I14')) return 'in the tables alone: no --scan'
  return null
}

function blindnessOf({ samples }: World): number {
  const blind = samplesOf(samples, 'blind').length
  return blind / Math.max(1, blind + samplesOf(samples, 'sums').length)
}

function incidentsOf(results: readonly IncidentResult[]): AuditReport['incidents'] {
  return {
    declared: results.length,
    ok: results.filter((result) => result.breach === null && !result.repaired).length,
    repaired: results.filter((result) => result.repaired).length,
  }
}

// A declared incident answers for what its order lacks; a doubled order is one only where that is what was declared, and an order
// that is declared to be where it belongs is judged as any other.
function isJudged(found: Breach, declaredCause: string | undefined): boolean {
  if (declaredCause === undefined || declaredCause === 'delivered') return true
  return found.kind === 'doubled' && declaredCause !== 'duplicated-at-target'
}
