import { expect, test } from 'vitest'
import { provenOutcome } from './intent-outcome.ts'

const changed = { changed: ['outbox-7'] }

test.each([
  ['an effect that was noted took place', { isNoted: true, effect: changed }, { result: 'ok', effect: changed }],
  ['so did one of an act that notes only a part of it', { isNoted: false, effect: changed }, { result: 'ok', effect: changed }],
  [
    'what notes all that it changes and noted nothing changed nothing',
    { isNoted: true, effect: null },
    { result: 'error', errorCode: 'no-effect' },
  ],
  ['of anything else nothing is known', { isNoted: false, effect: null }, { result: 'unknown', errorCode: 'not-provable' }],
] as const)('%s', (_fact, evidence, outcome) => {
  expect(provenOutcome(evidence)).toEqual(outcome)
})
