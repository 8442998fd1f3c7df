import { describe, expect, test } from 'vitest'
import { aChannel } from '../../test/support/flow-fixtures.ts'
import { planOrder, referenceOf } from './desired.ts'
import { addDecimals, compareOrder } from './drift.ts'
import { type CanonicalOrder, displayStatus } from './order.ts'
import { routeOrder } from './routing.ts'

const ML = 'mercadolibre:1001'
const channels = [aChannel('odoo'), aChannel(ML), aChannel('paris:main')]
const settings = { channels, rules: [] }

function anOrder(change: Partial<CanonicalOrder> = {}): CanonicalOrder {
  return {
    origin: 'odoo',
    orderKey: '42',
    payment: 'paid',
    fulfilment: 'none',
    lifecycle: 'open',
    flags: [],
    currency: 'CLP',
    totalMinor: 100,
    lines: [{ lineId: 'l1', sku: 'A', quantity: '1', unitPriceMinor: 100 }],
    tracking: null,
    confirmed: true,
    erp: { team: 'Web', tags: ['vip'], pricelist: 'P', company: 'C', fields: { x_channel: 'ml' } },
    rawStatus: 'sale',
    identifiers: [],
    ...change,
  }
}

describe('planning', () => {
  test('a confirmed ERP order goes to every marketplace that can create orders', () => {
    expect(planOrder(anOrder(), [], settings).wishes.map((w) => w.channel)).toEqual([ML, 'paris:main'])
  })

  test('a draft goes nowhere', () => {
    expect(planOrder(anOrder({ confirmed: false }), [], settings).wishes).toEqual([])
  })

  test('a cancellation reaches only those that hold the order', () => {
    const { wishes } = planOrder(anOrder({ lifecycle: 'cancelled', confirmed: false }), ['odoo', ML], settings)
    expect(wishes).toMatchObject([{ channel: ML, desired: { lifecycle: 'cancelled' } }])
  })

  test('a marketplace is not told its own fulfilment; Odoo learns it', () => {
    const { wishes } = planOrder(anOrder({ fulfilment: 'shipped', fulfilmentFromShipper: true }), [ML], settings)
    expect(wishes.find((w) => w.channel === ML)?.desired.fulfilment).toBeNull()
    expect(wishes.find((w) => w.channel === 'odoo')?.desired).toMatchObject({ fulfilment: 'shipped', lines: [] })
  })

  test('Odoo is not told its own fulfilment either', () => {
    const { wishes } = planOrder(anOrder({ fulfilment: 'ready_to_ship' }), [ML], settings)
    expect(wishes.map((w) => w.channel)).not.toContain('odoo')
  })

  describe('where Odoo ships for a marketplace', () => {
    const ships = (pushFulfilment: boolean) => {
      const plain = aChannel(ML)
      const channel = { ...plain, shipsFrom: 'odoo' as const, capabilities: { ...plain.capabilities, pushFulfilment } }
      return { channels: [aChannel('odoo'), channel], rules: [] }
    }
    const left = { fulfilment: 'shipped', tracking: 'CL-1' } as const
    const sold = { origin: ML, orderKey: '2000' }

    test('an ERP order that left is told there, with its tracking number; before that there is nothing to tell', () => {
      const told = (order: CanonicalOrder) => planOrder(order, [], ships(true)).wishes.find((w) => w.channel === ML)?.desired
      expect(told(anOrder(left))).toMatchObject(left)
      expect(told(anOrder({ fulfilment: 'ready_to_ship', tracking: 'CL-1' }))).toMatchObject({ fulfilment: null, tracking: null })
    })

    test('a sale of the marketplace is told to it, and Odoo is not told its own word', () => {
      const { wishes } = planOrder(anOrder({ ...sold, ...left, fulfilmentFromShipper: true }), ['odoo'], ships(true))
      expect(wishes).toMatchObject([
        { channel: 'odoo', desired: { fulfilment: null, tracking: null } },
        { channel: ML, desired: { ...left, lines: [], totalMinor: null } },
      ])
    })

    test('what the marketplace itself says is not told back to it', () => {
      expect(planOrder(anOrder({ ...sold, ...left }), ['odoo'], ships(true)).wishes.map((w) => w.channel)).toEqual(['odoo'])
    })

    test('a marketplace that takes no such word is owed none', () => {
      expect(planOrder(anOrder({ ...sold, ...left, fulfilmentFromShipper: true }), [], ships(false)).wishes.map((w) => w.channel)).toEqual([
        'odoo',
      ])
      expect(planOrder(anOrder(left), [], ships(false)).wishes).toMatchObject([{ channel: ML, desired: { fulfilment: null } }])
    })

    test('nor is one whose sale was cancelled', () => {
      const cancelled = anOrder({ ...sold, ...left, fulfilmentFromShipper: true, lifecycle: 'cancelled' })
      expect(planOrder(cancelled, ['odoo'], ships(true)).wishes.map((w) => w.channel)).toEqual(['odoo'])
    })
  })

  test('a paid marketplace order is owed to Odoo; an unpaid one is not yet', () => {
    expect(planOrder(anOrder({ origin: ML, orderKey: '2000' }), [], settings).wishes).toMatchObject([
      { channel: 'odoo', desired: { confirm: true } },
    ])
    expect(planOrder(anOrder({ origin: ML, payment: 'pending' }), [], settings).wishes).toEqual([])
  })

  test('part of the money given back leaves the rest owed to Odoo, status and tracking number included', () => {
    const left = anOrder({ origin: ML, payment: 'partially_refunded', fulfilment: 'shipped', tracking: 'CL-1' })
    expect(planOrder(left, [], settings).wishes).toMatchObject([
      { channel: 'odoo', desired: { confirm: true, fulfilment: 'shipped', tracking: 'CL-1' } },
    ])
  })

  test('what Odoo holds is told whatever became of the payment, and confirmed only where it stands', () => {
    const back = anOrder({ origin: ML, payment: 'charged_back', fulfilment: 'shipped' })
    expect(planOrder(back, ['odoo'], settings).wishes).toMatchObject([
      { channel: 'odoo', desired: { confirm: false, fulfilment: 'shipped' } },
    ])
    expect(planOrder(back, [], settings).wishes).toEqual([])
  })

  test('an order that was only seen in part is not owed to Odoo yet', () => {
    expect(planOrder(anOrder({ origin: ML, lines: [] }), [], settings).wishes).toEqual([])
    expect(planOrder(anOrder({ origin: ML, flags: ['partial'], totalMinor: null }), [], settings).wishes).toEqual([])
  })

  test('an order on hold is created in Odoo and not confirmed', () => {
    expect(planOrder(anOrder({ origin: ML, flags: ['hold_fraud'] }), [], settings).wishes[0]?.desired.confirm).toBe(false)
  })
})

