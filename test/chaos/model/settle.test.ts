import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { backoffMs } from '../../../src/core/backoff.ts'
import { CAUSE_CODES } from '../../../src/core/cause-code.ts'
import { gateOf, settleFailedLookUp, settleFetch, settleSend } from '../../../src/core/delivery.ts'
import { INTEGRATION_ERROR_CODES, outcomeOf } from '../../../src/core/integration-error.ts'

const SIX_HOURS_MS = 6 * 3_600_000
const LONGEST_BACKOFF_MS = 30_600_000 * 1.15

/** Any end of a request, Retry-After absent, plain, absurd or no number at all. */
const anEnd = fc.record({
  code: fc.constantFrom(...INTEGRATION_ERROR_CODES),
  detail: fc.record(
    {
      retryAfterMs: fc.oneof(fc.integer({ min: -10, max: 86_400_000 }), fc.constantFrom(Number.NaN, Infinity, -Infinity, 1e300, -0)),
      causeCode: fc.constantFrom(...CAUSE_CODES),
    },
    { requiredKeys: [] },
  ),
})
const aPolicy = fc.record({
  maxTries: fc.integer({ min: 1, max: 20 }),
  backoffScale: fc.double({ min: 0.001, max: 1, noNaN: true }),
  random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
})
const someTries = fc.integer({ min: 0, max: 60 })

function proveDelay(settlement: object): void {
  if (!('delayMs' in settlement)) return
  expect(settlement.delayMs).toBeGreaterThanOrEqual(0)
  expect(settlement.delayMs).toBeLessThanOrEqual(Math.max(SIX_HOURS_MS, LONGEST_BACKOFF_MS))
}

describe('whatever a request ends with', () => {
  test('a send is settled by one closed rule: unknown is ambiguous, the rest is never', () => {
    fc.assert(
      fc.property(someTries, anEnd, aPolicy, (tries, end, policy) => {
        const settled = settleSend(tries, { ok: false, ...end }, policy)
        const outcome = outcomeOf(end.code)
        expect(settled.state === 'ambiguous').toBe(outcome === 'unknown')
        if (settled.state === 'pending' && outcome === 'not-sent') expect(settled.counted).toBe(false)
        expect(settled.gate).toEqual(gateOf(end.code, end.detail))
        if (settled.state === 'dead') expect(CAUSE_CODES).toContain(settled.cause)
        proveDelay(settled)
      }),
      { numRuns: 300 },
    )
  })

  test('no outage makes a dead letter of a send, however long it lasts', () => {
    const outage = fc.constantFrom('unreachable', 'no-answer', 'malformed-response', 'unavailable', 'rate-limited', 'unauthorized')
    fc.assert(
      fc.property(fc.nat(), outage, aPolicy, (tries, code, policy) => {
        expect(settleSend(tries, { ok: false, code: code as 'unreachable', detail: {} }, policy).state).not.toBe('dead')
      }),
    )
  })

  test('a look-up without an answer leaves the row as it was claimed, uncounted, and waits as long as it was asked to', () => {
    const claimed = fc.constantFrom('pending' as const, 'ambiguous' as const)
    fc.assert(
      fc.property(claimed, someTries, anEnd, aPolicy, (claimedAs, tries, end, policy) => {
        const settled = settleFailedLookUp(claimedAs, tries, end, policy)
        expect(settled.state).toBe(claimedAs)
        if (settled.state === 'pending') expect(settled.counted).toBe(false)
        if (settled.gate.kind === 'limit' && 'delayMs' in settled) expect(settled.delayMs).toBeGreaterThanOrEqual(settled.gate.forMs)
        proveDelay(settled)
      }),
      { numRuns: 300 },
    )
  })

  test('a fetch waits or is given up on, and is never ambiguous; only what is counted can use its tries up', () => {
    fc.assert(
      fc.property(someTries, anEnd, aPolicy, (tries, end, policy) => {
        const settled = settleFetch(tries, end, policy)
        expect(['pending', 'dead']).toContain(settled.state)
        if (settled.state === 'dead') expect(CAUSE_CODES).toContain(settled.cause)
        if (settled.state === 'pending' && tries >= policy.maxTries) expect(settled.counted).toBe(false)
        proveDelay(settled)
      }),
      { numRuns: 300 },
    )
  })
})

test('backoff keeps its order at every scale, and the jitter never turns two steps round', () => {
  const scale = fc.double({ min: 0.001, max: 10, noNaN: true })
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  fc.assert(
    fc.property(fc.integer({ min: -5, max: 10 }), scale, random, random, (tries, by, one, other) => {
      expect(backoffMs(tries + 1, one, by)).toBeGreaterThanOrEqual(backoffMs(tries, tries < 1 ? one : other, by))
      expect(backoffMs(tries, one, by)).toBeLessThanOrEqual(Math.ceil(LONGEST_BACKOFF_MS * by))
    }),
    { numRuns: 300 },
  )
})
