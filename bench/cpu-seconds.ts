import { readdirSync, readFileSync } from 'node:fs'

interface Process {
  pid: number
  parent: number
  command: string
  /** Its own, and those of children that ended. */
  seconds: number
}

const TICKS_PER_SECOND = 100

/**
 * CPU seconds by part: each named process, and every process below it that is a simulator under its own program's name; PostgreSQL's many as one, found by what its command line holds.
 * Empty where there is no /proc.
 */
export function cpuSecondsOf(named: Record<string, number | undefined>, server: string): [string, number][] {
  const processes = readProcesses()
  const parts = new Map<string, number>()
  const add = (name: string, { seconds }: Process): void => void parts.set(name, (parts.get(name) ?? 0) + seconds)
  const postmasters = processes.filter((one) => one.command.includes('postgres') && one.command.includes(server)).map((one) => one.pid)
  const hub = Object.values(named).filter((pid) => pid !== undefined)
  for (const one of processes) {
    const name = Object.entries(named).find(([, pid]) => pid === one.pid)?.[0]
    const simulator = /simulators\/([\w-]+)\/main/.exec(one.command)?.[1]
    if (name !== undefined) add(name, one)
    else if (simulator !== undefined && hub.includes(one.parent)) add(simulator, one)
    else if (postmasters.includes(one.pid) || postmasters.includes(one.parent)) add('postgres', one)
  }
  return [...parts]
}

function readProcesses(): Process[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => readProcess(Number(name)) ?? [])
  } catch {
    return []
  }
}

function readProcess(pid: number): Process | undefined {
  try {
    // The program's own name stands in brackets and may hold anything: the fields follow the last one.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
    const ticks = fields.slice(11, 15).reduce((sum, one) => sum + Number(one), 0)
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
    return { pid, parent: Number(fields[1]), command, seconds: ticks / TICKS_PER_SECOND }
  } catch {
    return undefined // it ended meanwhile
  }
}
