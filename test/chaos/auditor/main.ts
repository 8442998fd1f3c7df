// Holds the simulators' ledgers against the hub's tables. Imports nothing of the hub, so one bug cannot hide in both.
import { setTimeout as wait } from 'node:timers/promises'
import { type AuditArguments, BadArgument, readArguments, USAGE } from './arguments.ts'
import { audit } from './audit.ts'
import { reportText } from './report.ts'
import { watch } from './watch.ts'

const OK = 0
const BREACH = 1
const BAD_ARGUMENTS = 2

async function main(): Promise<number> {
  const argv = process.argv.slice(2)
  if (argv.includes('--help')) {
    process.stdout.write(`${USAGE}\n`)
    return OK
  }
  if (argv.includes('--watch')) return watching(argv)
  const given = readArguments(argv, process.env)
  const report = await audit(given)
  process.stdout.write(given.json ? `${JSON.stringify(report, null, 2)}\n` : reportText(report))
  return report.breaches.length === 0 ? OK : BREACH
}

/** Until a signal asks to stop; a hub that is only starting is waited for. */
async function watching(argv: string[]): Promise<number> {
  const stopping = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort())
  const given = await whenThere(argv, stopping.signal)
  const tell = (look: unknown): void => void process.stdout.write(`${JSON.stringify(look)}\n`)
  if (given) await watch(given, tell, stopping.signal)
  return OK
}

async function whenThere(argv: string[], signal: AbortSignal): Promise<AuditArguments | null> {
  while (!signal.aborted) {
    try {
      const given = readArguments(argv, process.env)
      await audit(given)
      return given
    } catch {
      await wait(500, undefined, { signal }).catch(() => {})
    }
  }
  return null
}

try {
  process.exitCode = await main()
} catch (error) {
  const said = error instanceof Error ? error.message : String(error)
  process.stderr.write(error instanceof BadArgument ? `${said}\nusage: ${USAGE}\n` : `the audit could not be made: ${said}\n`)
  process.exitCode = BAD_ARGUMENTS
}
