import fc, { type Scheduler } from 'fast-check'
import { type Action, someActions } from './actions.ts'
import { DEFECTS } from './defects.ts'
import { heal } from './healing.ts'
import { judge, proveConserved } from './judge.ts'
import { perform } from './perform.ts'
import { Breach, openWorld, type World } from './world.ts'

export type DefectName = keyof typeof DEFECTS

export interface SimulationOptions {
  runs: number
  seed: number
  /** Of a run that failed: only that one is run again. */
  path?: string
  defect: DefectName
  /** What happens in every run; drawn unless given. */
  script?: Action[]
  /** No run begins after it; milliseconds. */
  limitMs: number
  progress(counts: Counts): void
}

export interface Counts {
  runs: number
  turns: number
  crashes: number
  orders: number
}

export interface Failure {
  seed: number
  path: string
  message: string
  /** What happened, then each port call in the order in which they were let through. */
  trace: string[]
  actions: Action[]
}

export interface Simulated extends Counts {
  failure: Failure | null
}

/** Runs so many schedules, each on a database of its own. One that fails is made smaller, and answered with what runs it again. */
export async function simulate(options: SimulationOptions): Promise<Simulated> {
  const counts: Counts = { runs: 0, turns: 0, crashes: 0, orders: 0 }
  const actionsOf = options.script === undefined ? someActions : fc.constant(options.script)
  const property = fc.asyncProperty(actionsOf, fc.scheduler(), async (actions, scheduler) => {
    await runSchedule(actions, scheduler, { defect: options.defect, counts })
    options.progress(counts)
  })
  const details = await fc.check(property, {
    numRuns: options.runs,
    seed: options.seed,
    ...(options.path === undefined ? {} : { path: options.path, endOnFailure: true }),
    interruptAfterTimeLimit: options.limitMs,
  })
  const error = details.errorInstance
  if (!details.failed || details.counterexample === null) return { ...counts, failure: null }
  const failure: Failure = {
    seed: details.seed,
    path: details.counterexamplePath ?? '',
    message: error instanceof Error ? (error instanceof ScheduleFailed ? error.message : (error.stack ?? error.message)) : String(error),
    trace: error instanceof ScheduleFailed ? error.trace : [],
    actions: details.counterexample[0],
  }
  return { ...counts, failure }
}

class ScheduleFailed extends Error {
  readonly trace: string[]
  constructor(cause: unknown, trace: string[]) {
    super(cause instanceof Error ? (cause instanceof Breach ? cause.message : (cause.stack ?? cause.message)) : String(cause), { cause })
    this.trace = trace
  }
}

async function runSchedule(actions: readonly Action[], scheduler: Scheduler, run: { defect: DefectName; counts: Counts }): Promise<void> {
  const world = await openWorld(scheduler, DEFECTS[run.defect])
  try {
    for (const action of actions) {
      await perform(world, action)
      world.prove()
    }
    await proveConserved(world)
    await heal(world)
    await judge(world)
  } catch (error) {
    throw new ScheduleFailed(error, world.trace)
  } finally {
    count(run.counts, world)
    await world.close()
  }
}

function count(counts: Counts, { trace, book, markets }: World): void {
  counts.runs += 1
  counts.turns += trace.filter((line) => /^n\d /.test(line)).length
  counts.crashes += trace.filter((line) => line.includes('(crash ')).length
  counts.orders += book.orders.size + markets.reduce((sum, market) => sum + market.orders.size, 0)
}

/** What a person reads of a failed schedule. */
export function failureText({ seed, path, message, trace, actions }: Failure, defect: DefectName): string {
  return [
    message,
    '',
    `${actions.length} actions are left:`,
    ...actions.map((action) => `  ${JSON.stringify(action)}`),
    '',
    'the schedule:',
    ...trace.slice(-400).map((line) => `  ${line}`),
    '',
    `again: npm run simulate -- --seed ${seed} --path ${path}${defect === 'none' ? '' : ` --defect ${defect}`}`,
  ].join('\n')
}
