// Holds the simulators' ledgers against the hub's tables. Imports nothing of the hub, so one bug cannot hide in both.
import { BadArgument, readArguments, USAGE } from './arguments.ts'
import { audit } from './audit.ts'
import { reportText } from './report.ts'

const OK = 0
const BREACH = 1
const BAD_ARGUMENTS = 2

async function main(): Promise<number> {
  if (process.argv.includes('--help')) {
    process.stdout.write(`${USAGE}\n`)
    return OK
  }
  const given = readArguments(process.argv.slice(2), process.env)
  const report = await audit(given)
  process.stdout.write(given.json ? `${JSON.stringify(report, null, 2)}\n` : reportText(report))
  return report.breaches.length === 0 ? OK : BREACH
}

try {
  process.exitCode = await main()
} catch (error) {
  const said = error instanceof Error ? error.message : String(error)
  process.stderr.write(error instanceof BadArgument ? `${said}\nusage: ${USAGE}\n` : `the audit could not be made: ${said}\n`)
  process.exitCode = BAD_ARGUMENTS
}
