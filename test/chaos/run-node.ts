// One node of the hub as a process of its own, with failpoints around its ports and pool. Only test/chaos starts it.
import { z } from 'zod'
import { assemble } from '../../src/assembly.ts'
import { loadConfig } from '../../src/config.ts'
import { failpoints, type PointPlan } from './failpoints.ts'
import { mutated } from './mutants/mutants.ts'
import { runBatchTxnWorker } from './mutants/ref-batch-txn.ts'
import { type RunningRole, startRole } from './node-roles.ts'
import { MUTANTS, ROLES } from './plan.ts'
import { noteCalls, nodeLog } from './evidence.ts'
import { watchAnswers, watchedPool, withFailpoints } from './watched-hub.ts'

const NodePlan = z.object({
  role: z.enum(ROLES),
  env: z.record(z.string(), z.string()),
  databaseUrl: z.string(),
  port: z.number(),
  point: z.custom<PointPlan>().nullable(),
  mutant: z.enum(MUTANTS).nullable(),
  /** Added to this process's own clock, which decides nothing. */
  clockAheadMs: z.number(),
  /** Folder of what it leaves for the auditor. */
  evidence: z.string(),
})
export type NodePlan = z.infer<typeof NodePlan>

/** An error that a planned fault explains is no news; anything else belongs on stderr. */
const quiet = process.env.CHAOS_QUIET === '1'

/** A database that is gone must not keep a node alive. */
const LONGEST_STOP_MS = 10_000

const plan = NodePlan.parse(JSON.parse(process.env.CHAOS_NODE ?? '{}'))
if (plan.clockAheadMs !== 0) moveClock(plan.clockAheadMs)
const points = failpoints(plan.point)
const written = nodeLog(plan.evidence, `${plan.role} ${process.pid}`)
noteCalls(plan.evidence)
const log = {
  ...written,
  error: (fields: Record<string, unknown>, message: string) => {
    written.error(fields, message)
    if (!quiet) process.stderr.write(`${message} ${String(fields.err)}\n`)
  },
}
const assembled = await assemble(loadConfig(plan.env, { demo: false }), plan.databaseUrl, log, {
  pool: (pool) => watchedPool(pool, points),
})
const watched = withFailpoints(mutated(assembled, plan.mutant), points)
const hub = plan.role === 'receiver' ? watchAnswers(watched, points) : watched
const running = plan.mutant === 'ref-batch-txn' && plan.role === 'worker' ? batchWorker() : await startRole(plan.role, hub, plan.port)
process.stdout.write(`${JSON.stringify({ ready: running.port })}\n`)

await new Promise<void>((resolve) => {
  process.once('SIGTERM', resolve)
  // Whoever started this process is gone.
  process.stdin.once('close', resolve).resume()
})
setTimeout(() => process.exit(1), LONGEST_STOP_MS).unref()
await running.stop()
await hub.close()
process.exit(0)

function batchWorker(): RunningRole {
  const stopping = new AbortController()
  const running = runBatchTxnWorker(hub, points, stopping.signal)
  return {
    port: 0,
    async stop() {
      stopping.abort()
      await running
    },
  }
}

function moveClock(aheadMs: number): void {
  const { now } = Date
  Date.now = () => now() + aheadMs
}
