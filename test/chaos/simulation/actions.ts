import fc from 'fast-check'
import { INTEGRATION_ERROR_CODES } from '../../../src/core/integration-error.ts'
import { MARKETPLACES } from './channels.ts'
import type { CrashPoint } from './life.ts'
import { ROUNDS, type Round } from './rounds.ts'
import type { Fate } from './systems.ts'
import { NODES } from './world.ts'

/** One thing that happens. Numbers choose among what is there at that moment, so every list of actions can be run, and shrinks. */
export type Action =
  | { do: 'confirm'; pieces: number }
  | { do: 'edit'; order: number; pieces: number }
  | { do: 'cancel'; order: number }
  | { do: 'buy'; market: string; pieces: number }
  | { do: 'ship'; order: number }
  | { do: 'cancel-purchase'; order: number }
  | { do: 'webhook'; node: string; order: number; again: number | null }
  | { do: 'round'; node: string; round: Round; channel: string }
  | { do: 'turns'; count: number }
  | ({ do: 'crash'; node: string } & CrashPoint)
  | { do: 'fault'; channel: string; on: 'send' | 'read'; fates: Fate[] }
  | { do: 'replay'; node: string }
  | { do: 'pass'; ms: number }

const node = fc.constantFrom(...NODES)
const channel = fc.constantFrom('odoo', ...MARKETPLACES)
const pieces = fc.integer({ min: 1, max: 3 })
const order = fc.nat({ max: 7 })

// The gate's closed circuit, pauses and dead letters come from these too; the healing at the end undoes what only a person undoes.
const aFate: fc.Arbitrary<Fate> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<Fate>('late', 'late', 'late', 'answer-lost', 'stale') },
  { weight: 2, arbitrary: fc.constantFrom<Fate>('answer-spoilt', ...INTEGRATION_ERROR_CODES.filter((code) => code !== 'unsupported')) },
)

const aRound = fc
  .record({ node, round: fc.constantFrom(...ROUNDS, 'deliver', 'deliver', 'deliver', 'deliver', 'collect', 'collect', 'apply'), channel })
  .map(({ round, ...rest }): Action => {
    const atMarket = (round === 'apply' || round === 'sweep') && rest.channel === 'odoo'
    return { do: 'round', ...rest, round: round as Round, channel: atMarket ? MARKETPLACES[0] : rest.channel }
  })

const anAction: fc.Arbitrary<Action> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('confirm' as const), pieces }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('edit' as const), order, pieces }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), order }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('buy' as const), market: fc.constantFrom(...MARKETPLACES), pieces }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('ship' as const), order }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel-purchase' as const), order }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('webhook' as const), node, order, again: fc.option(fc.nat({ max: 7 }), { freq: 2 }) }),
  },
  { weight: 12, arbitrary: aRound },
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constant('turns' as const),
      count: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 5, max: 30 })),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('crash' as const),
      node,
      calls: fc.integer({ min: 1, max: 4 }),
      point: fc.constantFrom('before' as const, 'inside' as const, 'after' as const),
      statement: fc.integer({ min: 0, max: 5 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('fault' as const),
      channel,
      on: fc.constantFrom('send' as const, 'read' as const),
      fates: fc.array(aFate, { minLength: 1, maxLength: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('replay' as const), node }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(2_000, 150_000, 150_000, 600_000, 7_200_000) }),
  },
)

export const someActions: fc.Arbitrary<Action[]> = fc.array(anAction, { minLength: 20, maxLength: 60, size: 'max' })
