import { expect } from 'vitest'
import { IntegrationError } from '../../src/core/integration-error.ts'
import type { Erp, ErpDoubled } from '../../src/ports/erp.ts'
import { CHANNEL, drive, type ErpWorld, look, never, newKey, nextVersion, wantedOf } from './erp-world.ts'
import { beforeAll, describe, test } from './suite.ts'

export function createsOrders(there: () => ErpWorld): void {
  describe('an order born in a marketplace', () => {
    let erp: Erp
    beforeAll(async () => {
      erp = await there().open()
    })
    const see = (id: string | null) => there().person.see(id ?? '')

    test('it is created, checked and confirmed, and nothing is left to do after it', async () => {
      expect(erp.looksFirst).toBe(true)
      const wanted = wantedOf(there())
      const { operations, end, shown } = await drive(erp, wanted)
      expect(operations.at(-1)).toBe('confirm')
      expect(end).toEqual({ kind: 'done', reason: 'already-there' })
      expect(shown).toMatchObject({
        kind: 'found',
        externalId: wanted.externalId,
        content: {
          lifecycle: 'open',
          currency: 'CLP',
          totalMinor: 75_970,
          lines: [
            { sku: there().skus[0], quantity: '2', unitPriceMinor: 12_990 },
            { sku: there().skus[1], quantity: '1', unitPriceMinor: 49_990 },
          ],
        },
      })
      expect(await see(wanted.externalId)).toMatchObject({
        state: 'sale',
        totalMinor: 75_970,
        reference: wanted.reference,
        origin: CHANNEL,
      })
      expect((await drive(erp, wanted)).operations).toEqual([])
    })

    test('a create whose time is over before its first byte is unreachable, and nothing is there', async () => {
      const wanted = wantedOf(there())
      const late = erp.send(wanted, 'create', await look(erp, wanted), newKey(), never, () => true)
      await expect(late).rejects.toMatchObject({ code: 'unreachable' })
      expect(await there().person.countByReference(wanted.reference)).toBe(0)
    })

    test('the generic partner of a marketplace is created once, by a request of its own', async () => {
      const named = await there().open({ partner: `Compradores ${newKey()}` })
      expect((await drive(named, wantedOf(there()))).operations).toEqual(['create', 'create', 'confirm'])
      expect((await drive(named, wantedOf(there()))).operations).toEqual(['create', 'confirm'])
    })

    test('an order that a person made again under one reference is counted with both ids, until one is cancelled', async () => {
      const since = new Date(Date.parse(await erp.serverTime(never)) - 60_000).toISOString()
      const wanted = wantedOf(there())
      await drive(erp, wanted)
      const doubled = async (): Promise<ErpDoubled | undefined> =>
        (await erp.doubledOrders(since, never)).find((group) => group.reference === wanted.reference)
      expect(await doubled()).toBeUndefined()
      const lines = [{ sku: there().skus[0], quantity: 1, price: 12_990 }]
      const other = await there().person.createOrder({ reference: wanted.reference, origin: 'another shop', lines })
      expect(await doubled(), `${other} has another origin`).toBeUndefined()
      const copy = await there().person.createOrder({ reference: wanted.reference, origin: CHANNEL, lines })
      const found = await doubled()
      expect(found).toMatchObject({ origin: CHANNEL, reference: wanted.reference })
      expect(new Set(found?.erpIds)).toEqual(new Set([wanted.externalId, copy]))
      await there().person.cancel(copy)
      expect(await doubled()).toBeUndefined()
    })

    test('two accounts that number their orders alike have an order each', async () => {
      const one = wantedOf(there())
      await drive(erp, one)
      const other = wantedOf(there(), { orderKey: one.reference, origin: 'mercadolibre:1002' })
      expect(await look(erp, other)).toEqual({ kind: 'absent' })
      await drive(erp, other)
      expect(other.externalId).not.toBe(one.externalId)
      expect(await there().person.countByReference(one.reference)).toBe(2)
    })

    test('five creates of one order at once leave one order', async () => {
      await drive(erp, wantedOf(there())) // the partner is there
      const orderKey = newKey()
      const adapters = await Promise.all([1, 2, 3, 4, 5].map(() => there().open()))
      const claims = await Promise.all(
        adapters.map(async (adapter) => {
          const wanted = wantedOf(there(), { orderKey })
          return { adapter, wanted, shown: await look(adapter, wanted) }
        }),
      )
      const ends = await Promise.allSettled(
        claims.map(({ adapter, wanted, shown }) => adapter.send(wanted, 'create', shown, newKey(), never)),
      )
      const ids = new Set(ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value.externalId] : [])))
      expect(ids.size).toBe(1)
      const failures = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []))
      for (const failure of failures) expect(failure).toMatchObject({ code: 'conflict' })
      expect(await there().person.countByReference(orderKey)).toBe(1)
      const after = await Promise.all(claims.map(({ adapter, wanted }) => look(adapter, wanted)))
      for (const shown of after) expect(shown).toMatchObject({ kind: 'found', externalId: [...ids][0], content: { totalMinor: 75_970 } })
    })

    test('another generation of the same order is another order there', async () => {
      const orderKey = newKey()
      const first = wantedOf(there(), { orderKey })
      const second = wantedOf(there(), { orderKey }, { reference: `${orderKey}-g2`, generation: 2 })
      await drive(erp, first)
      await drive(erp, second)
      expect(second.externalId).not.toBe(first.externalId)
    })

    test('an order that adds up to something else is never confirmed', async () => {
      const wanted = wantedOf(there(), { totalMinor: 75_971 })
      const { operations, end } = await drive(erp, wanted)
      expect(operations).not.toContain('confirm')
      expect(end).toMatchObject({ kind: 'refused', cause: 'totals-mismatch', summary: expect.stringContaining('75970') })
      expect((await see(wanted.externalId)).state).toBe('draft')
      const other = wantedOf(there(), {
        currency: 'USD',
        lines: [{ lineId: 'l1', sku: there().skus[0], quantity: '1', unitPriceMinor: 1000 }],
        totalMinor: 10,
      })
      expect((await drive(erp, other)).end).toMatchObject({ kind: 'refused', cause: 'totals-mismatch' })
    })

    test('without prices the ERP’s own pricelist gives them, and no total is compared', async () => {
      const lines = [{ lineId: 'l1', sku: there().skus[0], quantity: '2', unitPriceMinor: null }]
      const wanted = wantedOf(there(), { lines, totalMinor: null, currency: null })
      expect((await drive(erp, wanted)).end.kind).toBe('done')
      expect(await see(wanted.externalId)).toMatchObject({ state: 'sale', totalMinor: 2 * there().listedMinor })
    })

    test('an order on hold is created and waits unconfirmed until it is released', async () => {
      const wanted = wantedOf(there(), { confirm: false })
      expect((await drive(erp, wanted)).operations.at(-1)).toBe('create')
      expect((await see(wanted.externalId)).state).toBe('draft')
      const released = nextVersion(wanted, { confirm: true })
      expect((await drive(erp, released)).operations).toEqual(['confirm'])
    })

    test('a person’s edit before the confirmation stops it and stays', async () => {
      const wanted = wantedOf(there(), { confirm: false })
      await drive(erp, wanted)
      await there().person.setQuantity(wanted.externalId ?? '', there().skus[0], 1)
      const { operations, end } = await drive(erp, nextVersion(wanted, { confirm: true }))
      expect(operations).toEqual([])
      expect(end).toMatchObject({ kind: 'refused', cause: 'erp-conflict' })
      expect(await see(wanted.externalId)).toMatchObject({ state: 'draft', totalMinor: 62_980 })
    })

    test('lines that the marketplace changed after the creation are more than the ERP takes', async () => {
      const wanted = wantedOf(there(), { confirm: false })
      await drive(erp, wanted)
      const changed = nextVersion(wanted, { lines: [{ lineId: 'l1', sku: there().skus[0], quantity: '5', unitPriceMinor: 12_990 }] })
      expect((await drive(erp, changed)).end).toEqual({ kind: 'unsupported', operation: 'update' })
    })

    test('a SKU that names no product is refused, named, by one request that proves it', async () => {
      const sku = `NOPE-${newKey()}`
      const wanted = wantedOf(there(), { lines: [{ lineId: 'l1', sku, quantity: '1', unitPriceMinor: 75_970 }] })
      const failure = await drive(erp, wanted).catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(IntegrationError)
      expect(failure).toMatchObject({ code: 'rejected', detail: { causeCode: 'sku-unknown', summary: expect.stringContaining(sku) } })
      expect(await there().person.countByReference(wanted.reference)).toBe(0)
    })

    test('what a person confirmed meanwhile is not confirmed again', async () => {
      const wanted = wantedOf(there(), { confirm: false })
      await drive(erp, wanted)
      const stale = await look(erp, wanted)
      await there().person.confirm(wanted.externalId ?? '')
      const released = nextVersion(wanted, { confirm: true })
      const late = erp.send(released, 'confirm', stale, newKey(), never).then(
        () => 'confirmed again',
        (error: unknown) => (error instanceof IntegrationError ? error.code : error),
      )
      expect(['confirmed again', 'conflict']).toContain(await late)
      expect((await drive(erp, released)).end.kind).toBe('done')
      expect((await see(wanted.externalId)).pickings).toHaveLength(1)
    })

    test('one that somebody deleted is missing, and is not created again', async () => {
      const wanted = wantedOf(there(), { confirm: false })
      await drive(erp, wanted)
      await there().person.remove(wanted.externalId ?? '')
      expect((await drive(erp, wanted)).end).toMatchObject({ kind: 'refused', cause: 'delivered-then-missing' })
      expect(await there().person.countByReference(wanted.reference)).toBe(0)
    })

    test('an id that now names another order proves nothing', async () => {
      const other = wantedOf(there(), { confirm: false })
      await drive(erp, other)
      const wanted = wantedOf(there(), {}, { externalId: other.externalId })
      expect(await look(erp, wanted)).toEqual({ kind: 'absent' })
    })

    test('stock is nothing the ERP is told', () => {
      const wanted = { ...wantedOf(there()), desired: { kind: 'stock' as const, sku: there().skus[0], quantity: 3 } }
      expect(erp.next(wanted, { kind: 'absent' })).toEqual({ kind: 'unsupported', operation: 'stock' })
    })
  })
}
