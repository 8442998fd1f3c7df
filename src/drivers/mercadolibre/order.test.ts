import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { foldOrder } from '../../core/fold.ts'
import type { Fragment } from '../../core/order.ts'
import { parseLossless } from './lossless-json.ts'
import { buyerOf, MeliOrder, orderFragment } from './order.ts'
import { MeliPack, packFragment } from './pack.ts'
import { MeliShipment, receiverOf, shipmentFragment } from './shipment.ts'
import { defaultStatusMap, fulfilmentOf } from './status-map.ts'

const aSale = {
  id: 2000009047722568,
  status: 'paid',
  last_updated: '2026-11-20T12:00:00.000-04:00',
  pack_id: null,
  tags: ['paid', 'not_delivered'],
  total_amount: 25980,
  currency_id: 'CLP',
  order_items: [{ item: { id: 'MLC1500000001', seller_sku: 'TAZA-01' }, quantity: 2, unit_price: 12990 }],
  payments: [{ id: 1, status: 'approved', tags: [] }],
  shipping: { id: 43729529445 },
  mediations: [],
  buyer: { id: 5, nickname: 'COMPRADOR5', first_name: 'Ana', last_name: 'Rojas' },
}

function fragmentOf(over: Record<string, unknown> = {}, missing: string[] | null = null, withReference = false): Fragment {
  const order = MeliOrder.parse(parseLossless(JSON.stringify({ ...aSale, ...over })))
  return orderFragment(order, { statuses: defaultStatusMap, withReference, missing })
}

describe('an order', () => {
  test('becomes a fragment in the words of the hub', () => {
    expect(fragmentOf()).toEqual({
      entity: 'order',
      externalId: '2000009047722568',
      orderKey: '2000009047722568',
      version: '2026-11-20T16:00:00.000Z',
      identifiers: [
        { kind: 'marketplace-order', value: '2000009047722568' },
        { kind: 'marketplace-order', value: 'ML-2000009047722568' },
        { kind: 'shipment', value: '43729529445' },
      ],
      payment: 'paid',
      lifecycle: 'open',
      flags: [],
      currency: 'CLP',
      totalMinor: 25980,
      lines: [{ lineId: '2000009047722568', sku: 'TAZA-01', quantity: '2', unitPriceMinor: 12990 }],
      rawStatus: 'paid',
    })
  })

  test('of a pack is keyed by the pack, in either prefix', () => {
    const fragment = fragmentOf({ pack_id: 2000006181551917 })
    expect(fragment.orderKey).toBe('2000006181551917')
    expect(fragment.identifiers).toContainEqual({ kind: 'pack', value: 'ML-2000006181551917' })
  })

  test.each([
    ['confirmed', 'pending', 'open'],
    ['payment_required', 'pending', 'open'],
    ['payment_in_process', 'pending', 'open'],
    ['partially_paid', 'pending', 'open'],
    ['paid', 'paid', 'open'],
    ['partially_refunded', 'partially_refunded', 'open'],
    ['pending_cancel', undefined, 'cancel_requested'],
    ['cancelled', undefined, 'cancelled'],
    ['invalid', undefined, 'cancelled'],
  ])('status %s is payment %s and lifecycle %s', (status, payment, lifecycle) => {
    const fragment = fragmentOf({ status })
    expect([fragment.payment, fragment.lifecycle, fragment.flags]).toEqual([payment, lifecycle, []])
  })

  test('an unknown status is flagged and kept in its own words, and says nothing else', () => {
    for (const status of ['teleported', 'constructor', '__proto__']) {
      const fragment = fragmentOf({ status })
      expect(fragment).toMatchObject({ flags: ['unknown_status'], rawStatus: status })
      expect([fragment.payment, fragment.lifecycle]).toEqual([undefined, undefined])
    }
  })

  test('a fraud alert, an open mediation and a test order are flags', () => {
    expect(fragmentOf({ tags: ['paid', 'fraud_risk_detected'] }).flags).toEqual(['hold_fraud'])
    expect(fragmentOf({ mediations: [{ id: 1 }] }).flags).toEqual(['mediation'])
    expect(fragmentOf({ payments: [{ status: 'in_mediation' }] }).flags).toEqual(['mediation'])
    expect(fragmentOf({ tags: ['test_order'] }).flags).toEqual(['test_order'])
  })

  test('refunded to a balance it stays `paid` with tag `unfulfilled`, and is refunded and cancelled', () => {
    const payments = [{ status: 'approved', tags: ['refund_account_money'] }]
    expect(fragmentOf({ tags: ['unfulfilled'], payments })).toMatchObject({
      payment: 'refunded',
      lifecycle: 'cancelled',
      rawStatus: 'paid',
    })
  })

  test('cancelled with its payment returned it is refunded; charged back it is charged back', () => {
    expect(fragmentOf({ status: 'cancelled', payments: [{ status: 'refunded' }] })).toMatchObject({
      payment: 'refunded',
      lifecycle: 'cancelled',
    })
    expect(fragmentOf({ payments: [{ status: 'charged_back' }] }).payment).toBe('charged_back')
  })

  test('the feedback tags `delivered` and `not_delivered` say nothing of fulfilment', () => {
    expect(fragmentOf({ tags: ['paid', 'delivered'] }).fulfilment).toBeUndefined()
  })

  test('an item without SKU stays visible by its listing', () => {
    const order_items = [{ item: { id: 'MLC7', seller_sku: null }, quantity: 1, unit_price: 5 }]
    expect(fragmentOf({ order_items }).lines).toEqual([{ lineId: '2000009047722568', sku: 'item:MLC7', quantity: '1', unitPriceMinor: 5 }])
  })

  test('several lines of one order, as at the simulator, are numbered', () => {
    const line = aSale.order_items[0]
    expect(fragmentOf({ order_items: [line, line] }).lines?.map((one) => one.lineId)).toEqual(['2000009047722568-1', '2000009047722568-2'])
  })

  test('an amount that is none of its currency is named', () => {
    const order_items = [{ item: { id: 'MLC7', seller_sku: 'A' }, quantity: 1, unit_price: 12990.5 }]
    expect(() => fragmentOf({ order_items })).toThrow('order_items[0].unit_price is not an exact amount of CLP')
    expect(fragmentOf({ order_items, currency_id: 'USD', total_amount: 12990.5 }).totalMinor).toBe(1299050)
  })

  test('the reference is read at the simulator only', () => {
    const external_reference = 'odoo-42'
    expect(fragmentOf({ external_reference }, null, true).identifiers).toContainEqual({ kind: 'reference', value: 'odoo-42' })
    expect(fragmentOf({ external_reference }).identifiers.some((one) => one.kind === 'reference')).toBe(false)
  })

  test('personal fields stand apart from the fragment', () => {
    expect(buyerOf(MeliOrder.parse(aSale))).toEqual({ buyerName: 'Ana Rojas', buyerNickname: 'COMPRADOR5' })
    expect(JSON.stringify(fragmentOf())).not.toMatch(/COMPRADOR5|Ana|Rojas/)
  })
})

