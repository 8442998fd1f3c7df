import { expect } from 'vitest'
import { type IntegrationErrorCode, outcomeOf } from '../../src/core/integration-error.ts'
import { aLog, aWanted, failureOf, type MarketplaceWorld, patient, type WorldFault } from './marketplace-world.ts'
import { beforeEach, describe, test, testEach } from './suite.ts'

const ABSENT = { kind: 'absent' } as const

interface Row {
  name: string
  fault: WorldFault
  codes: IntegrationErrorCode[]
}

const status = (code: number, retryAfter?: string): WorldFault => ({ kind: 'status', status: code, ...(retryAfter ? { retryAfter } : {}) })

/** Failures without effect, and the codes that they may be told as. */
const FAILURES: Row[] = [
  { name: '400', fault: status(400), codes: ['rejected'] },
  { name: '401', fault: status(401), codes: ['unauthorized'] },
  { name: '404 of a gateway', fault: status(404), codes: ['not-found'] },
  { name: '409', fault: status(409), codes: ['conflict'] },
  { name: '302', fault: status(302), codes: ['rejected'] },
  { name: '429', fault: status(429), codes: ['rate-limited'] },
  { name: '500', fault: status(500), codes: ['unavailable'] },
  { name: '503', fault: status(503), codes: ['unavailable'] },
  { name: '503 with Retry-After', fault: status(503, '3'), codes: ['rate-limited'] },
  { name: 'a connection that breaks', fault: { kind: 'reset' }, codes: ['no-answer'] },
  { name: 'no answer in time', fault: { kind: 'hang' }, codes: ['no-answer'] },
]

/** Answers that cannot be read, after the request took effect. */
const SPOILT: Row[] = [
  { name: 'an empty answer', fault: { kind: 'empty' }, codes: ['no-answer', 'malformed-response'] },
  { name: 'half an answer', fault: { kind: 'truncate' }, codes: ['no-answer', 'malformed-response'] },
  { name: 'a page for people', fault: { kind: 'html' }, codes: ['malformed-response'] },
  { name: 'an answer that never comes', fault: { kind: 'accept-then-hang' }, codes: ['no-answer'] },
  { name: 'a connection that breaks before the answer', fault: { kind: 'accept-then-reset' }, codes: ['no-answer'] },
]

const ALWAYS = 1_000

export function survivesFaults(there: () => MarketplaceWorld): void {
  describe('when things go wrong', () => {
    beforeEach(() => there().heal())

    testEach(FAILURES, 'a send that meets $name says so, and nothing was created', async ({ fault, codes }, context) => {
      const world = there()
      const wanted = aWanted(world)
      const armed = world.marketplace.capabilities.createOrder ? world.fail('send', fault, ALWAYS) : null
      if (!armed) return context.skip()
      await armed
      const failure = await failureOf(world.marketplace.send(wanted, 'create', ABSENT, crypto.randomUUID(), patient()))
      expect(codes).toContain(failure.code)
      await world.heal()
      expect(await world.countOf(wanted.reference)).toBe(0)
    })

    testEach(SPOILT, 'a send that meets $name may have taken effect, and a look-up finds it', async ({ fault, codes }, context) => {
      const world = there()
      const wanted = aWanted(world)
      const armed = world.marketplace.capabilities.createOrder ? world.fail('send', fault, 1) : null
      if (!armed) return context.skip()
      await armed
      const failure = await failureOf(world.marketplace.send(wanted, 'create', ABSENT, crypto.randomUUID(), patient()))
      expect(codes).toContain(failure.code)
      expect(outcomeOf(failure.code)).toBe('unknown')
      await world.heal()
      const sentAt = { ...wanted, firstSentAt: new Date(Date.now() - 60_000).toISOString() }
      await expect
        .poll(async () => world.marketplace.next(wanted, await world.marketplace.lookUp(sentAt, aLog().log, patient())), {
          timeout: world.lagMs,
        })
        .toMatchObject({ kind: 'done' })
      expect(await world.countOf(wanted.reference)).toBe(1)
    })

    testEach([...FAILURES, ...SPOILT], 'a look-up that meets $name never says absent', async ({ fault, codes }, context) => {
      const world = there()
      const armed = world.marketplace.capabilities.createOrder ? world.fail('read', fault, ALWAYS) : null
      if (!armed) return context.skip()
      await armed
      for (const externalId of [null, world.unknownPointer.split('/').at(-1) ?? '']) {
        const { log, reads } = aLog()
        const failure = await failureOf(world.marketplace.lookUp(aWanted(world, { externalId }), log, patient()))
        // By an id that is not there a spoilt answer may keep its 404.
        expect(externalId === null ? codes : [...codes, 'not-found']).toContain(failure.code)
        expect(reads.at(-1)?.outcome).toBe('failed')
      }
    })

    test('how long it was asked to wait is told', async (context) => {
      const world = there()
      const armed = world.fail('read', status(429, '7'), ALWAYS)
      if (!armed) return context.skip()
      await armed
      const failure = await failureOf(world.marketplace.fetchOrder(world.unknownPointer, aLog().log, patient()))
      expect([failure.code, failure.detail.retryAfterMs]).toEqual(['rate-limited', 7_000])
    })

    test('a failed fetch is an integration error too', async (context) => {
      const world = there()
      const armed = world.fail('read', status(500), ALWAYS)
      if (!armed) return context.skip()
      await armed
      expect((await failureOf(world.marketplace.fetchOrder(world.unknownPointer, aLog().log, patient()))).code).toBe('unavailable')
    })

    test('a failed sweep is an integration error too', async (context) => {
      const world = there()
      const armed = world.pageSize > 0 ? world.fail('read', status(500), ALWAYS) : null
      if (!armed) return context.skip()
      await armed
      expect((await failureOf(world.marketplace.listChanged(new Date().toISOString(), null, patient()))).code).toBe('unavailable')
    })

    test('a call that is aborted ends as an integration error', async (context) => {
      const world = there()
      const armed = world.fail('read', { kind: 'hang' }, ALWAYS)
      if (!armed) return context.skip()
      await armed
      const began = performance.now()
      const work = world.marketplace.fetchOrder(world.unknownPointer, aLog().log, AbortSignal.timeout(50))
      expect(['no-answer', 'unreachable']).toContain((await failureOf(work)).code)
      // Before its own time-out ends it.
      expect(performance.now() - began).toBeLessThan(1_100)
    })

    test('where nobody listens nothing was sent', async (context) => {
      const { unreachable, ...world } = there()
      if (!unreachable) return context.skip()
      const wanted = aWanted({ ...world, unreachable })
      const failures = [
        await failureOf(unreachable.fetchOrder(world.unknownPointer, aLog().log, patient())),
        ...(unreachable.capabilities.createOrder
          ? [await failureOf(unreachable.send(wanted, 'create', ABSENT, crypto.randomUUID(), patient()))]
          : []),
      ]
      expect(failures.map((one) => outcomeOf(one.code))).toEqual(failures.map(() => 'not-sent'))
    })
  })
}
