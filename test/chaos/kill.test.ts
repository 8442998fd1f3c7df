import { describe, expect, test } from 'vitest'
import { type Failpoint, RECEIVER_POINTS, SUBSCRIBER_POINTS } from './failpoints.ts'
import { reportText } from './auditor/report.ts'
import { runScenario, type Scenario } from './scenario.ts'

/** Points of a send, each against every target: both marketplaces (ERP to marketplace) and Odoo (marketplace to ERP). */
const SENDS: Failpoint[] = [
  'after-claim',
  'after-intent',
  'before-send',
  'after-send-before-response',
  'after-response-before-finish',
  'after-finish',
]

const runs: Omit<Scenario, 'seed'>[] = [
  { role: 'worker', point: 'mid-collect', system: null },
  ...SENDS.flatMap((point) => ['mercadolibre', 'paris', 'odoo'].map((system) => ({ role: 'worker' as const, point, system }))),
  { role: 'worker', point: 'dead-letter', system: 'mercadolibre' },
  ...RECEIVER_POINTS.map((point) => ({ role: 'receiver' as const, point, system: 'mercadolibre' })),
  ...SUBSCRIBER_POINTS.map((point) => ({ role: 'subscriber' as const, point, system: 'mercadolibre' })),
]

describe('a node that is killed loses no order and doubles none', () => {
  for (const [at, run] of runs.entries()) {
    const seed = 101 + at
    test.concurrent(`${run.role} killed ${run.point}${run.system === null ? '' : ` at ${run.system}`}, seed ${seed}`, {
      timeout: 120_000,
    }, async () => {
      const { kill, report } = await runScenario({ ...run, seed })
      expect(kill, 'the node was never killed with an order in hand: the run proves nothing').toMatchObject({ point: run.point })
      expect(kill?.inFlight).not.toBe('')
      expect(report.breaches, reportText(report)).toEqual([])
      expect(report).toMatchObject({ lost: 0, doubled: 0, unequal: 0 })
    })
  }
})
