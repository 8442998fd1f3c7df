import { describe, expect, test } from 'vitest'
import { Fragment, displayStatus } from '../../core/order.ts'
import { foldOrder } from '../../core/fold.ts'
import { orderFragment, PARIS_STATUSES, ParisOrder } from './order.ts'

const raw = {
  id: 'p-7',
  buyer: 'Ana Rojas',
  status: 'created',
  external_ref: null as string | null,
  items: [
    { sku: 'CUP', qty: 2 },
    { sku: 'CUP', qty: 1 },
  ],
  created_at: '2026-11-20T12:00:00-03:00',
  updated_at: '2026-11-21T12:00:00Z',
}
const fragment = (over: object = {}) => orderFragment(ParisOrder.parse({ ...raw, ...over }), PARIS_STATUSES)
const shown = (...statuses: string[]) =>
  foldOrder(
    'paris:main',
    'p-7',
    statuses.map((status, fetchNo) => ({ channel: 'paris:main', fragment: fragment({ status }), fetchNo })),
    () => false,
  )

describe('an order of Paris', () => {
  test('is a fragment without version, prices or currency, under both spellings of its id', () => {
    expect(Fragment.parse(fragment())).toEqual({
      entity: 'order',
      externalId: 'p-7',
      orderKey: 'p-7',
      version: null,
      identifiers: [
        { kind: 'marketplace-order', value: 'p-7' },
        { kind: 'marketplace-order', value: 'PARIS-p-7' },
      ],
      payment: 'paid',
      lifecycle: 'open',
      fulfilment: 'to_prepare',
      flags: [],
      lines: [
        { lineId: 'p-7-1', sku: 'CUP', quantity: '2', unitPriceMinor: null },
        { lineId: 'p-7-2', sku: 'CUP', quantity: '1', unitPriceMinor: null },
      ],
      confirmed: true,
      rawStatus: 'created',
    })
  })

  test('carries our reference as people type it', () => {
    expect(fragment({ external_ref: 'odoo-42' }).identifiers).toContainEqual({ kind: 'reference', value: 'ODOO-42' })
    expect(Fragment.safeParse(fragment({ external_ref: 'ß'.repeat(200) })).success).toBe(true)
  })

  test('names its buyer in no fragment', () => {
    expect(JSON.stringify(fragment())).not.toContain('Ana')
  })

  test('every known status has its display', () => {
    const display = Object.fromEntries(Object.keys(PARIS_STATUSES).map((status) => [status, displayStatus(shown(status).order)]))
    expect(display).toEqual({
      created: 'CONFIRMED',
      accepted: 'CONFIRMED',
      confirmed: 'CONFIRMED',
      ready_to_ship: 'READY_TO_SHIP',
      shipped: 'SHIPPED',
      delivered: 'DELIVERED',
      returned: 'RETURNED',
      cancelled: 'CANCELLED',
    })
  })

  test('an unknown status is flagged and kept raw, and overwrites nothing that is known', () => {
    for (const status of ['en_bodega', 'constructor', '__proto__', '', 'x'.repeat(400)]) {
      expect(Fragment.parse(fragment({ status })).flags).toEqual(['unknown_status'])
    }
    const { order } = shown('shipped', 'en_bodega')
    expect([order.fulfilment, order.rawStatus, displayStatus(order)]).toEqual(['shipped', 'en_bodega', 'UNKNOWN'])
    expect(displayStatus(shown('shipped', 'en_bodega', 'delivered').order)).toBe('DELIVERED')
  })

  test('without a version the rank decides: a step back is told and not applied', () => {
    const { order, illegal } = shown('delivered', 'shipped')
    expect([order.fulfilment, illegal]).toEqual(['delivered', [{ axis: 'fulfilment', from: 'delivered', to: 'shipped', fetchNo: 1 }]])
    expect(shown('cancelled', 'created').order.lifecycle).toBe('cancelled')
  })

  test('what is no order of Paris is refused by the field', () => {
    const odd = [
      { id: '../1' },
      { items: [{ sku: '', qty: 1 }] },
      { items: [{ sku: 'A', qty: 'two' }] },
      { items: [{ sku: 'A', qty: 1e300 }] },
      { buyer: 'a\u0000b' },
      { created_at: 'yesterday' },
      { status: 7 },
    ]
    for (const over of odd) expect(ParisOrder.safeParse({ ...raw, ...over }).success).toBe(false)
    expect(fragment({ items: [{ sku: 'A', qty: 0.5 }] }).lines?.[0]?.quantity).toBe('0.5')
  })
})
