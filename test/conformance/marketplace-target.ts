import { expect } from 'vitest'
import type { DesiredOrder } from '../../src/core/desired.ts'
import type { Sent, Shown, Wanted } from '../../src/ports/target.ts'
import { aLog, aWanted, failureOf, type MarketplaceWorld, nextVersion, oneMore, patient } from './marketplace-world.ts'
import { describe, test } from './suite.ts'

type WantedOrder = Wanted & { desired: DesiredOrder }
const ABSENT: Shown = { kind: 'absent' }

const lookUp = (world: MarketplaceWorld, wanted: Wanted): Promise<Shown> => world.marketplace.lookUp(wanted, aLog().log, patient())
const send = (world: MarketplaceWorld, wanted: Wanted, operation: 'create' | 'update' | 'cancel' | 'track', shown: Shown): Promise<Sent> =>
  world.marketplace.send(wanted, operation, shown, crypto.randomUUID(), patient())

/** A search may show an order late, so absence is only believed when it lasts. */
async function found(world: MarketplaceWorld, wanted: Wanted): Promise<Extract<Shown, { kind: 'found' }>> {
  let shown = ABSENT
  await expect.poll(async () => (shown = await lookUp(world, wanted)).kind, { timeout: world.lagMs }).toBe('found')
  if (shown.kind === 'absent') throw new Error('unreachable')
  return shown
}

async function created(world: MarketplaceWorld, wanted: WantedOrder): Promise<{ id: string; shown: Shown }> {
  const sent = await send(world, wanted, 'create', ABSENT)
  if (sent.externalId === null) throw new Error('a create told no id')
  return { id: sent.externalId, shown: sent.shown ?? (await lookUp(world, { ...wanted, externalId: sent.externalId })) }
}

