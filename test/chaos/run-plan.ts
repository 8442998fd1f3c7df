import { rmSync } from 'node:fs'
import { reportText } from './auditor/report.ts'
import { faultyChannels, firedAtSimulators } from './faults.ts'
import { breachesOf, type Expected, judged, missing, unjudged } from './judge.ts'
import type { Fired, Plan, RunRecord } from './plan.ts'
import { emptyRecord, evidenceOf, toldOf } from './records.ts'
import { SCRIPTS } from './scripts/scripts.ts'
import { openStage, type Stage } from './stage.ts'

/** Runs one scenario from nothing to its record. Whatever goes wrong makes it red; nothing is thrown. */
export async function runPlan(plan: Plan, commit: string): Promise<RunRecord> {
  const began = performance.now()
  const record = emptyRecord(plan, commit)
  try {
    await runInto(record)
  } catch (error) {
    record.problems.push(wordsOf(error))
  }
  record.result = record.problems.length === 0 ? 'green' : 'red'
  record.seconds = Math.round((performance.now() - began) / 100) / 10
  return record
}

/** How long the last order may take; only red runs wait so long. */
const LONGEST_MS = 150_000
// What a planted mistake broke stays broken: nobody waits for it to mend.
const LONGEST_WITH_A_MISTAKE_MS = 30_000

async function runInto(record: RunRecord): Promise<void> {
  const { plan } = record
  const script = SCRIPTS[plan.script]
  if (!script) throw new Error(`there is no script "${plan.script}"`)
  const stage = await openStage(plan, script.stage?.(plan))
  try {
    const expected = await script.run(stage).catch((error: unknown): undefined => void record.problems.push(wordsOf(error)))
    if (expected === null) record.judgedBy = 'assertions'
    else if (expected !== undefined) await judgeInto(record, stage, expected)
    record.problems.push(...stage.problems)
    stage.fired.push(...(await firedAtSimulators(stage)))
    record.problems.push(...unfired(stage))
  } catch (error) {
    record.problems.push(wordsOf(error))
  } finally {
    record.fired = stage.fired
    record.schedule = stage.schedule
    record.figures = stage.figures
    keepEvidence(stage, record)
    await stage.close()
  }
}

/** Of a red run, for a person to look at; a planted mistake is red on purpose. What an earlier run of the same scenario left goes. */
function keepEvidence(stage: Stage, { plan, problems }: RunRecord): void {
  const folder = evidenceOf(plan.id)
  try {
    rmSync(folder, { recursive: true, force: true })
    if (problems.length > 0 && plan.mutant === null) stage.keep(folder)
  } catch (error) {
    problems.push(`its evidence was not kept: ${wordsOf(error)}`)
  }
}

async function judgeInto(record: RunRecord, stage: Stage, expected: Expected): Promise<void> {
  const { plan } = record
  record.judgedBy = 'auditor'
  record.faultyChannels = faultyChannels(plan.faults)
  record.lostWindow = expected.lostWindow ?? null
  stage.note('judgement begins')
  const forMs = plan.mutant === null ? LONGEST_MS : LONGEST_WITH_A_MISTAKE_MS
  const report = await judged(stage.running, { ...expected, run: toldOf(record), evidence: stage.evidence }, forMs)
  stage.note('judgement passed')
  record.orders = report.checked
  record.breaches = breachesOf(report)
  record.problems.push(...missing(report, expected), ...unjudged(report))
  if (report.breaches.length > 0) record.problems.push(reportText(report))
}

/** What was planned and did not happen with an order in flight: without it the run proves nothing. */
function unfired({ plan, fired }: Stage): string[] {
  const named = [...plan.faults, ...(plan.victim ? [`${plan.victim.action} ${plan.victim.point} #${plan.victim.nth}`] : [])]
  const hit = (fault: string, one: Fired): boolean => one.fault === fault && one.inFlight !== ''
  const silent = named.filter((fault) => !fired.some((one) => hit(fault, one)))
  if (named.length === 0 && !fired.some((one) => one.inFlight !== ''))
    return ['did not fire: no fault with an order in flight is on record']
  return silent.map((fault) => `did not fire: ${fault}`)
}

const wordsOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error))