describe('a partial answer (206)', () => {
  test('says only what it shows, whether the rest is null or absent', () => {
    const nulls = fragmentOf({ tags: null, order_items: null, buyer: null }, ['tags', 'order_items', 'buyer'])
    expect(nulls).toMatchObject({ payment: 'paid', totalMinor: 25980 })
    expect([nulls.flags, nulls.lines]).toEqual([undefined, undefined])
  })

  test('is flagged where every flag can be told, else no known flag is touched', () => {
    expect(fragmentOf({ order_items: null }, ['order_items']).flags).toEqual(['partial'])
    expect(fragmentOf({ mediations: null }, ['mediations']).flags).toBeUndefined()
    expect(fragmentOf({ buyer: null }, ['buyer']).flags).toEqual([])
  })

  test('does not take known lines or a known hold away', () => {
    const whole = fragmentOf({ tags: ['fraud_risk_detected'] })
    const later = fragmentOf({ last_updated: '2026-11-21T00:00:00Z', tags: null, order_items: null }, ['tags', 'order_items'])
    const observed = [whole, later].map((fragment, fetchNo) => ({ channel: 'ml', fragment, fetchNo }))
    const { order } = foldOrder('ml', whole.orderKey, observed, () => true)
    expect(order).toMatchObject({ flags: ['hold_fraud'], lines: whole.lines })
  })

  test('without pack_id is refused: the sale it belongs to is not known', () => {
    expect(() => fragmentOf({ pack_id: null }, ['pack_id'])).toThrow('pack_id')
  })
})

