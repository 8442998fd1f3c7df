// A lock file for the installer. Plain JavaScript that Node 20 parses, see launch.js.
import { linkSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * Waits until the lock is ours; a lock left by a process that is gone is taken over.
 * @param {string} path
 * @param {(pid: number) => void} onWait called once, with the holder's process id
 * @returns {Promise<() => void>} gives the lock back
 */
export async function takeLock(path, onWait = () => {}) {
  let told = false
  for (;;) {
    if (createWhole(path, `${JSON.stringify({ pid: process.pid, startedAt: startOf(process.pid) })}\n`)) return releaseOnExit(path)
    const holder = readHolder(path)
    if (holder === undefined) continue // given back between the two looks
    if (!isAlive(holder)) {
      removeStale(path)
      continue
    }
    if (!told) onWait(holder.pid)
    told = true
    await delay(200)
  }
}

// The content is linked into place, so that nobody ever reads a lock file that is still empty.
function createWhole(path, content) {
  const own = `${path}.${process.pid}`
  writeFileSync(own, content, { mode: 0o600 })
  try {
    linkSync(own, path)
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(own, { force: true })
  }
}

function readHolder(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    return { pid: 0 }
  }
}

// Process ids are used again: the start time tells the holder from a later process with the same id.
function isAlive({ pid, startedAt }) {
  if (!(pid > 0)) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (error.code === 'ESRCH') return false
  }
  const now = startOf(pid)
  return now === undefined || startedAt === undefined || now === startedAt
}

function startOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined // no /proc here: the process id alone decides
  }
}

// Two waiters may both see the stale lock. Without this guard the slower one would remove the lock the faster one just took.
function removeStale(path) {
  const guard = `${path}.removing`
  if (!createWhole(guard, `${process.pid}\n`)) {
    try {
      if (Date.now() - statSync(guard).mtimeMs > 10_000) rmSync(guard, { force: true })
    } catch {
      // gone already
    }
    return
  }
  try {
    const holder = readHolder(path)
    if (holder !== undefined && !isAlive(holder)) rmSync(path, { force: true })
  } finally {
    rmSync(guard, { force: true })
  }
}

function releaseOnExit(path) {
  const release = () => {
    process.removeListener('exit', release)
    rmSync(path, { force: true })
  }
  process.once('exit', release)
  return release
}
