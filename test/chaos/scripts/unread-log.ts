import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../../src/home.ts'
import { ODOO_TAKES_A_MOMENT, type Stage } from '../stage.ts'
import { expectedOf, perform, SMALL, workloadOf } from '../workload.ts'
import type { Script } from './script.ts'

/** X1: by the seed, who reads the log of the only worker has stopped or is gone, or its disk is full. The worker runs as `rosh worker`. */
export const unreadLog: Script = {
  async run(stage) {
    await stage.calm('subscriber')
    const made = await perform(stage, workloadOf(stage.plan.seed, SMALL))
    const inFlight = await stage.eventually(() => stage.underWay(), 'an order is under way')
    const log = LOGS[stage.plan.seed]
    if (!log) throw new Error(`no such log: ${stage.plan.seed}`)
    await stage.running.odoo('PUT', '/admin/faults', [UNREADABLE, ODOO_TAKES_A_MOMENT])
    const worker = workerSaying(stage, log.open(stage))
    await stage.eventually(async () => (await hasFailedToRead(stage)) || undefined, 'the worker has something to log')
    stage.fire(log.fault, inFlight)
    await stage.calm('reconciler')
    await stage.eventually(async () => (await isDone(stage, worker)) || undefined, 'the worker delivers every order')
    worker.kill('SIGTERM')
    await stage.eventually(() => Promise.resolve(worker.exitCode === 0 || undefined), 'the worker ends when it is asked to')
    return expectedOf(made)
  },
}

interface UnreadLog {
  fault: string
  /** What the worker writes to. */
  open(stage: Stage): number
}

const LOGS: readonly UnreadLog[] = [
  {
    fault: 'the reader of the log has stopped',
    open(stage) {
      const { reading, writing } = fifoOf(stage)
      stage.atEnd('before', () => closeSync(reading))
      fill(writing)
      return writing
    },
  },
  {
    fault: 'the reader of the log is gone',
    open(stage) {
      const { reading, writing } = fifoOf(stage)
      closeSync(reading)
      return writing
    },
  },
  { fault: 'the disk of the log is full', open: () => openSync('/dev/full', 'w') },
]

function fifoOf({ running }: Stage): { reading: number; writing: number } {
  const path = join(running.home, 'worker-log')
  spawnSync('mkfifo', [path])
  const reading = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  return { reading, writing: openSync(path, constants.O_WRONLY | constants.O_NONBLOCK) }
}

/** Writes to a pipe until it has no room. */
function fill(pipe: number): void {
  const filler = Buffer.alloc(4_096, ' ')
  try {
    for (;;) writeSync(pipe, filler)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
  }
}

function workerSaying(stage: Stage, fd: number): ChildProcess {
  const worker = spawn(process.execPath, [join(packageRoot, 'src', 'main.ts'), 'worker'], {
    env: { PATH: process.env.PATH, ...stage.running.env },
    stdio: ['ignore', 'ignore', fd],
  })
  closeSync(fd)
  stage.atEnd('before', () => worker.kill('SIGKILL'))
  return worker
}

/** A read of the ERP that fails is logged. */
const UNREADABLE = { match: { path: 'sale.order.search_read$' }, fault: 'status', status: 500, times: 3 }

async function hasFailedToRead({ running }: Stage): Promise<boolean> {
  const { faults } = (await running.odoo('GET', '/admin/faults')) as { faults: { fault: string; hits: number }[] }
  return faults.some(({ fault, hits }) => fault === UNREADABLE.fault && hits > 0)
}

async function isDone(stage: Stage, worker: ChildProcess): Promise<boolean> {
  if (worker.exitCode !== null) throw new Error(`the worker ended with ${worker.exitCode}`)
  const delivered = `SELECT count(*)::int FROM delivery WHERE kind = 'order' AND channel <> 'odoo' AND state = 'delivered'`
  const [row] = await stage.rows<{ count: number }>(delivered)
  return row?.count === SMALL.erp && (await stage.underWay()) === ''
}
