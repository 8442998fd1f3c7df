// `npm run soak`: the hub under random kills, freezes and restarts of PostgreSQL for as long as asked, watched every second.
import { parseArgs } from 'node:util'
import { countFrom } from '../../src/cli/count.ts'
import { ownServer } from '../support/own-server.ts'
import { setup } from '../support/global-setup.ts'
import type { AuditReport } from './auditor/audit.ts'
import { reportText } from './auditor/report.ts'
import { commitOf } from './commit.ts'
import { breachesOf, type Expected, judged, missing, unjudged } from './judge.ts'
import { Plan, type RunRecord } from './plan.ts'
import { emptyRecord, evidenceOf, keepRecord, toldOf } from './records.ts'
import { type Fleet, startFleet } from './soak-nodes.ts'
import { shortfallsOf } from './soak-minimum.ts'
import { type Restarts, restartsOf } from './soak-restarts.ts'
import { type Samples, samplesOf } from './soak-samples.ts'
import { openStage, type Stage } from './stage.ts'
import { exitCodeOf } from './usage.ts'
import { expectedOf, type Made, nothingMade, perform, workloadOf } from './workload.ts'

const HELP = `npm run soak -- [options]

  --minutes N       how long orders are made and nodes are killed (default 30)
  --seed N          of the workload and of the kills (default 1)
  --per-second N    orders made a second (default 3)
  --help            this text

Five nodes as processes of their own; every 5 s one is killed with -9 (one in four comes back with a clock an hour off, but for receivers), every 20 s
one is frozen, every 3 minutes PostgreSQL is restarted. Each second: conservation, no second order under a reference, how old transactions are. At the
end the auditor judges everything.
The exit code is 1 when anything was lost, doubled or unequal, an invariant did not hold, or less was carried than 30 minutes ask for, 5,000 orders
settled and 200 kills with work under way, by the share of --minutes; 2 when an option is wrong.
`

const KILL_EVERY_MS = 5_000
const FREEZE_EVERY_MS = 20_000
const RESTART_EVERY_MS = 180_000
const SETTLE_MS = 300_000
/** Of what makes a soak red beside its breaches: as much is printed, its record holds all. */
const MOST_PROBLEMS = 20

interface Options {
  minutes: number
  seed: number
  perSecond: number
}

async function soak({ minutes, seed, perSecond }: Options): Promise<number> {
  const server = await ownServer()
  const began = performance.now()
  const commit = commitOf()
  const plan = Plan.parse({ id: 'soak', row: 'soak', title: `soak of ${minutes} min`, script: 'soak', seed, soak: { minutes, perSecond } })
  const stage = await openStage(plan, { hub: { database: () => server.clone() } })
  const fleet = await startFleet(stage)
  const samples = samplesOf(stage)
  const made = nothingMade()
  const until = Date.now() + minutes * 60_000
  const isOver = (): boolean => Date.now() > until
  const restarts = restartsOf((signal) => server.restart(signal, 500))
  let isRed = true
  try {
    await Promise.all([
      every(1_000, isOver, () => samples.take()),
      every(1_000, isOver, () => restarts.excuse(() => makeOrders(stage, made, perSecond))),
      every(KILL_EVERY_MS, isOver, () => fleet.kill()),
      every(FREEZE_EVERY_MS, isOver, () => fleet.freeze(1_000 + stage.random() * 5_000)),
      every(RESTART_EVERY_MS, isOver, () => restarts.restart()),
      every(15_000, isOver, () => Promise.resolve(say(progressOf({ minutes, made, fleet, samples, restarts }, until)))),
    ])
    say('settling')
    const begun = emptyRecord(plan, commit)
    const report = await judged(stage.running, { ...expectedAfter(made), run: toldOf(begun), evidence: stage.evidence }, SETTLE_MS)
    const state = { minutes, made, fleet, samples, restarts }
    const record = { ...begun, ...outcomeOf(stage, state, report), seconds: Math.round((performance.now() - began) / 1_000) }
    keepRecord(record)
    isRed = record.result === 'red'
    const told = reportText(report)
    const others = record.problems.filter((one) => one !== told).slice(0, MOST_PROBLEMS)
    say(['', told, tableOf(record, samples), ...others].join('\n'))
    return record.result === 'green' ? 0 : 1
  } finally {
    try {
      if (isRed) stage.keep(evidenceOf(plan.id))
    } finally {
      await stage.close().finally(() => server.end())
    }
  }
}

interface State {
  minutes: number
  made: Made
  fleet: Fleet
  samples: Samples
  restarts: Restarts
}

