// `npm run chaos`: runs scenarios of the failure catalogue on the real hub and lets the auditor judge them.
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { CliError } from '../../src/cli/context.ts'
import { countFrom } from '../../src/cli/count.ts'
import { setup } from '../support/global-setup.ts'
import { commandOf } from './auditor/run-record.ts'
import { cataloguePlans } from './catalogue.ts'
import { isCodeOf } from './commit.ts'
import { fullPlans, gatePlans } from './matrix-plans.ts'
import { MUTANTS, type Plan, type RunRecord } from './plan.ts'
import { readRecord, readRecords } from './records.ts'
import { writeReliabilityPage } from './reliability-page.ts'
import { runCounted } from './run-all.ts'
import { isProven, mutantTable, runMutants } from './run-mutants.ts'
import { progressLine, resultTable } from './table.ts'
import { exitCodeOf } from './usage.ts'

const HELP = `npm run chaos -- [what] [options]

What to run:
  --gate            the pairwise matrix: what a change must pass (default)
  --catalogue       the named scenarios of every row of the failure catalogue
  --full            the catalogue, then the whole matrix: failpoint x hit x fault x marketplace profile
  --mutants         the known-bad builds: the auditor must turn red on each, and stay green on the same scenario without the mistake
  --replay FILE     the scenario of a record again, out/chaos/<id>.json
  --report          writes RELIABILITY.md from the records in out/chaos
  --list            what there is, without running it

Options:
  --only TEXT       only scenarios of this row, or whose id or title holds the text
  --parallel N      scenarios at once (default 3); one that measures memory runs after the others, alone
  --resume          leaves out what is already green in out/chaos with the code that is checked out, whatever documents were changed since
  --help            this text

Each scenario leaves out/chaos/<id>.json: seed, schedule, faults that fired with what was in flight, breaches. The exit code is 1 when one is red:
a breach, an assertion, or a fault that never fired with an order in flight; 2 when an option is wrong.
`

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      gate: { type: 'boolean' },
      full: { type: 'boolean' },
      catalogue: { type: 'boolean' },
      mutants: { type: 'boolean' },
      replay: { type: 'string' },
      list: { type: 'boolean' },
      report: { type: 'boolean' },
      only: { type: 'string' },
      parallel: { type: 'string', default: '3' },
      resume: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  if (values.help) {
    process.stdout.write(HELP)
    return 0
  }
  const named = (['gate', 'full', 'catalogue', 'mutants', 'replay', 'report'] as const).filter((what) => values[what] !== undefined)
  if (named.length > 1) throw new CliError('bad-input', `--${named.join(' and --')} exclude each other`)
  const parallel = countFrom('--parallel', values.parallel, [1, MOST_PARALLEL])
  if (values.list && (values.mutants || values.report))
    throw new CliError('bad-input', '--list shows scenarios alone: leave --mutants and --report out')
  if (values.report) return report()
  if (values.mutants) return proveMutants(parallel, values.only)
  const plans = chosen(values)
  if (plans.length === 0)
    throw new CliError('bad-input', `--only: no scenario that can run here has "${values.only}"; RELIABILITY.md says what a row needs`)
  if (values.list) {
    for (const plan of plans) process.stdout.write(`${plan.id.padEnd(10)} ${plan.row.padEnd(5)} ${plan.title}\n`)
    return 0
  }
  const left = values.resume ? notYetGreen(plans) : plans
  if (left.length === 0) {
    process.stdout.write(`all ${plans.length} scenarios are green on record\n`)
    return 0
  }
  return run(left, parallel)
}

const MOST_PARALLEL = 64

interface Chosen {
  full?: boolean | undefined
  catalogue?: boolean | undefined
  replay?: string | undefined
  only?: string | undefined
}

function chosen(values: Chosen): Plan[] {
  const plans = plansOf(values)
  const text = values.only
  return text === undefined ? plans : plans.filter((plan) => plan.id.includes(text) || plan.row === text || plan.title.includes(text))
}

/** What is not yet green on record with the code that is checked out. */
function notYetGreen(plans: readonly Plan[]): Plan[] {
  const records = readRecords()
  const isCurrent = new Map([...new Set([...records.values()].map(({ commit }) => commit))].map((commit) => [commit, isCodeOf(commit)]))
  const isGreen = (record: RunRecord | undefined): boolean => record?.result === 'green' && isCurrent.get(record.commit) === true
  return plans.filter((plan) => !isGreen(records.get(plan.id)))
}

function plansOf({ replay, full, catalogue }: Chosen): Plan[] {
  if (replay !== undefined) return [recorded(replay)]
  if (full) return [...cataloguePlans(), ...fullPlans()]
  return catalogue ? cataloguePlans() : gatePlans()
}

function recorded(path: string): Plan {
  const { plan } = recordIn(path)
  if (plan.soak !== undefined) throw new CliError('bad-input', `--replay: "${path}" is the record of a soak; run: ${commandOf(plan, path)}`)
  return plan
}

function recordIn(path: string): RunRecord {
  try {
    return readRecord(path)
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error).replaceAll(/\s*\n\s*/g, '; ') : String(error)
    throw new CliError('bad-input', `--replay: "${path}" is no record of a scenario: ${why}`)
  }
}

function report(): number {
  const missing = writeReliabilityPage()
  process.stdout.write(missing.length === 0 ? 'RELIABILITY.md: every row\n' : `RELIABILITY.md: no run of ${missing.join(' ')}\n`)
  return 0
}

const onRecord = (record: RunRecord, done: number, of: number): void => void process.stdout.write(`${progressLine(record, done, of)}\n`)

async function run(plans: readonly Plan[], parallel: number): Promise<number> {
  const began = performance.now()
  const records = await withServer(() => runCounted(plans, { parallel, onRecord }))
  process.stdout.write(resultTable(records, (performance.now() - began) / 1000))
  return records.length > 0 && records.every((record) => record.result === 'green') ? 0 : 1
}

async function proveMutants(parallel: number, only: string | undefined): Promise<number> {
  if (only !== undefined && !MUTANTS.some((mutant) => mutant === only))
    throw new CliError('bad-input', `--only: there is no mutant "${only}"; there are ${MUTANTS.join(', ')}`)
  const results = await withServer(() => runMutants({ parallel, onRecord }, only === undefined ? undefined : [only]))
  process.stdout.write(mutantTable(results))
  return results.length > 0 && results.every(isProven) ? 0 : 1
}

async function withServer<T>(work: () => Promise<T>): Promise<T> {
  const end = setup()
  try {
    return await work()
  } finally {
    await end()
  }
}

process.stdout.on('error', () => process.exit(0)) // a reader that closed the pipe has seen enough
process.exitCode = await exitCodeOf(main)