describe('routing', () => {
  const rule = (when: object, to: string[]) => [{ name: 'the rule', when, to }]
  test.each([
    [{ team: 'Web' }, true],
    [{ tag: 'vip' }, true],
    [{ pricelist: 'P', company: 'C' }, true],
    [{ field: { name: 'x_channel', value: 'ml' } }, true],
    [{ team: 'Other' }, false],
    [{ field: { name: 'x_channel', value: 'paris' } }, false],
  ])('a rule on %j matches: %s', (when, matches) => {
    const route = routeOrder(anOrder(), rule(when, ['paris']), channels)
    expect(route).toMatchObject(matches ? { rule: 'the rule', channels: ['paris:main'] } : { rule: 'default' })
  })

  test('names why a channel was left out', () => {
    const none = { ...aChannel('paris:main').capabilities, createOrder: false }
    const some = [aChannel(ML, { enabled: false }), aChannel('paris:main', { capabilities: none })]
    expect(routeOrder(anOrder(), [], some).skipped).toEqual([
      { channel: ML, reason: 'channel-disabled' },
      { channel: 'paris:main', reason: 'target-cannot-create-orders' },
    ])
    expect(routeOrder(anOrder(), rule({}, []), channels).skipped).toMatchObject([{ reason: 'rule' }, { reason: 'rule' }])
  })
})