/** Orders are cancelled at any moment here, also in the second in which they were made. */
const expectedAfter = (made: Made): Expected => ({ ...expectedOf(made), cancelled: made.erp.filter((order) => order.cancelled).length })

const ordersOf = (made: Made): number => made.erp.length + made.purchases.length + made.paris.length

let drawn = 0

/** A second's worth of orders, and now and then a change to one of them; last, so that a restart cuts off that one alone. */
async function makeOrders(stage: Stage, made: Made, perSecond: number): Promise<void> {
  drawn += 1
  const erp = Math.ceil(perSecond * 0.6)
  const size = { erp, purchases: Math.max(0, perSecond - erp - (drawn % 2)), paris: drawn % 2, changes: drawn % 3 === 0 ? 1 : 0 }
  await perform(stage, workloadOf(stage.plan.seed * 1_000_000 + drawn, size), made)
}

/** Acts at that rate, however long an act takes; what was missed meanwhile is not made up for. */
async function every(ms: number, isOver: () => boolean, act: () => Promise<unknown>): Promise<void> {
  for (let next = Date.now() + ms; ; next = Math.max(next + ms, Date.now())) {
    await new Promise((resolve) => setTimeout(resolve, next - Date.now()))
    if (isOver()) return
    await act()
  }
}

function progressOf({ made, fleet, samples, restarts }: State, until: number): string {
  const left = Math.max(0, Math.round((until - Date.now()) / 1_000))
  const found = [...samples.breaches, ...restarts.failures]
  const bad = found.length === 0 ? 'no breach' : `${found.length} BREACHES, first: ${found[0]}`
  return `${left} s left: ${ordersOf(made)} orders, ${fleet.kills} kills, ${fleet.stops} freezes, ${restarts.count} restarts, ${samples.taken} samples, ${bad}`
}

type Outcome = Pick<RunRecord, 'result' | 'problems' | 'fired' | 'schedule' | 'orders' | 'breaches' | 'figures' | 'judgedBy'>

function outcomeOf({ fired, schedule }: Stage, { minutes, made, fleet, samples, restarts }: State, report: AuditReport): Outcome {
  const kills = fired.filter(({ inFlight }) => inFlight !== '').length
  const orders = report.checked.erpToMarketplace + report.checked.marketplaceToErp
  const problems = [
    ...(report.breaches.length === 0 ? [] : [reportText(report)]),
    ...missing(report, expectedAfter(made)),
    ...unjudged(report),
    ...samples.breaches,
    ...shortfallsOf({ minutes, orders, kills }),
    ...restarts.failures,
  ]
  return {
    result: problems.length === 0 ? 'green' : 'red',
    problems,
    fired,
    schedule,
    orders: report.checked,
    breaches: breachesOf(report),
    judgedBy: 'auditor',
    figures: {
      'orders made': ordersOf(made),
      'orders settled': orders,
      'nodes killed': fleet.kills,
      'killed with work under way': kills,
      'nodes frozen': fleet.stops,
      'nodes with a clock an hour off': fleet.shifted,
      'PostgreSQL restarts': restarts.count,
      'seconds of orders that a restart cut short': restarts.excused,
      'seconds of orders without a connection': restarts.unconnected,
      samples: samples.taken,
      'samples without an answer': samples.missed,
      'looks of the sampler that failed, %': Math.round(report.blindness * 100),
      ...(report.longestTransactionMs === null ? {} : { 'longest transaction, ms': report.longestTransactionMs }),
    },
  }
}

function tableOf({ figures, breaches }: RunRecord, samples: Samples): string {
  const rows = Object.entries({ ...figures, 'breaches in samples': samples.breaches.length, 'breaches at the end': sum(breaches) })
  return [...rows.map(([name, value]) => `${name.padEnd(30)} ${value}`), ''].join('\n')
}

const sum = (counted: Record<string, number>): number => Object.values(counted).reduce((all, one) => all + one, 0)

const say = (text: string): void => void process.stdout.write(`${text}\n`)

async function main(): Promise<number> {
  const text = { type: 'string' } as const
  const { values } = parseArgs({ options: { minutes: text, seed: text, 'per-second': text, help: { type: 'boolean' } } })
  if (values.help) {
    say(HELP)
    return 0
  }
  const options = {
    minutes: countFrom('--minutes', values.minutes ?? '30', [1, 1_440]),
    seed: countFrom('--seed', values.seed ?? '1', [1, 999_999]),
    perSecond: countFrom('--per-second', values['per-second'] ?? '3', [1, 100]),
  }
  const end = setup()
  try {
    return await soak(options)
  } finally {
    await end()
  }
}

process.exitCode = await exitCodeOf(main)
