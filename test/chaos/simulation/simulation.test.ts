import { describe, expect, test } from 'vitest'
import type { Action } from './actions.ts'
import { type DefectName, failureText, simulate } from './simulate.ts'

const SEED = Number(process.env.SIMULATION_SEED ?? 2026)
const RUNS = Number(process.env.SIMULATION_RUNS ?? 12)
const ML = 'mercadolibre:1001'
const LIMIT_MS = 600_000

const webhook = (order: number): Action => ({ do: 'webhook', node: 'n1', order, again: null })
const round = (node: string, what: 'collect' | 'deliver' | 'apply', channel: string): Action => ({
  do: 'round',
  node,
  round: what,
  channel,
})
const turns = (count: number): Action => ({ do: 'turns', count })

/** For each hub that is known to be bad, what it does not survive; the hub as it is does. */
const SCRIPTS: [DefectName, RegExp, Action[]][] = [
  [
    'no-settle',
    /^I2: mercadolibre:1001 holds two orders/,
    [
      { do: 'confirm', pieces: 1 },
      round('n1', 'collect', 'odoo'),
      turns(60),
      { do: 'fault', channel: ML, on: 'send', fates: ['late'] },
      round('n1', 'deliver', ML),
      turns(60),
      round('n2', 'deliver', ML),
      turns(60),
    ],
  ],
  [
    'no-fence',
    /^I11: n1 finished delivery/,
    [
      { do: 'confirm', pieces: 1 },
      round('n1', 'collect', 'odoo'),
      turns(60),
      round('n1', 'deliver', ML),
      turns(2),
      { do: 'pass', ms: 600_000 },
      round('n2', 'deliver', ML),
      turns(60),
    ],
  ],
  [
    'dedup-before-enqueue',
    /^I1: the webhook .* was acknowledged and no event of it ended/,
    [{ do: 'buy', market: ML, pieces: 1 }, { do: 'crash', node: 'n1', calls: 1, point: 'inside', statement: 1 }, webhook(0), turns(60)],
  ],
  [
    'arrival-wins',
    /^I4: silver order/,
    [
      { do: 'buy', market: ML, pieces: 1 },
      webhook(0),
      turns(60),
      round('n1', 'apply', ML),
      turns(60),
      { do: 'ship', order: 0 },
      webhook(0),
      turns(60),
      round('n1', 'apply', ML),
      turns(60),
      { do: 'fault', channel: ML, on: 'read', fates: ['stale'] },
      webhook(0),
      turns(60),
      round('n1', 'apply', ML),
      turns(60),
    ],
  ],
]

function run(defect: DefectName, runs: number, script?: Action[]): ReturnType<typeof simulate> {
  const options = { runs, seed: SEED, defect, limitMs: LIMIT_MS, progress: () => {} }
  return simulate(script === undefined ? options : { ...options, script })
}

describe('three nodes, whose port calls a scheduler lets through one by one', { timeout: LIMIT_MS }, () => {
  test('lose, double and miscall nothing, wherever they crash and whatever their requests meet', async () => {
    const { failure, runs, crashes } = await run('none', RUNS)
    expect(failure, failure ? failureText(failure, 'none') : '').toBeNull()
    expect(runs).toBe(RUNS)
    expect(crashes).toBeGreaterThan(0)
  })

  test.each(SCRIPTS)('%s is seen, and the hub as it is survives the same schedules', async (defect, breach, script) => {
    const bad = await run(defect, 4, script)
    expect(bad.failure?.message).toMatch(breach)
    const { failure } = await run('none', 4, script)
    expect(failure, failure ? failureText(failure, 'none') : '').toBeNull()
  })
})
