import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { packageRoot } from '../../src/home.ts'
import { commitOf } from './commit.ts'
import { type Action, type Plan, RunRecord } from './plan.ts'
import { emptyRecord, keepRecord } from './records.ts'

export interface RunOptions {
  /** Scenarios at once, each in a process of its own. */
  parallel: number
  /** Told of each record as it comes. */
  onRecord?: (record: RunRecord, done: number, of: number) => void
  /** Longest time of one scenario. */
  limitMs?: number
}

const LIMIT_MS = 600_000
/** A process that ran this many is replaced: none grows old. */
const SCENARIOS_A_PROCESS = 40

/**
 * Runs every plan, some at once and after them, one by one, those that must be alone. Writes a record for each to
 * `out/chaos/<id>.json`, and answers them in the order of the plans.
 */
export async function runAll(plans: readonly Plan[], options: RunOptions): Promise<RunRecord[]> {
  const commit = commitOf()
  const records: RunRecord[] = []
  let done = 0
  const work = async (queue: [number, Plan][]): Promise<void> => {
    let batch: Batch | null = null
    let ran = 0
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [at, plan] = next
      batch ??= startBatch()
      const record = await batch.run(plan, commit, options.limitMs ?? LIMIT_MS)
      records[at] = record
      keepRecord(record)
      options.onRecord?.(record, ++done, plans.length)
      if (batch.isDead() || ++ran % SCENARIOS_A_PROCESS === 0) {
        await batch.end()
        batch = null
      }
    }
    await batch?.end()
  }
  const { beside, alone } = queuesOf(plans)
  await Promise.all(Array.from({ length: Math.min(options.parallel, beside.length) }, () => work(beside)))
  await work(alone)
  return records
}

/** Plans by their place among all: those that may run beside others, and those that run when no other does. */
export function queuesOf(plans: readonly Plan[]): Record<'beside' | 'alone', [number, Plan][]> {
  const queue = [...plans.entries()].sort(([, one], [, other]) => lengthOf(other) - lengthOf(one))
  return { beside: queue.filter(([, plan]) => !plan.alone), alone: queue.filter(([, plan]) => plan.alone) }
}

/** Who takes longest begins first, so that nobody waits for it alone at the end. */
const LENGTHS: Record<Action, number> = { stop: 8, kill: 4, delay: 1, throw: 0 }
const lengthOf = ({ victim, work }: Plan): number => (victim ? LENGTHS[victim.action] : 0) + (work === 'change' ? 5 : 0)

const MOST_REPEATS = 2

/** The same, but a run counts only if its faults came with an order in hand: one whose did not is made again, twice at most. */
export async function runCounted(plans: readonly Plan[], options: RunOptions): Promise<RunRecord[]> {
  let records = await runAll(plans, options)
  for (let again = 0; again < MOST_REPEATS; again++) {
    const uncounted = records.filter(hasNotFired)
    if (uncounted.length === 0) break
    const repeated = await runAll(
      uncounted.map((record) => record.plan),
      options,
    )
    records = records.map((record) => repeated.find((one) => one.plan.id === record.plan.id) ?? record)
  }
  return records
}

const hasNotFired = ({ problems }: RunRecord): boolean => problems.length > 0 && problems.every((one) => one.startsWith('did not fire'))

interface Batch {
  run(plan: Plan, commit: string, limitMs: number): Promise<RunRecord>
  isDead(): boolean
  /** Resolves when its process is gone. */
  end(): Promise<void>
}

function startBatch(): Batch {
  const program = fileURLToPath(new URL('run-batch.ts', import.meta.url))
  const child: ChildProcess = fork(program, {
    execArgv: [],
    env: { ...process.env, NODE_COMPILE_CACHE: join(packageRoot, 'out', 'compile-cache') },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  let dead = false
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => {
      dead = true
      resolve()
    })
  })
  return {
    run: (plan, commit, limitMs) =>
      new Promise((resolve) => {
        const began = performance.now()
        const failed = (why: string): void => {
          dead = true
          child.kill('SIGKILL')
          end(unfinished(plan, commit, why, performance.now() - began))
        }
        const limit = setTimeout(() => failed(`did not end within ${limitMs / 1000} s`), limitMs)
        const onExit = (code: number | null): void => failed(`the process that ran it ended with ${code}`)
        const onMessage = (message: unknown): void => end(RunRecord.parse(message))
        const end = (record: RunRecord): void => {
          clearTimeout(limit)
          child.off('exit', onExit).off('message', onMessage)
          resolve(record)
        }
        child.once('exit', onExit).once('message', onMessage)
        child.send({ plan, commit })
      }),
    isDead: () => dead,
    end() {
      if (child.connected) child.disconnect()
      return gone
    },
  }
}

function unfinished(plan: Plan, commit: string, why: string, ms: number): RunRecord {
  return { ...emptyRecord(plan, commit), seconds: Math.round(ms / 100) / 10, problems: [why] }
}