test('the reference carries the generation', () => {
  expect(referenceOf(anOrder(), 1)).toBe('odoo-42')
  expect(referenceOf(anOrder(), 2)).toBe('odoo-42-g2')
  expect(referenceOf(anOrder({ origin: ML, orderKey: '2000' }), 1)).toBe('2000')
})

describe('drift', () => {
  const desired = planOrder(anOrder(), [], settings).wishes[0]?.desired
  const shown = { lifecycle: 'open' as const, currency: 'CLP', totalMinor: 100, lines: [{ sku: 'A', quantity: '1', unitPriceMinor: 100 }] }
  if (!desired) throw new Error('nothing was planned')
  test('equal is no drift; what a contract does not carry is not compared', () => {
    expect(compareOrder(desired, shown)).toEqual([])
    expect(
      compareOrder(desired, { ...shown, currency: null, totalMinor: null, lines: [{ sku: 'A', quantity: '1', unitPriceMinor: null }] }),
    ).toEqual([])
  })
  test.each([
    ['total', { totalMinor: 99 }],
    ['currency', { currency: 'USD' }],
    ['lines.A.quantity', { lines: [{ sku: 'A', quantity: '2', unitPriceMinor: 100 }] }],
    ['lines.A.unit_price', { lines: [{ sku: 'A', quantity: '1', unitPriceMinor: 90 }] }],
    ['lines.B.quantity', { lines: [...shown.lines, { sku: 'B', quantity: '1', unitPriceMinor: 1 }] }],
  ])('%s differs', (field, change) => {
    expect(compareOrder(desired, { ...shown, ...change }).flatMap((d) => d.fields.map((f) => f.field))).toContain(field)
  })
  test('an order that is gone is missing, a cancelled one is not missed', () => {
    expect(compareOrder(desired, null)).toMatchObject([{ kind: 'missing', cause: 'delivered-then-missing' }])
    expect(compareOrder({ ...desired, lifecycle: 'cancelled' }, null)).toEqual([])
    expect(compareOrder(desired, { ...shown, lifecycle: 'cancelled' })).toMatchObject([{ kind: 'lifecycle' }])
  })
  test('two lines of one SKU are one line where a target groups them', () => {
    expect(addDecimals(['0.5', '1.25', '2'])).toBe('3.75')
    expect(addDecimals(['0.5', '0.5'])).toBe('1')
  })
})

test.each([
  [{}, 'CONFIRMED'],
  [{ payment: 'pending' as const }, 'PENDING_PAYMENT'],
  [{ fulfilment: 'awaiting_acceptance' as const }, 'AWAITING_ACCEPTANCE'],
  [{ fulfilment: 'ready_to_ship' as const }, 'READY_TO_SHIP'],
  [{ fulfilment: 'shipped' as const }, 'SHIPPED'],
  [{ fulfilment: 'delivered' as const }, 'DELIVERED'],
  [{ fulfilment: 'not_delivered' as const }, 'ON_HOLD'],
  [{ fulfilment: 'returned' as const }, 'RETURNED'],
  [{ lifecycle: 'closed' as const }, 'CLOSED'],
  [{ lifecycle: 'cancelled' as const, flags: ['hold_fraud' as const] }, 'CANCELLED'],
  [{ lifecycle: 'cancel_requested' as const }, 'CANCEL_REQUESTED'],
  [{ flags: ['hold_fraud' as const] }, 'ON_HOLD'],
  [{ flags: ['unknown_status' as const] }, 'UNKNOWN'],
])('the display status of %j is %s', (change, status) => {
  expect(displayStatus(anOrder(change))).toBe(status)
})
