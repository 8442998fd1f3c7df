import { expect } from 'vitest'
import type { Erp } from '../../src/ports/erp.ts'
import { CHANNEL, drive, type ErpWorld, never, newKey, until, wantedOf } from './erp-world.ts'
import { beforeAll, describe, test } from './suite.ts'

const later = (iso: string, seconds: number): string => new Date(Date.parse(iso) + seconds * 1000).toISOString()

export function collectsOrders(there: () => ErpWorld): void {
  describe('collecting', () => {
    let erp: Erp
    beforeAll(async () => {
      erp = await there().open()
    })
    const typed = (quantity = 2, price = 11_900): { sku: string; quantity: number; price: number }[] => [
      { sku: there().skus[0], quantity, price },
    ]
    const readOne = async (erpId: string) => (await erp.readOrders([erpId], never)).orders[0]?.fragment
    const versionIn = async (erpId: string, from: string, to: string) =>
      (await erp.changedOrders(from, to, never)).find((changed) => changed.erpId === erpId)?.version

    test('the time is the server’s own', async () => {
      const now = await erp.serverTime(never)
      expect(now).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/)
      expect(Math.abs(Date.parse(now) - Date.now())).toBeLessThan(60_000)
    })

    test('an order is in the window that its version lies in, and in no other', async () => {
      const id = await there().person.createOrder({ lines: typed() })
      const version = (await readOne(id))?.version ?? ''
      expect(await versionIn(id, later(version, -60), later(version, 60))).toBe(version)
      expect(await versionIn(id, version, version)).toBe(version)
      expect(await versionIn(id, later(version, 1), later(version, 60))).toBeUndefined()
      expect(await versionIn(id, later(version, -60), later(version, -1))).toBeUndefined()
    })

    test('a write that commits late shows an old version, and the overlap finds it', async () => {
      const id = await there().person.createOrder({ lines: typed() })
      const before = (await readOne(id))?.version ?? ''
      await until(async () => Date.parse(await erp.serverTime(never)) >= Date.parse(before) + 2_000)
      const held = await there().person.holdWrite(id)
      const written = await erp.serverTime(never)
      // A poller that reads now moves its watermark past the write it cannot see.
      const watermark = await until(async () => {
        const now = await erp.serverTime(never)
        return Date.parse(now) >= Date.parse(written) + 2_000 && now
      })
      expect(await versionIn(id, later(before, -60), watermark)).toBe(before)
      await held.commit()
      const version = (await readOne(id))?.version ?? ''
      expect(Date.parse(version)).toBeGreaterThan(Date.parse(before))
      expect(Date.parse(version)).toBeLessThan(Date.parse(watermark))
      expect(await versionIn(id, watermark, later(watermark, 60))).toBeUndefined()
      expect(await versionIn(id, later(watermark, -600), watermark)).toBe(version)
    })

    test('a tracking number that a person writes on the delivery is a new version of its order', async () => {
      const id = await there().person.createOrder({ lines: typed(), confirmed: true })
      const before = (await readOne(id))?.version ?? ''
      await until(async () => Date.parse(await erp.serverTime(never)) >= Date.parse(before) + 1_000)
      await there().person.setTracking(id, 'TRK-1')
      const fragment = await readOne(id)
      expect(fragment?.tracking).toBe('TRK-1')
      expect(Date.parse(fragment?.version ?? '')).toBeGreaterThan(Date.parse(before))
      expect(await versionIn(id, later(before, 1), later(before, 600))).toBe(fragment?.version)
    })

    test('the id-set knows every order created since, at the version that reading shows', async () => {
      const from = await erp.serverTime(never)
      const ids = await Promise.all([1, 2, 3].map(() => there().person.createOrder({ lines: typed() })))
      const versions = new Map((await erp.orderVersionsSince(later(from, -5), never)).map((v) => [v.erpId, v.version]))
      for (const id of ids) expect(versions.get(id)).toBe((await readOne(id))?.version)
    })

    test('an order is read with its names, its gross prices and its state', async () => {
      const reference = `ML-${newKey()}`
      const id = await there().person.createOrder({ reference, section: 'Regalo', lines: typed(2), confirmed: true })
      const fragment = await readOne(id)
      const seen = await there().person.see(id)
      expect(fragment).toMatchObject({
        entity: 'order',
        externalId: id,
        orderKey: id,
        confirmed: true,
        payment: 'paid',
        lifecycle: 'open',
        currency: 'CLP',
        totalMinor: seen.totalMinor,
        lines: [{ sku: there().skus[0], quantity: '2', unitPriceMinor: seen.totalMinor / 2 }],
      })
      expect(fragment?.identifiers).toEqual(
        expect.arrayContaining([
          { kind: 'erp-id', value: id },
          { kind: 'reference', value: `ODOO-${id}` },
          { kind: 'client-order-ref', value: reference },
          { kind: 'bare', value: reference.slice(3) },
        ]),
      )
      expect(['to_prepare', 'ready_to_ship']).toContain(fragment?.fulfilment)
      await there().person.deliver(id)
      expect((await readOne(id))?.fulfilment).toBe('shipped')
    })

    test('an order says when it was created, and no change moves that', async () => {
      const { person } = there()
      const from = await erp.serverTime(never)
      const id = await person.createOrder({ lines: typed() })
      const { createdAt = '', version = '' } = (await readOne(id)) ?? {}
      expect(createdAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/)
      expect(Date.parse(createdAt)).toBeGreaterThanOrEqual(Math.floor(Date.parse(from) / 1_000) * 1_000)
      expect(Date.parse(createdAt)).toBeLessThanOrEqual(Date.parse(await erp.serverTime(never)))
      await until(async () => Date.parse(await erp.serverTime(never)) >= Date.parse(version ?? '') + 1_000)
      await person.setQuantity(id, there().skus[0], 3)
      const changed = await readOne(id)
      expect(changed).toMatchObject({ createdAt, lines: [{ quantity: '3' }] })
      expect(Date.parse(changed?.version ?? '')).toBeGreaterThan(Date.parse(version ?? ''))
      await person.cancel(id)
      expect(await readOne(id)).toMatchObject({ createdAt, lifecycle: 'cancelled' })
    })

    test('one bad record waits for a person and the rest of the batch flows', async () => {
      const { person } = there()
      const good = await person.createOrder({ lines: typed(0.5) })
      const zero = await person.createOrder({ lines: typed(0) })
      const bare = await person.createOrder({ lines: [{ sku: null, quantity: 1, price: 990 }] })
      const batch = await erp.readOrders([good, zero, bare, '2147483000', 'nonsense'], never)
      expect(batch.orders.map((o) => [o.fragment.externalId, o.fragment.lines?.[0]?.quantity])).toEqual([[good, '0.5']])
      expect(batch.quarantined).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ erpId: zero, field: 'order_line[1].product_uom_qty' }),
          expect.objectContaining({ erpId: bare, field: 'order_line[1].product_id.default_code' }),
        ]),
      )
      expect(batch.quarantined).toHaveLength(2)
      expect(batch.missing.sort()).toEqual(['2147483000', 'nonsense'])
    })

    test('a cancellation is read even when the lines no longer map', async () => {
      const id = await there().person.createOrder({ lines: typed(0) })
      await there().person.cancel(id)
      expect(await readOne(id)).toMatchObject({ lifecycle: 'cancelled', confirmed: false })
    })

    test('more ids than a batch takes are refused before a request', async () => {
      const many = Array.from({ length: 201 }, (_, n) => String(n + 1))
      await expect(erp.readOrders(many, never)).rejects.toThrow(RangeError)
    })

    test('what the hub created is no order of the ERP, and a person’s order with such an origin is one', async () => {
      const from = await erp.serverTime(never)
      const wanted = wantedOf(there())
      await drive(erp, wanted)
      const id = wanted.externalId ?? ''
      const copy = await there().person.createOrder({ origin: CHANNEL, lines: typed() })
      const window = [later(from, -5), later(from, 120)] as const
      expect(await erp.readOrders([id, copy], never)).toMatchObject({
        orders: [{ fragment: { externalId: copy } }],
        quarantined: [],
        missing: [],
      })
      expect(await versionIn(id, ...window)).toBeUndefined()
      expect(await versionIn(copy, ...window)).toBeDefined()
      const since = (await erp.orderVersionsSince(later(from, -5), never)).map((v) => v.erpId)
      expect(since).toContain(copy)
      expect(since).not.toContain(id)
    })

    test('an order is found by every name a person may type, and nothing else is', async () => {
      const number = newKey()
      const id = await there().person.createOrder({ reference: `ML-${number}`, lines: typed() })
      const [byId] = await erp.find(`odoo-${id}`, never)
      for (const typedText of [`ODOO-${id}`, byId?.erpName ?? '', `ml-${number}`, number, ` ML-${number} `]) {
        expect((await erp.find(typedText, never)).map((f) => f.erpId)).toEqual([id])
      }
      expect(byId).toMatchObject({ erpId: id, reference: `ML-${number}`, state: 'draft', version: (await readOne(id))?.version })
      for (const unknown of ['', `ML-${newKey()}`, '99999999999999999999', '%', 'ML-%']) expect(await erp.find(unknown, never)).toEqual([])
    })

    test('stock that moved is told with the free pieces of now', async () => {
      const { person, skus } = there()
      const from = await erp.serverTime(never)
      await person.setStock(skus[1], 80)
      const told = async () => (await erp.changedStock(later(from, -1), later(from, 120), never)).find((s) => s.sku === skus[1])
      const free = (await told())?.quantity ?? Number.NaN
      expect(free).toBeGreaterThan(10)
      await person.createOrder({ lines: [{ sku: skus[1], quantity: 3, price: 1000 }], confirmed: true })
      expect(await told()).toMatchObject({ quantity: free - 3, version: expect.stringMatching(/Z$/) })
      expect(await erp.changedStock(later(from, 3_600), later(from, 7_200), never)).toEqual([])
    })

    test('the deliveries of orders the hub created are told for their channel: ready, shipped, with the tracking number', async () => {
      const wanted = wantedOf(there())
      await drive(erp, wanted)
      const id = wanted.externalId ?? ''
      const told = async (origins: string[]) => {
        const now = Date.parse(await erp.serverTime(never))
        const window = { fromIso: new Date(now - 600_000).toISOString(), toIso: new Date(now + 2_000).toISOString(), origins }
        return (await erp.changedPickings(window, never)).find((fragment) => fragment.externalId === id)
      }
      expect(await told([CHANNEL])).toMatchObject({ entity: 'picking', fulfilment: 'ready_to_ship' })
      await there().person.setTracking(id, 'CL-77')
      await there().person.deliver(id)
      expect(await told([CHANNEL])).toMatchObject({ entity: 'picking', fulfilment: 'shipped', tracking: 'CL-77' })
      expect(await told(['mercadolibre:9'])).toBeUndefined()
      expect(await told([])).toBeUndefined()
    })
  })
}
