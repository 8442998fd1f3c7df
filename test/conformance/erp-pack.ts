import { expect } from 'vitest'
import { IntegrationError } from '../../src/core/integration-error.ts'
import type { DesiredOrder } from '../../src/core/desired.ts'
import type { Erp } from '../../src/ports/erp.ts'
import type { Wanted } from '../../src/ports/target.ts'
import { drive, type ErpWorld, look, never, newKey, nextVersion, wantedOf } from './erp-world.ts'
import { beforeAll, describe, test } from './suite.ts'

/** Orders of one pack are lines of one order: they come late, and they are cancelled one by one. */
export function followsThePack(there: () => ErpWorld): void {
  describe('a pack whose orders change', () => {
    let erp: Erp
    beforeAll(async () => {
      erp = await there().open()
    })
    const see = (wanted: Wanted) => there().person.see(wanted.externalId ?? '')
    const lines = (): { first: DesiredOrder['lines'][number]; late: DesiredOrder['lines'][number] } => ({
      first: { lineId: '2000001', sku: there().skus[0], quantity: '2', unitPriceMinor: 12_990 },
      late: { lineId: '2000002', sku: there().skus[1], quantity: '1', unitPriceMinor: 49_990 },
    })
    const alone = async (desired: Partial<DesiredOrder> = {}): Promise<Wanted> => {
      const wanted = wantedOf(there(), { lines: [lines().first], totalMinor: 25_980, ...desired })
      await drive(erp, wanted)
      return wanted
    }
    const joined = (wanted: Wanted, desired: Partial<DesiredOrder> = {}): Wanted =>
      nextVersion(wanted, { lines: [lines().first, lines().late], totalMinor: 75_970, ...desired })
    const pair = async (): Promise<Wanted> => {
      const wanted = wantedOf(there(), { lines: [lines().first, lines().late] })
      await drive(erp, wanted)
      return wanted
    }
    const quantities = async (wanted: Wanted): Promise<[string, number][]> =>
      (await see(wanted)).lines.map(({ sku, quantity }): [string, number] => [sku, quantity]).sort()
    const both = (): [string, number][] => [
      [there().skus[0], 2],
      [there().skus[1], 1],
    ]

    test('a late order of the pack is appended to the confirmed one, with its delivery, once', async () => {
      const late = joined(await alone())
      const { operations, end } = await drive(erp, late)
      expect({ operations, end }).toEqual({ operations: ['update'], end: { kind: 'done', reason: 'already-there' } })
      expect(await see(late)).toMatchObject({
        state: 'sale',
        totalMinor: 75_970,
        toDeliver: { [there().skus[0]]: 2, [there().skus[1]]: 1 },
      })
      expect(await quantities(late)).toEqual(both())
      expect((await drive(erp, late)).operations).toEqual([])
      expect((await drive(erp, nextVersion(late, { fulfilment: 'ready_to_ship' }))).operations).toEqual(['note'])
      expect(await there().person.countByReference(late.reference)).toBe(1)
    })

    test('an append that is sent again, by whoever saw it missing, leaves one line', async () => {
      const late = joined(await alone())
      const other = await there().open()
      const stale = await look(erp, late)
      const staleToo = await look(other, late)
      await erp.send(late, 'update', stale, newKey(), never)
      await other.send(late, 'update', staleToo, newKey(), never).catch((error: unknown) => {
        if (!(error instanceof IntegrationError)) throw error
      })
      expect((await drive(erp, late)).end.kind).toBe('done')
      expect(await quantities(late)).toEqual(both())
      expect(await see(late)).toMatchObject({ totalMinor: 75_970, toDeliver: { [there().skus[0]]: 2, [there().skus[1]]: 1 } })
    })

    test('before the confirmation it is appended first, and the whole is confirmed', async () => {
      const late = joined(await alone({ confirm: false }), { confirm: true })
      expect((await drive(erp, late)).operations).toEqual(['update', 'confirm'])
      expect(await see(late)).toMatchObject({ state: 'sale', totalMinor: 75_970 })
    })

    test('what then adds up to something else waits for a person', async () => {
      const late = joined(await alone(), { totalMinor: 75_971 })
      const { operations, end } = await drive(erp, late)
      expect(operations).toEqual(['update'])
      expect(end).toMatchObject({ kind: 'refused', cause: 'totals-mismatch', summary: expect.stringContaining('75970') })
    })

    test('an order that a person changed is left alone', async () => {
      const wanted = await alone()
      await there().person.setQuantity(wanted.externalId ?? '', there().skus[0], 3)
      const { operations, end } = await drive(erp, joined(wanted))
      expect(operations).toEqual([])
      expect(end).toMatchObject({ kind: 'refused', cause: 'erp-conflict' })
      expect(await quantities(wanted)).toEqual([[there().skus[0], 3]])
    })

    test('a late line with a SKU that names no product is refused, named, and nothing is appended', async () => {
      const wanted = await alone()
      const sku = `NOPE-${newKey()}`
      const late = joined(wanted, { lines: [lines().first, { ...lines().late, sku }] })
      const failure = await drive(erp, late).catch((error: unknown) => error)
      expect(failure).toMatchObject({ code: 'rejected', detail: { causeCode: 'sku-unknown', summary: expect.stringContaining(sku) } })
      expect(await quantities(wanted)).toEqual([[there().skus[0], 2]])
    })

    test('a cancelled order of the pack goes to quantity 0, and what its delivery still holds is for a person', async () => {
      const less = nextVersion(await pair(), { lines: [lines().first], totalMinor: 25_980 })
      const { operations, end } = await drive(erp, less)
      expect(operations).toEqual(['update'])
      const seen = await see(less)
      expect(seen).toMatchObject({ state: 'sale', totalMinor: 25_980 })
      expect(await quantities(less)).toEqual([
        [there().skus[0], 2],
        [there().skus[1], 0],
      ])
      const { keepsDemand } = there()
      expect(seen.toDeliver[there().skus[1]] ?? 0).toBe(keepsDemand ? 1 : 0)
      expect(end).toMatchObject(
        keepsDemand ? { kind: 'refused', cause: 'erp-conflict', summary: expect.stringContaining(there().skus[1]) } : { kind: 'done' },
      )
      expect((await drive(erp, less)).operations).toEqual([])
    })

    test('one that is delivered already is not taken back', async () => {
      const wanted = await pair()
      await there().person.deliver(wanted.externalId ?? '')
      const { operations, end } = await drive(erp, nextVersion(wanted, { lines: [lines().first], totalMinor: 25_980 }))
      expect(operations).toEqual([])
      expect(end).toMatchObject({ kind: 'refused', cause: 'erp-conflict' })
      expect(await quantities(wanted)).toEqual(both())
    })
  })
}
