import { expect } from 'vitest'
import type { Erp } from '../../src/ports/erp.ts'
import type { Wanted } from '../../src/ports/target.ts'
import { drive, type ErpWorld, look, never, newKey, nextVersion, wantedOf } from './erp-world.ts'
import { beforeAll, describe, test } from './suite.ts'

export function amendsFromTheMarketplace(there: () => ErpWorld): void {
  describe('what the marketplace says later', () => {
    let erp: Erp
    beforeAll(async () => {
      erp = await there().open()
    })
    const see = (wanted: Wanted) => there().person.see(wanted.externalId ?? '')
    const confirmed = async (): Promise<Wanted> => {
      const wanted = wantedOf(there())
      await drive(erp, wanted)
      return wanted
    }
    const markers = (messages: string[], wanted: Wanted): number =>
      messages.filter((body) => body.includes(`[rosh:${wanted.reference}:`)).length

    test('a status is posted once, and again only when it changed', async () => {
      const wanted = await confirmed()
      const ready = nextVersion(wanted, { fulfilment: 'ready_to_ship' })
      expect((await drive(erp, ready)).operations).toEqual(['note'])
      expect((await drive(erp, ready)).operations).toEqual([])
      const before = await see(wanted)
      expect(markers(before.messages, wanted)).toBe(1)
      expect((await drive(erp, nextVersion(ready, { fulfilment: 'shipped' }))).operations).toEqual(['note'])
      const after = await see(wanted)
      expect(markers(after.messages, wanted)).toBe(2)
      expect({ ...after, messages: [] }).toEqual({ ...before, messages: [] })
    })

    test('what a marketplace wrote never becomes markup', async () => {
      const wanted = nextVersion(await confirmed(), { fulfilment: 'shipped', tracking: '<b>T&1</b>' })
      await drive(erp, wanted)
      const body = (await see(wanted)).messages.find((message) => message.includes('[rosh:')) ?? ''
      expect(body).toContain('&lt;b&gt;T&amp;1&lt;/b&gt;')
      expect(body).not.toContain('&amp;lt;')
    })

    test('the tracking number reaches the delivery, follows its change, and leaves a person’s alone', async () => {
      const wanted = nextVersion(await confirmed(), { fulfilment: 'shipped', tracking: 'TRK-A' })
      expect((await drive(erp, wanted)).operations).toEqual(['note', 'track'])
      expect((await see(wanted)).pickings).toMatchObject([{ tracking: 'TRK-A' }])
      const moved = nextVersion(wanted, { tracking: 'TRK-B' })
      expect((await drive(erp, moved)).operations).toEqual(['note', 'track'])
      expect((await see(wanted)).pickings).toMatchObject([{ tracking: 'TRK-B' }])
      await there().person.setTracking(wanted.externalId ?? '', 'BY-HAND')
      const again = await drive(erp, nextVersion(moved, { tracking: 'TRK-C' }))
      expect(again.operations).toEqual(['note'])
      expect(again.end).toMatchObject({ kind: 'refused', cause: 'erp-conflict' })
      expect((await see(wanted)).pickings).toMatchObject([{ tracking: 'BY-HAND' }])
    })

    test('a cancellation before the delivery cancels the order and its delivery, once', async () => {
      const wanted = nextVersion(await confirmed(), { lifecycle: 'cancelled' })
      expect((await drive(erp, wanted)).operations).toEqual(['cancel'])
      expect(await see(wanted)).toMatchObject({ state: 'cancel', pickings: [{ state: 'cancel' }] })
      const again = await drive(erp, wanted)
      expect(again).toMatchObject({
        operations: [],
        end: { kind: 'done', reason: 'already-there' },
        shown: { content: { lifecycle: 'cancelled' } },
      })
    })

    test('one that was cancelled before it was ever there is not created', async () => {
      const wanted = wantedOf(there(), { lifecycle: 'cancelled' })
      expect(await drive(erp, wanted)).toMatchObject({ operations: [], end: { kind: 'done', reason: 'nothing-to-do' } })
      expect(await there().person.countByReference(wanted.reference)).toBe(0)
    })

    test('a cancellation after the delivery waits for a person', async () => {
      const wanted = await confirmed()
      await there().person.deliver(wanted.externalId ?? '')
      const { operations, end } = await drive(erp, nextVersion(wanted, { lifecycle: 'cancelled' }))
      expect(operations).toEqual([])
      expect(end).toMatchObject({ kind: 'refused', cause: 'erp-conflict' })
      expect((await see(wanted)).state).toBe('sale')
    })

    test('an answer that only asks a person something changed nothing, and the look-up says so', async ({ skip }) => {
      skip(!there().refusesLateCancel, 'this ERP cancels what was delivered a moment ago')
      const wanted = nextVersion(await confirmed(), { lifecycle: 'cancelled' })
      const stale = await look(erp, wanted)
      await there().person.deliver(wanted.externalId ?? '')
      expect(await erp.send(wanted, 'cancel', stale, newKey(), never)).toEqual({ externalId: wanted.externalId, shown: null })
      const { operations, end } = await drive(erp, wanted)
      expect(operations).toEqual([])
      expect(end).toMatchObject({ kind: 'refused', cause: 'erp-conflict' })
      expect((await see(wanted)).state).toBe('sale')
    })

    test('an order that a person cancelled is not opened again', async () => {
      const wanted = await confirmed()
      await there().person.cancel(wanted.externalId ?? '')
      expect((await drive(erp, wanted)).end).toMatchObject({ kind: 'refused', cause: 'erp-conflict' })
    })

    test('of an order born in the ERP it only hears what the marketplace says, in the chatter', async () => {
      const id = await there().person.createOrder({ lines: [{ sku: there().skus[0], quantity: 1, price: 9_990 }], confirmed: true })
      const before = await there().person.see(id)
      const wanted = wantedOf(there(), {
        origin: 'odoo',
        orderKey: id,
        fulfilment: 'shipped',
        tracking: 'ML-T1',
        lines: [],
        totalMinor: null,
      })
      expect(await drive(erp, wanted)).toMatchObject({ operations: ['note'], end: { kind: 'done' }, shown: { externalId: id } })
      expect((await drive(erp, wanted)).operations).toEqual([])
      const after = await there().person.see(id)
      expect(markers(after.messages, wanted)).toBe(1)
      expect({ ...after, messages: [] }).toEqual({ ...before, messages: [] })
      const unknown = wantedOf(there(), { origin: 'odoo', orderKey: '2147483000', fulfilment: 'shipped', lines: [] })
      expect((await drive(erp, unknown)).end).toEqual({ kind: 'done', reason: 'nothing-to-do' })
    })
  })
}
