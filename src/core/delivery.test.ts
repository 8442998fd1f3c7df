import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { backoffMs } from './backoff.ts'
import { gateOf, settleFailedLookUp, settleFetch, settleSend } from './delivery.ts'
import { INTEGRATION_ERROR_CODES, type IntegrationErrorCode, outcomeOf } from './integration-error.ts'

const policy = { maxTries: 12, backoffScale: 1, random: 0 }
const failed = (code: IntegrationErrorCode, detail = {}) => ({ ok: false as const, code, detail })

describe('a send', () => {
  test.each<[IntegrationErrorCode, object]>([
    ['unreachable', { state: 'pending', counted: false, gate: { kind: 'failure' } }],
    ['no-answer', { state: 'ambiguous', gate: { kind: 'none' } }],
    ['malformed-response', { state: 'ambiguous' }],
    ['unavailable', { state: 'ambiguous', gate: { kind: 'failure' } }],
    ['rate-limited', { state: 'pending', counted: false, gate: { kind: 'limit', forMs: 30_000 } }],
    ['unauthorized', { state: 'pending', counted: false, gate: { kind: 'pause', cause: 'credentials-rejected' } }],
    ['conflict', { state: 'pending', counted: true }],
    ['not-found', { state: 'dead', cause: 'rejected-by-target' }],
    ['rejected', { state: 'dead', cause: 'rejected-by-target', reason: 'rejected' }],
    ['unsupported', { state: 'dead', cause: 'unsupported-by-target' }],
  ])('that ends %s settles so', (code, settlement) => {
    expect(settleSend(1, failed(code), policy)).toMatchObject(settlement)
  })

  test('whose refused credential is renewed by now goes out again at once, and pauses nothing', () => {
    const renewed = { credentialRenewed: true }
    expect(settleSend(1, failed('unauthorized', renewed), policy)).toEqual({
      state: 'pending',
      delayMs: 0,
      counted: false,
      cause: 'queued',
      gate: { kind: 'none' },
    })
    const failure = { code: 'unauthorized' as const, detail: renewed }
    expect(settleFailedLookUp('ambiguous', 3, failure, policy)).toEqual({ state: 'ambiguous', delayMs: 0, gate: { kind: 'none' } })
    expect(settleFetch(1, failure, policy)).toEqual({ state: 'pending', delayMs: 0, counted: false, gate: { kind: 'none' } })
  })

  test('that is refused names the cause the driver knows', () => {
    expect(settleSend(1, failed('rejected', { causeCode: 'sku-unknown' }), policy)).toMatchObject({ state: 'dead', cause: 'sku-unknown' })
  })

  test('that meets a conflict to the end is a dead letter', () => {
    expect(settleSend(12, failed('conflict'), policy)).toMatchObject({ state: 'dead' })
  })

  test('with an unknown outcome never ends dead or pending, however many were sent', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('no-answer' as const, 'unavailable' as const, 'malformed-response' as const),
        fc.integer({ min: 0, max: 99 }),
        (code, tries) => {
          expect(settleSend(tries, failed(code), policy).state).toBe('ambiguous')
          expect(settleFailedLookUp('ambiguous', tries, { code, detail: {} }, policy).state).toBe('ambiguous')
        },
      ),
    )
  })

  test('honours Retry-After, absurd values within bounds', () => {
    for (const [asked, waits] of [
      [5_000, 5_000],
      [-1, 0],
      [1e15, 6 * 3_600_000],
    ] as const) {
      expect(settleSend(1, failed('rate-limited', { retryAfterMs: asked }), policy)).toMatchObject({
        delayMs: waits,
        gate: { forMs: waits },
      })
    }
  })
})

test('a look-up without an answer leaves the row as it was claimed', () => {
  for (const code of INTEGRATION_ERROR_CODES) {
    expect(settleFailedLookUp('ambiguous', 3, { code, detail: {} }, policy).state).toBe('ambiguous')
    expect(settleFailedLookUp('pending', 3, { code, detail: {} }, policy)).toMatchObject({ state: 'pending', counted: false })
  }
})

describe('a fetch', () => {
  test.each<[IntegrationErrorCode, number, string]>([
    ['no-answer', 1, 'pending'],
    ['no-answer', 12, 'dead'],
    ['unreachable', 99, 'pending'],
    ['rate-limited', 99, 'pending'],
    ['unauthorized', 99, 'pending'],
    ['not-found', 4, 'pending'],
    ['not-found', 5, 'dead'],
    ['rejected', 1, 'dead'],
    ['malformed-response', 1, 'pending'],
  ])('that ends %s at try %i is %s', (code, tries, state) => {
    expect(settleFetch(tries, { code, detail: {} }, policy).state).toBe(state)
  })
})

test('every code has a gate effect and an attempt outcome', () => {
  for (const code of INTEGRATION_ERROR_CODES) {
    expect(gateOf(code, {}).kind).toMatch(/none|healthy|failure|limit|pause/)
    expect(outcomeOf(code)).toMatch(/rejected|not-sent|unknown/)
  }
})

test('backoff is monotone, bounded and jittered upwards', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (tries, a, b) => {
        expect(backoffMs(tries + 1, a)).toBeGreaterThanOrEqual(tries >= 11 ? backoffMs(tries, 0) : backoffMs(tries, b))
        expect(backoffMs(tries, a)).toBeLessThanOrEqual(30_600_000 * 1.15)
        expect(backoffMs(tries, a)).toBeGreaterThanOrEqual(5_000)
      },
    ),
  )
})

test('twelve sends span more than 24 and less than 32 hours', () => {
  const hours = Array.from({ length: 11 }, (_, i) => backoffMs(i + 1, 0)).reduce((a, b) => a + b, 0) / 3_600_000
  expect(hours).toBeGreaterThan(24)
  expect(hours).toBeLessThan(32)
})
