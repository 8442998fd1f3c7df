import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * Whether the process runs: a zombie does not, and with `startedAt` (from `processStart`) neither does a later process that was
 * given the same id.
 */
export function isRunning(pid: number, startedAt?: string): boolean {
  if (!(pid > 0)) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  const stat = procStat(pid)
  if (stat === undefined) return true
  return stat.state !== 'Z' && (startedAt === undefined || stat.startedAt === startedAt)
}

/** When the process started, in clock ticks since boot; undefined where there is no /proc. */
export function processStart(pid: number): string | undefined {
  return procStat(pid)?.startedAt
}

/** The command line of a process, words separated by spaces; empty when it cannot be read. */
export function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    if (process.platform === 'linux') return ''
  }
  try {
    return execFileSync('ps', ['-p', String(pid), '-o', 'command='], { encoding: 'utf8' })
  } catch {
    return ''
  }
}

function procStat(pid: number): { state: string | undefined; startedAt: string | undefined } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0], startedAt: fields[19] }
  } catch {
    return undefined
  }
}
