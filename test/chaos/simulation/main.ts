import { parseArgs } from 'node:util'
import { setup } from '../../support/global-setup.ts'
import { DEFECTS } from './defects.ts'
import { type DefectName, failureText, simulate, type Simulated } from './simulate.ts'

const HELP = `npm run simulate -- [--runs N] [--seed S] [--path P] [--defect NAME] [--minutes M]

Runs the hub's real flows over a real PostgreSQL and the marketplaces and the ERP in memory, three nodes at once, in one process.
A scheduler decides which port call goes on next; nodes crash at any of them; answers are lost, late or false; the clock jumps.
Then all is healed, and every ledger is held against what was wanted.

  --runs N       schedules to run; 100 unless said otherwise, or SIMULATION_RUNS
  --seed S       what all of them follow from; drawn unless given, or SIMULATION_SEED
  --path P       runs again the one schedule that failed, as its report names it
  --defect NAME  runs a hub that is known to be bad: ${Object.keys(DEFECTS).join(', ')}
  --minutes M    begins no schedule after so many minutes; 600 unless given

Ends with 0 when every schedule was green, with 1 and the smallest schedule that was found when one was not.`

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: process.env.SIMULATION_RUNS ?? '100' },
    seed: { type: 'string', default: process.env.SIMULATION_SEED ?? String(Date.now() % 2_147_483_647) },
    path: { type: 'string' },
    defect: { type: 'string', default: 'none' },
    minutes: { type: 'string', default: '600' },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) console.log(HELP)
else process.exitCode = await main()

async function main(): Promise<number> {
  const [runs, seed, minutes] = [values.runs, values.seed, values.minutes].map(Number)
  if (!isWhole(runs) || !isWhole(seed) || minutes === undefined || !(minutes > 0) || !(values.defect in DEFECTS)) {
    console.error(HELP)
    return 2
  }
  const defect = values.defect as DefectName
  const end = setup()
  const began = performance.now()
  try {
    const progress = ({ runs: done }: { runs: number }): void => {
      if (done % 20 === 0) console.error(`${done} schedules in ${secondsSince(began)} s`)
    }
    const path = values.path === undefined ? {} : { path: values.path }
    const result = await simulate({ runs, seed, ...path, defect, limitMs: minutes * 60_000, progress })
    if (result.failure) console.log(failureText(result.failure, defect))
    console.log(tableOf(result, { seed, defect, seconds: secondsSince(began) }))
    return result.failure ? 1 : 0
  } finally {
    await end()
  }
}

function isWhole(value: number | undefined): value is number {
  return value !== undefined && Number.isSafeInteger(value) && value >= 0
}

function secondsSince(began: number): string {
  return ((performance.now() - began) / 1000).toFixed(1)
}

function tableOf(result: Simulated, about: { seed: number; defect: DefectName; seconds: string }): string {
  const rows = [
    ['seed', about.seed],
    ['hub', about.defect === 'none' ? 'as it is' : `known bad: ${about.defect}`],
    ['schedules', result.runs],
    ['port calls', result.turns],
    ['crashes', result.crashes],
    ['orders', result.orders],
    ['seconds', about.seconds],
    ['result', result.failure ? `RED: ${result.failure.message.split('\n')[0]}` : 'green'],
  ]
  return rows.map(([name, value]) => `${String(name).padEnd(12)}${value}`).join('\n')
}