export function deliversOrders(there: () => MarketplaceWorld): void {
  describe('as a target', () => {
    test('an order that was never sent is absent, and each request of the look-up is recorded', async (context) => {
      const world = there()
      if (!world.marketplace.capabilities.createOrder) context.skip()
      const { log, reads } = aLog()
      const before = (await world.requests()).length
      expect(await world.marketplace.lookUp(aWanted(world), log, patient())).toEqual(ABSENT)
      const seen = (await world.requests()).slice(before).map((one) => one.requestId)
      expect(reads.length).toBeGreaterThan(0)
      expect(reads.map((one) => one.requestId)).toEqual(seen)
      expect(reads.filter((one) => one.outcome !== 'ok')).toEqual([])
    })

    test('a create is one request under the id it was given, and its answer or a look-up shows the version', async (context) => {
      const world = there()
      if (!world.marketplace.capabilities.createOrder) context.skip()
      const wanted = aWanted(world)
      expect(world.marketplace.next(wanted, ABSENT)).toEqual({ kind: 'send', operation: 'create' })
      const before = (await world.requests()).length
      const requestId = crypto.randomUUID()
      const sent = await world.marketplace.send(wanted, 'create', ABSENT, requestId, patient())
      expect((await world.requests()).slice(before).map((one) => one.requestId)).toEqual([requestId])
      expect(sent.externalId).toMatch(/\S/)
      const shown = sent.shown ?? (await lookUp(world, { ...wanted, externalId: sent.externalId }))
      expect(world.marketplace.next({ ...wanted, externalId: sent.externalId }, shown)).toMatchObject({ kind: 'done' })
    })

    test('a create whose time is over before its first byte is unreachable, and nothing left', async (context) => {
      const world = there()
      if (!world.marketplace.capabilities.createOrder) context.skip()
      const wanted = aWanted(world)
      const before = (await world.requests()).length
      const late = world.marketplace.send(wanted, 'create', ABSENT, crypto.randomUUID(), patient(), () => true)
      expect((await failureOf(late)).code).toBe('unreachable')
      expect((await world.requests()).slice(before)).toEqual([])
    })

    test('what was created is found by its id and by our reference, with the same lines', async (context) => {
      const world = there()
      if (!world.marketplace.capabilities.createOrder) context.skip()
      const wanted = aWanted(world)
      const { id } = await created(world, wanted)
      const byReference = await found(world, wanted)
      const byId = await found(world, { ...wanted, externalId: id })
      expect([byReference.externalId, byId.externalId]).toEqual([id, id])
      expect(byId.content.lifecycle).not.toBe('cancelled')
      const lines = wanted.desired.lines.map(({ sku, quantity, unitPriceMinor }) => ({
        sku,
        quantity,
        unitPriceMinor: world.currency === null ? null : unitPriceMinor,
      }))
      for (const shown of [byReference, byId]) {
        expect([...shown.content.lines].sort((a, b) => (a.sku < b.sku ? -1 : 1))).toEqual(lines)
        const money = world.currency === null ? {} : { currency: world.currency, totalMinor: 30_980 }
        expect(shown.content).toMatchObject(money)
      }
    })

    test('an id that is known decides, whatever carries the reference', async (context) => {
      const world = there()
      if (!world.marketplace.capabilities.createOrder) context.skip()
      const [one, other] = [aWanted(world), aWanted(world)]
      const { id } = await created(world, one)
      await created(world, other)
      expect((await found(world, { ...other, externalId: id })).externalId).toBe(id)
    })

    test('an order that many newer ones lie above is found, back to its first send', async (context) => {
      const world = there()
      if (!world.marketplace.capabilities.createOrder || !world.buy || world.pageSize === 0) return context.skip()
      const wanted = aWanted(world)
      const firstSentAt = new Date().toISOString()
      const { id } = await created(world, wanted)
      for (let i = 0; i < world.pageSize + 2; i++) await world.buy([{ sku: 'LAMP-1', quantity: 1, unitPriceMinor: 9_990 }])
      expect((await found(world, { ...wanted, firstSentAt })).externalId).toBe(id)
    })

    test('an order whose buyer was erased is created all the same, and what is shown of any order names nobody', async (context) => {
      const world = there()
      if (!world.marketplace.capabilities.createOrder) context.skip()
      for (const personal of [null, { buyerName: 'Ana Rojas', buyerNickname: 'Ana Rojas' }]) {
        const wanted = aWanted(world, { personal })
        const { shown } = await created(world, wanted)
        for (const one of [shown, await found(world, wanted)]) {
          expect(one.kind).toBe('found')
          expect(JSON.stringify(one)).not.toMatch(world.buyerText)
          expect(JSON.parse(JSON.stringify(one))).toEqual(one)
        }
      }
    })

    test('what comes next is decided from what it is given, without a request and without a change of it', async () => {
      const world = there()
      const content = { lifecycle: 'open' as const, fulfilment: null, currency: null, totalMinor: null, lines: [], extra: {} }
      const shown: Shown = { kind: 'found', externalId: '2000000000000001', content }
      const before = (await world.requests()).length
      for (const lifecycle of ['open', 'cancelled'] as const) {
        for (const seen of [ABSENT, shown]) {
          const wanted = aWanted(world, { order: { lifecycle } })
          const copy = structuredClone({ wanted, seen })
          const steps = [1, 2, 3].map(() => world.marketplace.next(wanted, seen))
          expect(steps).toEqual([steps[0], steps[0], steps[0]])
          expect({ wanted, seen }).toEqual(copy)
        }
      }
      expect((await world.requests()).length).toBe(before)
    })

    test('an order that was there and is gone is not created again', async (context) => {
      const world = there()
      if (!world.marketplace.capabilities.createOrder) context.skip()
      const bound = aWanted(world, { externalId: world.unknownPointer.split('/').at(-1) ?? '' })
      const step = world.marketplace.next(bound, await lookUp(world, bound))
      expect(step).toMatchObject({ kind: 'refused', cause: 'delivered-then-missing' })
    })

    test('where a create is idempotent, the same reference again leaves one order and answers it', async (context) => {
      const world = there()
      if (!world.marketplace.capabilities.idempotentCreate) context.skip()
      const wanted = aWanted(world)
      const { id } = await created(world, wanted)
      const again = await send(world, { ...wanted, desired: { ...wanted.desired, ...oneMore(wanted.desired) } }, 'create', ABSENT)
      expect([again.externalId, await world.countOf(wanted.reference)]).toEqual([id, 1])
      // It may have ignored what was sent: what its answer shows is what counts.
      const newer = nextVersion(wanted, id, oneMore(wanted.desired))
      const shown = await found(world, newer)
      const step = world.marketplace.next(newer, again.shown ?? shown)
      expect(step).toEqual(world.marketplace.next(newer, shown))
    })

    test('another generation of an order is another reference', async (context) => {
      const world = there()
      if (!world.marketplace.capabilities.createOrder) context.skip()
      const wanted = aWanted(world)
      await created(world, wanted)
      await found(world, wanted)
      expect(await lookUp(world, { ...wanted, generation: 2, reference: `${wanted.reference}-g2` })).toEqual(ABSENT)
    })

    test('a newer version is an update of the same order', async (context) => {
      const world = there()
      if (!world.marketplace.capabilities.updateOrder) context.skip()
      const wanted = aWanted(world)
      const { id, shown } = await created(world, wanted)
      const newer = nextVersion(wanted, id, oneMore(wanted.desired))
      expect(world.marketplace.next(newer, shown)).toEqual({ kind: 'send', operation: 'update' })
      await send(world, newer, 'update', shown)
      const after = await found(world, newer)
      expect(world.marketplace.next(newer, after)).toMatchObject({ kind: 'done' })
      expect(after.externalId).toBe(id)
      await expect.poll(() => world.countOf(wanted.reference)).toBe(1)
    })

    test('a cancelled version cancels the order, which is then still found', async (context) => {
      const world = there()
      if (!world.marketplace.capabilities.cancelOrder) context.skip()
      const wanted = aWanted(world)
      const { id, shown } = await created(world, wanted)
      const cancelled = nextVersion(wanted, id, { lifecycle: 'cancelled' })
      expect(world.marketplace.next(cancelled, shown)).toEqual({ kind: 'send', operation: 'cancel' })
      await send(world, cancelled, 'cancel', shown)
      const after = await found(world, cancelled)
      expect(after.content.lifecycle).toBe('cancelled')
      expect(world.marketplace.next(cancelled, after)).toMatchObject({ kind: 'done' })
      // By reference too: an order that is cancelled is not absent, or it would be created again.
      await expect.poll(async () => (await found(world, { ...cancelled, externalId: null })).content.lifecycle).toBe('cancelled')
    })

    test('a parcel that another system ships is reported once, with its tracking number', async (context) => {
      const world = there()
      if (!world.marketplace.capabilities.pushFulfilment) context.skip()
      const wanted = aWanted(world)
      const { id } = await created(world, wanted)
      const shipped = nextVersion(wanted, id, { fulfilment: 'shipped', tracking: 'CL-1' })
      const before = await found(world, shipped)
      expect(world.marketplace.next(shipped, before)).toEqual({ kind: 'send', operation: 'track' })
      await send(world, shipped, 'track', before)
      const after = await found(world, shipped)
      expect(after.content.fulfilment).toBe('shipped')
      expect(world.marketplace.next(shipped, after)).toEqual({ kind: 'done', reason: 'already-there' })
      const renamed = nextVersion(shipped, id, { tracking: 'CL-2' })
      expect(world.marketplace.next(renamed, await found(world, renamed))).toEqual({ kind: 'send', operation: 'track' })
    })

    test('what stands there for ever is never reported over', async (context) => {
      const world = there()
      if (!world.marketplace.capabilities.pushFulfilment) context.skip()
      const wanted = aWanted(world)
      const { id } = await created(world, wanted)
      const delivered = nextVersion(wanted, id, { fulfilment: 'delivered', tracking: 'CL-1' })
      await send(world, delivered, 'track', await found(world, delivered))
      const shown = await found(world, delivered)
      expect(world.marketplace.next(delivered, shown)).toMatchObject({ kind: 'done' })
      expect(world.marketplace.next(nextVersion(wanted, id, { fulfilment: 'shipped', tracking: 'CL-1' }), shown)).toMatchObject({
        kind: 'done',
      })
      const lost = nextVersion(wanted, id, { fulfilment: 'not_delivered' })
      expect(world.marketplace.next(lost, shown)).toMatchObject({ kind: 'refused', cause: 'unsupported-by-target' })
    })

    test('what is owed nothing needs no request', () => {
      const world = there()
      const never = aWanted(world, { order: { lifecycle: 'cancelled' } })
      expect(world.marketplace.next(never, ABSENT)).toEqual({ kind: 'done', reason: 'nothing-to-do' })
    })

    test('a quantity it cannot take is refused for this order, with the SKU named', (context) => {
      const world = there()
      const { createOrder, fractionalQuantity } = world.marketplace.capabilities
      if (!createOrder || fractionalQuantity) context.skip()
      const lines = [{ lineId: '1', sku: 'HALF', quantity: '0.5', unitPriceMinor: 100 }]
      const step = world.marketplace.next(aWanted(world, { order: { lines } }), ABSENT)
      expect(step).toMatchObject({ kind: 'refused', cause: 'unsupported-by-target' })
      expect(step.kind === 'refused' && step.summary).toContain('HALF')
    })

    test('what its capabilities leave out is said before any request', async () => {
      const world = there()
      const wanted = aWanted(world)
      const before = (await world.requests()).length
      expect(world.incapable.next(wanted, ABSENT)).toEqual({ kind: 'unsupported', operation: 'create' })
      const content = { lifecycle: 'open' as const, fulfilment: null, currency: null, totalMinor: null, lines: [], extra: {} }
      const shown: Shown = { kind: 'found', externalId: '2000000000000001', content }
      const bound = { ...wanted, externalId: '2000000000000001' }
      expect(world.incapable.next(bound, shown)).toEqual({ kind: 'unsupported', operation: 'update' })
      const cancelled = nextVersion(wanted, bound.externalId, { lifecycle: 'cancelled' })
      expect(world.incapable.next(cancelled, shown)).toEqual({ kind: 'unsupported', operation: 'cancel' })
      // What it does not say of a parcel it is not asked for either: the planner leaves it out.
      for (const operation of ['create', 'update', 'cancel', 'track'] as const) {
        const failure = await failureOf(world.incapable.send(bound, operation, shown, crypto.randomUUID(), patient()))
        expect(failure.code).toBe('unsupported')
      }
      expect((await world.requests()).length).toBe(before)
    })

    test('a SKU it does not know is told as such', async (context) => {
      const world = there()
      if (!world.forgetSku) return context.skip()
      const wanted = aWanted(world)
      await world.forgetSku(wanted.desired.lines[1]?.sku ?? '')
      const failure = await failureOf(send(world, wanted, 'create', ABSENT))
      expect([failure.code, failure.detail.causeCode]).toEqual(['rejected', 'sku-unknown'])
      expect(await world.countOf(wanted.reference)).toBe(0)
    })
  })
}
