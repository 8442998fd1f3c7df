// `npm run fuzz`: mutated inputs at every door. Exit 1 when one of them broke its property.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { setup } from '../support/global-setup.ts'
import type { Door } from './door.ts'
import { DOORS } from './doors.ts'
import { FIXTURES, writeFixture } from './fixture.ts'
import { type Outcome, runDoor } from './run-door.ts'
import { shrunk, wordsOf } from './shrink.ts'
import { tableOf } from './table.ts'

const USAGE = `npm run fuzz -- [--door NAME]... [--runs 10000] [--seed S] [--keep] [--help]

  --door NAME  only this door; may be given several times: ${DOORS.map(({ door }) => door.name).join(', ')}
  --runs N     inputs per door, its valid samples first (10000)
  --seed S     a whole number; the same seed comes to the same inputs (drawn and printed when not given)
  --keep       write what breaks a door to test/fixtures/fuzz/, where every test run replays it; else to a folder that is named
`

interface Asked {
  doors: Door[]
  runs: number
  seed: number
  folder: string
}

function asked(argv: readonly string[]): Asked | string {
  const whole = (text: string, most: number): number | undefined =>
    /^\d{1,10}$/.test(text) && Number(text) >= 1 && Number(text) <= most ? Number(text) : undefined
  let values
  try {
    values = parseArgs({
      args: [...argv],
      options: {
        door: { type: 'string', multiple: true },
        runs: { type: 'string', default: '10000' },
        seed: { type: 'string' },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  if (values.help) return ''
  const all = DOORS.map(({ door }) => door)
  const unknown = (values.door ?? []).filter((name) => !all.some((door) => door.name === name))
  if (unknown.length > 0) return `--door: there is no ${unknown.join(', ')}`
  const runs = whole(values.runs, 10_000_000)
  if (runs === undefined) return `--runs: "${values.runs}" is no whole number from 1 to 10000000`
  const seed = whole(values.seed ?? String(1 + (Date.now() % 2_147_483_647)), 9_999_999_999)
  if (seed === undefined) return `--seed: "${values.seed}" is no whole number above 0`
  const doors = values.door ? all.filter((door) => values.door?.includes(door.name)) : all
  return { doors, runs, seed, folder: values.keep ? FIXTURES : mkdtempSync(join(tmpdir(), 'rosh-fuzz-')) }
}

async function fuzz({ doors, runs, seed, folder }: Asked): Promise<number> {
  const endRun = setup()
  const outcomes: Outcome[] = []
  console.log(`seed ${seed}, ${runs} inputs a door`)
  try {
    for (const door of doors) {
      console.log(`\n${door.name}: ${door.property}`)
      const outcome = await runDoor(door, { runs, seed, progress: (sofar) => showProgress(sofar, runs) })
      outcomes.push(outcome)
      await showCrashes(door, outcome, { seed, folder })
    }
  } finally {
    await endRun()
  }
  console.log(`\n${tableOf(outcomes)}`)
  return outcomes.some((outcome) => outcome.crashes.length > 0) ? 1 : 0
}

const SHOW_EVERY = 1_000

function showProgress({ door, runs, accepted, refused, crashes }: Outcome, of: number): void {
  if (runs % SHOW_EVERY === 0) console.log(`  ${door} ${runs}/${of}: ${accepted} accepted, ${refused} refused, ${crashes.length} crashes`)
}

async function showCrashes(door: Door, { crashes }: Outcome, { seed, folder }: { seed: number; folder: string }): Promise<void> {
  const shown = new Set<string>()
  for (const { input, error, at } of crashes) {
    const broke = wordsOf(error)
    const kind = `${input.target} ${broke.replace(/\d+/g, 'N')}`
    if (shown.has(kind)) continue
    shown.add(kind)
    const path = writeFixture(folder, door.name, { input: await shrunk(door, input, broke), broke, seed })
    console.log(
      `  CRASH at input ${at}, ${input.target}: ${broke}\n    kept in ${path}; again with: npm run fuzz -- --door ${door.name} --seed ${seed} --runs ${at + 1}`,
    )
  }
}

const request = asked(process.argv.slice(2))
if (typeof request === 'string') {
  const isHelp = request === ''
  ;(isHelp ? console.log : console.error)(isHelp ? USAGE : `${request}\n\n${USAGE}`)
  process.exitCode = isHelp ? 0 : 2
} else {
  process.exitCode = await fuzz(request)
}