describe('a shipment', () => {
  const shipmentOf = (over: Record<string, unknown>) =>
    shipmentFragment(
      MeliShipment.parse({ id: 43729529445, status: 'shipped', substatus: null, last_updated: '2026-11-20T12:00:00.000-0400', ...over }),
      'KEY',
      defaultStatusMap,
    )

  test('in the new shape and in the flat one is the same fragment', () => {
    const tracking_number = 'TRK-1'
    const shaped = shipmentOf({ tracking_number, logistic: { type: 'fulfillment', direction: 'forward' } })
    expect(shaped).toEqual(shipmentOf({ tracking_number, logistic_type: 'fulfillment', type: 'forward' }))
    expect(shaped).toMatchObject({
      entity: 'shipment',
      orderKey: 'KEY',
      version: '2026-11-20T16:00:00.000Z',
      fulfilment: 'shipped',
      tracking: 'TRK-1',
      flags: ['marketplace_fulfilled'],
      rawStatus: 'shipped',
    })
  })

  test.each([
    ['pending', 'buffered', 'me2', 'to_prepare'],
    ['handling', null, 'default', 'to_prepare'],
    ['ready_to_ship', 'printed', 'drop_off', 'ready_to_ship'],
    ['ready_to_ship', 'picked_up', 'cross_docking', 'shipped'],
    ['ready_to_ship', 'in_hub', 'xd_drop_off', 'shipped'],
    ['ready_to_ship', 'dropped_off', 'drop_off', 'shipped'],
    ['ready_to_ship', 'picked_up', 'self_service', 'ready_to_ship'],
    ['shipped', 'picked_up', 'cross_docking', 'shipped'],
    ['delivered', 'damaged', null, 'delivered'],
    ['not_delivered', 'damaged', null, 'not_delivered'],
    ['not_delivered', 'returning_to_sender', null, 'not_delivered'],
    ['not_delivered', 'returned', null, 'returned'],
    ['not_delivered', 'returned_to_warehouse', null, 'returned'],
    ['not_delivered', 'returned_to_hub', null, 'not_delivered'],
    ['not_delivered', 'returned_to_agency', null, 'not_delivered'],
    ['shipped', 'unauthorized_receiver', null, 'shipped'],
  ])('%s/%s by %s is %s', (status, substatus, type, fulfilment) => {
    expect(shipmentOf({ status, substatus, logistic: { type } })).toMatchObject({
      fulfilment,
      flags: [],
      rawStatus: substatus ? `${status}/${substatus}` : status,
    })
  })

  test('cancelled says nothing of fulfilment and cancels no order', () => {
    const fragment = shipmentOf({ status: 'cancelled', substatus: 'pack_splitted' })
    expect([fragment.fulfilment, fragment.lifecycle, fragment.flags]).toEqual([undefined, undefined, []])
  })

  test('that comes back says nothing of the way out', () => {
    const fragment = shipmentOf({ status: 'delivered', logistic: { type: 'drop_off', direction: 'return' }, tracking_number: 'BACK' })
    expect([fragment.fulfilment, fragment.tracking, fragment.rawStatus]).toEqual([undefined, undefined, 'return delivered'])
  })

  test('of an unknown status is flagged', () => {
    expect(shipmentOf({ status: 'constructor' })).toMatchObject({ flags: ['unknown_status'], rawStatus: 'constructor' })
  })

  test('shows its receiver only to the personal fields', () => {
    const destination = {
      receiver_name: 'Ana Rojas',
      receiver_phone: '+56 9',
      shipping_address: { address_line: 'Calle 1', city: { name: 'Santiago' } },
    }
    const shipment = MeliShipment.parse({ id: 1, status: 'shipped', last_updated: '2026-11-20T12:00:00Z', destination })
    expect(receiverOf(shipment)).toEqual({ buyerName: 'Ana Rojas', phone: '+56 9', address: 'Calle 1, Santiago' })
    expect(JSON.stringify(shipmentFragment(shipment, 'K', defaultStatusMap))).not.toMatch(/Ana|Calle/)
  })

  test('settings may add a status', () => {
    const map = { ...defaultStatusMap, shipment: { ...defaultStatusMap.shipment, 'shipped/stuck': 'not_delivered' as const } }
    expect(fulfilmentOf(map, { status: 'shipped', substatus: 'stuck', logisticType: null })).toBe('not_delivered')
  })
})

const samples = new URL('../../../../shared/payloads/', import.meta.url)
describe.skipIf(!existsSync(samples))("the vendor's published samples", () => {
  const sample = (name: string): unknown => parseLossless(readFileSync(new URL(name, samples), 'utf8'))

  test('the pack is read, with its date without a colon', () => {
    const fragment = packFragment(MeliPack.parse(sample('ml-pack-official-example.json')), defaultStatusMap)
    expect(fragment).toMatchObject({ externalId: '2000006181551917', version: '2024-08-15T21:42:52.000Z', lifecycle: 'open', flags: [] })
  })

  test('every pair of the shipment catalogue has a reading', () => {
    const catalogue = sample('ml-shipment_statuses-official-catalogue.json') as { id: string; substatuses: { id: string }[] }[]
    const unknown = new Set<string>()
    for (const { id: status, substatuses } of catalogue) {
      for (const substatus of [null, ...substatuses.map((one) => one.id)]) {
        const fulfilment = fulfilmentOf(defaultStatusMap, { status, substatus, logisticType: 'drop_off' })
        if (fulfilment === undefined) unknown.add(status)
      }
    }
    expect([...unknown].sort()).toEqual(['active', 'closed', 'error', 'not_verified'])
  })
})
