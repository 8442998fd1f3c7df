import { expect } from 'vitest'
import { IntegrationError } from '../../src/core/integration-error.ts'
import { attemptLog, drive, type ErpWorld, look, never, newKey, until, wantedOf } from './erp-world.ts'
import type { Wire } from './wire.ts'
import { describe, test } from './suite.ts'

const LOAD = /sale\.order.{1,3}load/
const CONFIRM = /action_confirm/
const NOTE = /message_post/

export function holdsItsConnection(there: () => ErpWorld): void {
  describe('the line to it', () => {
    const wire = (): Wire | undefined => there().wire
    const failureOf = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error)

    test('it tells what it is and what is wrong with it', async () => {
      const erp = await there().open()
      expect(erp.channel).toBe('odoo')
      expect(await erp.health(never)).toMatchObject({
        version: expect.stringMatching(/\d/),
        user: expect.stringContaining('@'),
        problems: [],
      })
    })

    test('concurrent callers share one login', async ({ skip }) => {
      const line = wire() ?? skip('this ERP is not behind a line')
      const erp = await there().open()
      const from = line.passed().length
      await Promise.all([1, 2, 3, 4, 5].map(() => erp.find('ML-1', never)))
      expect(
        line
          .passed()
          .slice(from)
          .filter((r) => /context_get|authenticate/.test(`${r.path} ${r.body}`)),
      ).toHaveLength(1)
    })

    test('a send is one request and carries its id, and so does every request of a look-up', async ({ skip }) => {
      const line = wire() ?? skip('this ERP is not behind a line')
      const erp = await there().open()
      await drive(erp, wantedOf(there()))
      const wanted = wantedOf(there(), { fulfilment: 'shipped', tracking: 'ONE' })
      for (const operation of ['create', 'confirm', 'note', 'track'] as const) {
        const log = attemptLog()
        const before = line.passed().length
        const shown = await erp.lookUp(wanted, log, never)
        const looked = line.passed().slice(before)
        expect(looked).toHaveLength(log.operations.length)
        for (const request of looked) expect(request.requestId).toMatch(/^read-/)
        expect(erp.next(wanted, shown)).toEqual({ kind: 'send', operation })
        await erp.send(wanted, operation, shown, `send-${operation}`, never)
        expect(
          line
            .passed()
            .slice(before + looked.length)
            .map((r) => r.requestId),
        ).toEqual([`send-${operation}`])
      }
    })

    test('a look-up that serves no delivery carries no id', async ({ skip }) => {
      const line = wire() ?? skip('this ERP is not behind a line')
      const erp = await there().open()
      const before = line.passed().length
      await erp.lookUp(wantedOf(there()), { read: (_operation, call) => call('') }, never)
      const ids = line
        .passed()
        .slice(before)
        .map((one) => one.requestId)
      expect(new Set(ids)).toEqual(new Set([null]))
    })

    for (const [what, match] of [
      ['create', LOAD],
      ['confirm', CONFIRM],
      ['note', NOTE],
    ] as const) {
      test(`a lost answer to a ${what} is settled by looking up, and nothing happens twice`, async ({ skip }) => {
        const line = wire() ?? skip('this ERP is not behind a line')
        const erp = await there().open()
        await drive(erp, wantedOf(there()))
        const wanted = wantedOf(there(), { fulfilment: 'shipped' })
        line.loseAnswerTo(match)
        expect(await failureOf(drive(erp, wanted))).toMatchObject({ code: 'no-answer' })
        const { operations, end } = await drive(erp, wanted)
        expect(operations).not.toContain(what)
        expect(end.kind).toBe('done')
        expect(await there().person.countByReference(wanted.reference)).toBe(1)
        const seen = await there().person.see(wanted.externalId ?? '')
        expect(seen.pickings).toHaveLength(1)
        expect(seen.messages.filter((body) => body.includes('[rosh:'))).toHaveLength(1)
      })
    }

    test('a write that lands after its time-out is found by looking up', async () => {
      const patient = await there().open()
      const wanted = wantedOf(there(), { confirm: false })
      await drive(patient, wanted)
      const hasty = await there().open({ writeTimeoutMs: 700 })
      const shown = await look(hasty, wanted)
      const held = await there().person.holdWrite(wanted.externalId ?? '')
      const failure = await failureOf(hasty.send(wanted, 'confirm', shown, newKey(), never))
      await held.commit()
      expect(failure).toMatchObject({ code: expect.stringMatching(/^(no-answer|unavailable)$/) })
      // Whether the server goes on with it is its own affair; what counts is that the look-up tells, and a second confirm does no harm.
      const released = { ...wanted, desired: { ...wanted.desired, confirm: true } } as typeof wanted
      const end = await until(async () => {
        const driven = await drive(patient, released).catch((error: unknown) => error)
        return driven instanceof Error ? false : (driven as Awaited<ReturnType<typeof drive>>).end
      })
      expect(end.kind).toBe('done')
      expect((await there().person.see(wanted.externalId ?? '')).pickings).toHaveLength(1)
    })

    test('a line that was cut is unreachable, and it connects again by itself', async ({ skip }) => {
      const line = wire() ?? skip('this ERP is not behind a line')
      const erp = await there().open()
      await erp.find('ML-1', never)
      await line.down()
      // A kept connection may still die under the request; after that nothing can leave any more.
      const codes = await until(async () => {
        const failure = await failureOf(erp.find('ML-1', never))
        return failure instanceof IntegrationError && failure.code
      })
      expect(['no-answer', 'unreachable']).toContain(codes)
      expect(await failureOf(erp.find('ML-1', never))).toMatchObject({ code: 'unreachable' })
      await line.up()
      expect(await erp.find('ML-1', never)).toEqual(expect.any(Array))
    })

    test('a wrong credential is unauthorized, and a database that is not there is unavailable', async () => {
      const stranger = await there().open({ password: 'not-the-password' })
      expect(await failureOf(stranger.find('ML-1', never))).toMatchObject({ code: 'unauthorized' })
      const lost = await there().open({ database: 'no-such-database' })
      expect(await failureOf(lost.find('ML-1', never))).toMatchObject({ code: 'unavailable' })
    })

    test('an aborted call ends as a failure of its own, not as a bug', async () => {
      const erp = await there().open()
      await erp.find('ML-1', never)
      const failure = await failureOf(erp.find('ML-1', AbortSignal.abort()))
      expect(failure).toBeInstanceOf(IntegrationError)
    })
  })
}
