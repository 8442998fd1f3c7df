import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { foldOrder, mayFulfil, mayLifecycle, mayPayment, type Observed } from './fold.ts'
import { Flag, type Fragment, Fulfilment, Lifecycle, Payment } from './order.ts'

const ML = 'mercadolibre:1001'
const never = (): boolean => false
const ships = (channel: string): boolean => channel !== 'odoo'

function seen(change: Partial<Fragment>, fetchNo: number, channel = ML): Observed {
  const base: Fragment = {
    entity: 'order',
    externalId: '1',
    orderKey: '1',
    version: '2026-01-01T00:00:00.000Z',
    identifiers: [{ kind: 'marketplace-order', value: '1' }],
  }
  return { channel, fetchNo, fragment: { ...base, ...change } }
}

const at = (second: number): string => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString()

const anObservation: fc.Arbitrary<Observed> = fc
  .record({
    entity: fc.constantFrom('order' as const, 'shipment' as const, 'pack' as const),
    externalId: fc.constantFrom('1', '2'),
    version: fc.option(fc.integer({ min: 0, max: 5 }).map(at), { nil: null }),
    fetchNo: fc.integer({ min: 1, max: 1_000 }),
    payment: fc.option(fc.constantFrom(...Payment.options), { nil: undefined }),
    fulfilment: fc.option(fc.constantFrom(...Fulfilment.options), { nil: undefined }),
    lifecycle: fc.option(fc.constantFrom(...Lifecycle.options), { nil: undefined }),
    flags: fc.option(fc.subarray(Flag.options), { nil: undefined }),
    totalMinor: fc.option(fc.integer({ min: 0, max: 9 }), { nil: undefined }),
    channel: fc.constantFrom(ML, 'odoo'),
  })
  .map(({ channel, fetchNo, ...fields }) =>
    seen(Object.fromEntries(Object.entries(fields).filter(([, v]) => v !== undefined)) as Partial<Fragment>, fetchNo, channel),
  )

describe('the fold', () => {
  test('gives the same order whatever the permutation, duplication or delay', () => {
    const history = fc.uniqueArray(anObservation, { maxLength: 12, selector: (o) => o.fetchNo })
    fc.assert(
      fc.property(
        history.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray([...list, ...list], { minLength: list.length * 2 }))),
        ([list, arrivals]) => {
          const late = [...list].reverse()
          const expected = foldOrder(ML, '1', list, ships).order
          expect(foldOrder(ML, '1', arrivals, ships).order).toEqual(expected)
          expect(foldOrder(ML, '1', late, ships).order).toEqual(expected)
        },
      ),
      { numRuns: 500 },
    )
  })

  test('a late observation is sorted in by version, never by arrival', () => {
    const shipped = seen({ version: at(9), fulfilment: 'shipped' }, 1)
    const ready = seen({ version: at(5), fulfilment: 'ready_to_ship' }, 2)
    expect(foldOrder(ML, '1', [shipped, ready], never).order.fulfilment).toBe('shipped')
  })

  test('versions are compared as instants, not as text', () => {
    const later = seen({ version: '2026-11-20T12:00:00.000-04:00', payment: 'paid' }, 1)
    const earlier = seen({ version: '2026-11-20T15:30:00.000+00:00', payment: 'pending' }, 2)
    expect(foldOrder(ML, '1', [later, earlier], never).order.payment).toBe('paid')
  })

  test('what was not said never overwrites what is known', () => {
    const whole = seen(
      { version: at(1), totalMinor: 100, currency: 'CLP', lines: [{ lineId: '1', sku: 'A', quantity: '1', unitPriceMinor: 100 }] },
      1,
    )
    const partial = seen({ version: at(2), payment: 'paid' }, 2)
    expect(foldOrder(ML, '1', [whole, partial], never).order).toMatchObject({
      totalMinor: 100,
      currency: 'CLP',
      payment: 'paid',
      lines: [{ sku: 'A' }],
    })
  })

  test('a step back that no rule allows is kept out and named', () => {
    const { order, illegal } = foldOrder(
      ML,
      '1',
      [seen({ version: at(1), fulfilment: 'delivered' }, 1), seen({ version: at(2), fulfilment: 'to_prepare' }, 2)],
      never,
    )
    expect(order.fulfilment).toBe('delivered')
    expect(illegal).toEqual([{ axis: 'fulfilment', from: 'delivered', to: 'to_prepare', fetchNo: 2 }])
  })

  test('a pack is the sum of its orders; a cancelled sibling leaves it', () => {
    const line = (id: string) => ({ lineId: id, sku: id, quantity: '1', unitPriceMinor: 10 })
    const siblings = ['1', '2', '3'].map((id, i) =>
      seen(
        { externalId: id, totalMinor: 10, lines: [line(id)], payment: 'paid', ...(id === '3' ? { lifecycle: 'cancelled' as const } : {}) },
        i + 1,
      ),
    )
    expect(foldOrder(ML, 'P', siblings, never).order).toMatchObject({
      totalMinor: 20,
      lines: [{ sku: '1' }, { sku: '2' }],
      lifecycle: 'open',
    })
  })

  test('content follows the origin, fulfilment the system that ships', () => {
    const erp = seen(
      {
        externalId: '42',
        lines: [{ lineId: 'l1', sku: 'A', quantity: '2', unitPriceMinor: 5 }],
        payment: 'paid',
        fulfilment: 'none',
        confirmed: true,
      },
      1,
      'odoo',
    )
    const there = seen(
      {
        externalId: '9',
        lines: [{ lineId: '9', sku: 'B', quantity: '7', unitPriceMinor: 1 }],
        payment: 'refunded',
        fulfilment: 'shipped',
        lifecycle: 'cancelled',
      },
      2,
    )
    expect(foldOrder('odoo', '42', [erp, there], ships).order).toMatchObject({
      lines: [{ sku: 'A' }],
      payment: 'paid',
      lifecycle: 'open',
      fulfilment: 'shipped',
    })
    expect(foldOrder('odoo', '42', [erp, there], never).order.fulfilment).toBe('none')
  })

  test('a cancelled pack cancels the order', () => {
    expect(
      foldOrder(ML, 'P', [seen({ payment: 'paid' }, 1), seen({ entity: 'pack', externalId: 'P', lifecycle: 'cancelled' }, 2)], never).order
        .lifecycle,
    ).toBe('cancelled')
  })
})

test('the listed regressions are legal, and no others', () => {
  expect(mayPayment('paid', 'pending')).toBe(true)
  expect(mayPayment('refunded', 'paid')).toBe(false)
  expect(mayPayment('charged_back', 'paid')).toBe(true)
  expect(mayFulfil('shipped', 'returned')).toBe(true)
  expect(mayFulfil('shipped', 'not_delivered')).toBe(true)
  expect(mayFulfil('delivered', 'not_delivered')).toBe(false)
  expect(mayLifecycle('open', 'cancelled')).toBe(true)
  expect(mayLifecycle('cancelled', 'open')).toBe(false)
  expect(mayLifecycle('cancel_requested', 'open')).toBe(true)
})
