import { expect } from 'vitest'
import { orderPointer } from '../../src/core/inbound-event.ts'
import { Fragment } from '../../src/core/order.ts'
import type { SweepPage } from '../../src/ports/marketplace.ts'
import { aLog, failureOf, type MarketplaceWorld, patient } from './marketplace-world.ts'
import { describe, test } from './suite.ts'

const lines = [{ sku: 'LAMP-1', quantity: 3, unitPriceMinor: 9_990 }]

async function sweep(world: MarketplaceWorld, sinceIso: string): Promise<SweepPage['resources'][]> {
  const pages: SweepPage['resources'][] = []
  let next: string | null = null
  do {
    const page: SweepPage = await world.marketplace.listChanged(sinceIso, next, patient())
    pages.push(page.resources)
    next = page.next
    if (pages.length > 200) throw new Error('a sweep that never ends')
  } while (next !== null)
  return pages
}

export function readsOrders(there: () => MarketplaceWorld): void {
  describe('as a source', () => {
    test('a fetched order is fragments of one sale, each valid, without personal data', async (context) => {
      const world = there()
      if (!world.buy) return context.skip()
      const { resource, orderKey } = await world.buy(lines)
      const { log, reads } = aLog()
      const fetched = await world.marketplace.fetchOrder(resource, log, patient())
      expect(fetched.orderKey).toBe(orderKey)
      for (const fragment of fetched.fragments) expect(Fragment.parse(fragment).orderKey).toBe(orderKey)
      const order = fetched.fragments.find((one) => one.entity === 'order')
      const unitPriceMinor = world.currency === null ? null : 9_990
      expect(order?.lines).toEqual([expect.objectContaining({ sku: 'LAMP-1', quantity: '3', unitPriceMinor })])
      expect(order?.identifiers.length).toBeGreaterThan(0)
      expect(JSON.stringify(fetched.fragments)).not.toMatch(world.buyerText)
      const seen = new Set((await world.requests()).map((one) => one.requestId))
      expect(reads.filter((one) => !seen.has(one.requestId))).toEqual([])
    })

    test('a fetch brings everything that belongs to the sale', async (context) => {
      const world = there()
      if (!world.buy) return context.skip()
      const { resource, parts } = await world.buy(lines)
      const fetched = await world.marketplace.fetchOrder(resource, aLog().log, patient())
      expect(fetched.fragments.map((one) => one.externalId)).toEqual(expect.arrayContaining(parts))
    })

    test('every request of a fetch is an attempt of its own', async (context) => {
      const world = there()
      if (!world.buy) return context.skip()
      const { resource } = await world.buy(lines)
      const before = (await world.requests()).length
      const { log, reads } = aLog()
      await world.marketplace.fetchOrder(resource, log, patient())
      const ids = (await world.requests()).slice(before).map((one) => one.requestId)
      expect(ids).toEqual(reads.map((one) => one.requestId))
    })

    test('two fetches of an order that did not change are equal', async (context) => {
      const world = there()
      if (!world.buy) return context.skip()
      const { resource } = await world.buy(lines)
      const fetch = () => world.marketplace.fetchOrder(resource, aLog().log, patient())
      expect(await fetch()).toEqual(await fetch())
    })

    test('an order that the marketplace cancelled is fetched as cancelled, under no older version', async (context) => {
      const world = there()
      if (!world.buy || !world.cancel) return context.skip()
      const { resource, orderKey } = await world.buy(lines)
      const read = async () =>
        (await world.marketplace.fetchOrder(resource, aLog().log, patient())).fragments.find((one) => one.entity === 'order')
      const before = await read()
      await world.cancel(orderKey)
      const after = await read()
      expect([before?.lifecycle === 'cancelled', after?.lifecycle]).toEqual([false, 'cancelled'])
      const isLater = !before?.version || !after?.version || Date.parse(after.version) > Date.parse(before.version)
      expect(isLater).toBe(true)
    })

    test('an order that is not there is not found', async () => {
      const world = there()
      expect((await failureOf(world.marketplace.fetchOrder(world.unknownPointer, aLog().log, patient()))).code).toBe('not-found')
    })

    test('a pointer that is none leads to no request', async () => {
      const world = there()
      const before = (await world.requests()).length
      const { log, reads } = aLog()
      const pointers = [
        '',
        '/',
        '/users/me',
        'https://evil.test/orders/1',
        '/orders/1/../2',
        '/orders/1?x',
        '//orders/1',
        '/orders/%2e%2e',
        'x\u0000',
      ]
      for (const pointer of pointers) await failureOf(world.marketplace.fetchOrder(pointer, log, patient()))
      expect([reads.length, (await world.requests()).length]).toEqual([0, before])
    })

    test('a sweep pages to its end and holds every changed order, cancelled ones too', async (context) => {
      const world = there()
      if (!world.buy || world.pageSize === 0) return context.skip()
      const sinceIso = new Date(Date.now() - 1_000).toISOString()
      const bought: string[] = []
      for (let i = 0; i < 2 * world.pageSize + 3; i++) bought.push((await world.buy(lines)).orderKey)
      const cancelled = world.cancel ? bought.slice(0, 2) : []
      for (const orderKey of cancelled) await world.cancel?.(orderKey)
      let pages: SweepPage['resources'][] = []
      const missing = async () => {
        pages = await sweep(world, sinceIso)
        const seen = new Set(pages.flat().map((one) => one.orderKey))
        return bought.filter((key) => !seen.has(key))
      }
      await expect.poll(missing, { timeout: world.lagMs }).toEqual([])
      expect(pages.length).toBeGreaterThan(2)
      for (const page of pages) {
        const versions = page.flatMap((one) => (one.version === null ? [] : [Date.parse(one.version)]))
        expect(versions).toEqual([...versions].sort((a, b) => a - b))
      }
      const created = pages.flat().map(({ createdAt }) => createdAt)
      if (world.saysCreation) expect(created.map((at) => Math.abs(Date.now() - Date.parse(at ?? '')) < 600_000)).not.toContain(false)
      const pointer = pages.flat().find((one) => one.orderKey === bought[5])?.resource ?? ''
      expect((await world.marketplace.fetchOrder(pointer, aLog().log, patient())).orderKey).toBe(bought[5])
    })

    test('a change of an older order is in the list of changes, where it says that the list has them, and at the order’s own pointer', async (context) => {
      const world = there()
      if (!world.buy || !world.cancel) return context.skip()
      const { orderKey, parts } = await world.buy(lines)
      const afterIso = new Date(Date.now() + 5).toISOString()
      await expect.poll(() => Date.now() > Date.parse(afterIso)).toBe(true)
      await world.cancel(orderKey)
      const listed = async () => (await sweep(world, afterIso)).flat().some((one) => one.orderKey === orderKey)
      if (world.marketplace.listsChanges) await expect.poll(listed, { timeout: world.lagMs }).toBe(true)
      const fetched = await world.marketplace.fetchOrder(orderPointer(parts[0] ?? ''), aLog().log, patient())
      expect(fetched.fragments.find((one) => one.entity === 'order')?.lifecycle).toBe('cancelled')
    })

    test('events it could not deliver are events, or none', async () => {
      const reading = await there().marketplace.missedEvents(patient())
      expect(reading.kind).toBe('events')
    })
  })
}
