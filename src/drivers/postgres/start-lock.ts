import { linkSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { SetupError } from '../../core/setup-error.ts'
import { isRunning, processStart } from './process-table.ts'

/** Another process, which runs, holds the lock. */
export class LockHeld extends SetupError {
  override readonly name = 'LockHeld'
  readonly path: string
  readonly pid: number
  constructor(path: string, pid: number, waitMs: number) {
    super(`process ${pid} holds ${path} since more than ${waitMs / 1000} s; end it, then start again`)
    this.path = path
    this.pid = pid
  }
}

/**
 * Runs `work` while holding the lock file `path`, waiting for whoever holds it. A lock left by a process that is gone is taken
 * over, so killing a holder with -9 blocks nobody. Throws `LockHeld` after `waitMs` milliseconds.
 */
export async function withStartLock<T>(path: string, work: () => Promise<T>, waitMs = 60_000): Promise<T> {
  const giveUpAt = Date.now() + waitMs
  while (!createWhole(path, JSON.stringify({ pid: process.pid, startedAt: processStart(process.pid) }))) {
    const holder = readHolder(path)
    if (holder === undefined) continue
    if (!isRunning(holder.pid, holder.startedAt)) removeStale(path)
    else if (Date.now() > giveUpAt) throw new LockHeld(path, holder.pid, waitMs)
    await delay(25)
  }
  try {
    return await work()
  } finally {
    rmSync(path, { force: true })
  }
}

/** The process that holds the lock file `path` and runs; undefined when none does. */
export function lockHolder(path: string): number | undefined {
  const holder = readHolder(path)
  return holder !== undefined && isRunning(holder.pid, holder.startedAt) ? holder.pid : undefined
}

type Holder = { pid: number; startedAt?: string }

let attempts = 0

// Linked into place, so that nobody ever reads a lock file that is still empty.
function createWhole(path: string, content: string): boolean {
  attempts += 1
  const own = `${path}.${process.pid}-${attempts}`
  writeFileSync(own, content, { mode: 0o600 })
  try {
    linkSync(own, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(own, { force: true })
  }
}

function readHolder(path: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Holder
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : { pid: 0 }
  }
}

// Two waiters may both see the stale lock: without this guard the slower one would remove the lock the faster one just took.
function removeStale(path: string): void {
  const guard = `${path}.removing`
  if (!createWhole(guard, '{}')) {
    const since = statSync(guard, { throwIfNoEntry: false })?.mtimeMs
    if (since !== undefined && Date.now() - since > 10_000) rmSync(guard, { force: true })
    return
  }
  try {
    const holder = readHolder(path)
    if (holder !== undefined && !isRunning(holder.pid, holder.startedAt)) rmSync(path, { force: true })
  } finally {
    rmSync(guard, { force: true })
  }
}
