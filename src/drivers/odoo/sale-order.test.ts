import { describe, expect, test } from 'vitest'
import { Fragment } from '../../core/order.ts'
import { LineRecord, OrderRecord, PickingRecord } from './record.ts'
import { identifiersOf, isHubBorn, mapSaleOrder, mayBeHubBorn, type SaleOrder, tooManyLines } from './sale-order.ts'

const record = (over: Record<string, unknown> = {}) =>
  OrderRecord.parse({
    id: 42,
    name: 'S00042',
    state: 'sale',
    write_date: '2026-11-23 10:00:00',
    create_date: '2026-11-22 09:30:07',
    client_order_ref: 'ML-98345',
    origin: false,
    amount_total: 75_970,
    currency_id: [45, 'CLP'],
    partner_id: [7, 'Camila'],
    order_line: [1, 2],
    create_uid: [9, 'Ana'],
    write_uid: [9, 'Ana'],
    team_id: [3, 'Web'],
    tag_ids: [5, 6],
    pricelist_id: [1, 'Pública (CLP)'],
    company_id: [1, 'Tienda'],
    ...over,
  })
const line = (over: Record<string, unknown> = {}) =>
  LineRecord.parse({
    id: 1,
    order_id: [42, 'S00042'],
    product_id: [100, 'Polera'],
    product_uom_qty: 2,
    price_unit: 12_990,
    price_total: 25_980,
    display_type: false,
    write_uid: [9, 'Ana'],
    ...over,
  })
const picking = (over: Record<string, unknown> = {}) =>
  PickingRecord.parse({
    id: 8,
    sale_id: [42, 'S00042'],
    state: 'assigned',
    picking_type_code: 'outgoing',
    carrier_tracking_ref: false,
    write_date: '2026-11-23 10:00:00',
    ...over,
  })
const sale = (over: Partial<SaleOrder> = {}): SaleOrder => ({
  order: record(),
  lines: [line(), line({ id: 2, product_id: [101, 'Zapatilla'], product_uom_qty: 1, price_total: 49_990 })],
  pickings: [],
  skus: new Map([
    [100, 'SKU-001'],
    [101, 'SKU-002'],
  ]),
  tags: new Map([[5, 'express']]),
  routing: { x_store: 'Norte' },
  ...over,
})
const fragmentOf = (over: Partial<SaleOrder> = {}) => {
  const mapped = mapSaleOrder(sale(over))
  if (mapped.kind !== 'order') throw new Error(`quarantined: ${mapped.record.field}`)
  return mapped.fragment
}
const quarantineOf = (over: Partial<SaleOrder>) => {
  const mapped = mapSaleOrder(sale(over))
  return mapped.kind === 'quarantined' ? [mapped.record.field, mapped.record.problem] : 'mapped'
}

describe('mapping an order of the ERP', () => {
  test('a whole order becomes a whole fragment', () => {
    const fragment = fragmentOf()
    expect(Fragment.parse(fragment)).toEqual(fragment)
    expect(fragment).toEqual({
      entity: 'order',
      externalId: '42',
      orderKey: '42',
      version: '2026-11-23T10:00:00.000Z',
      identifiers: [
        { kind: 'erp-id', value: '42' },
        { kind: 'reference', value: 'ODOO-42' },
        { kind: 'erp-name', value: 'S00042' },
        { kind: 'client-order-ref', value: 'ML-98345' },
        { kind: 'bare', value: '98345' },
      ],
      payment: 'paid',
      fulfilment: 'none',
      lifecycle: 'open',
      flags: [],
      currency: 'CLP',
      totalMinor: 75_970,
      lines: [
        { lineId: 'l1', sku: 'SKU-001', quantity: '2', unitPriceMinor: 12_990 },
        { lineId: 'l2', sku: 'SKU-002', quantity: '1', unitPriceMinor: 49_990 },
      ],
      confirmed: true,
      createdAt: '2026-11-22T09:30:07.000Z',
      erp: { team: 'Web', tags: ['express'], pricelist: 'Pública', company: 'Tienda', fields: { x_store: 'Norte' } },
      rawStatus: 'sale',
    })
  })

  test.each([[false], [undefined]])('an order with the creation date %s says none', (create_date) => {
    expect(fragmentOf({ order: record({ create_date }) })).not.toHaveProperty('createdAt')
  })

  test.each([
    ['draft', false, 'none', 'open'],
    ['sent', false, 'none', 'open'],
    ['sale', true, 'paid', 'open'],
    ['done', true, 'paid', 'open'],
    ['cancel', false, 'none', 'cancelled'],
  ])('the state %s says confirmed %s, payment %s, lifecycle %s', (state, confirmed, payment, lifecycle) => {
    expect(fragmentOf({ order: record({ state }) })).toMatchObject({ confirmed, payment, lifecycle, rawStatus: state })
  })

  test('the price is the gross one that the customer pays, and none where it does not divide', () => {
    const priced = (price_total: number, product_uom_qty: number) =>
      fragmentOf({ lines: [line({ price_total, product_uom_qty })] }).lines?.[0]?.unitPriceMinor
    expect(priced(30_916, 2)).toBe(15_458)
    expect(priced(100, 3)).toBeNull()
    expect(priced(5_950, 0.5)).toBe(11_900)
    expect(priced(-1_000, 1)).toBe(-1_000)
  })

  test('quantities keep their decimals, sections and notes are no lines', () => {
    const lines = [
      line({ id: 9, display_type: 'line_section', product_id: false, product_uom_qty: 0 }),
      line({ product_uom_qty: 0.5, price_total: 5_950 }),
    ]
    expect(fragmentOf({ lines }).lines).toEqual([{ lineId: 'l1', sku: 'SKU-001', quantity: '0.5', unitPriceMinor: 11_900 }])
  })

  test('decimals of other currencies are exact in spite of floats', () => {
    const order = record({ currency_id: [2, 'USD'], amount_total: 59.970000000000006 })
    expect(fragmentOf({ order, lines: [line({ price_total: 39.98 })] })).toMatchObject({
      totalMinor: 5_997,
      lines: [{ unitPriceMinor: 1_999 }],
    })
  })

  test.each([
    ['a product without SKU', { skus: new Map() }, 'order_line[1].product_id.default_code'],
    ['a line without product', { lines: [line({ product_id: false })] }, 'order_line[1].product_id.default_code'],
    ['quantity zero', { lines: [line(), line({ product_uom_qty: 0 })] }, 'order_line[2].product_uom_qty'],
    ['a negative quantity', { lines: [line({ product_uom_qty: -1 })] }, 'order_line[1].product_uom_qty'],
    ['a fraction of a peso', { lines: [line({ price_total: 25_980.5 })] }, 'order_line[1].price_total'],
    ['a total that is no amount', { order: record({ amount_total: 75_970.25 }) }, 'amount_total'],
    ['no currency', { order: record({ currency_id: false }) }, 'currency_id'],
    ['too many lines', { order: record({ order_line: Array.from({ length: 5_001 }, (_, n) => n + 1) }) }, 'order_line'],
  ])('%s is quarantined, naming the field', (_what, over, field) => {
    expect(quarantineOf(over)[0]).toBe(field)
  })

  test('five thousand lines are not too many', () => {
    expect(tooManyLines({ order_line: Array.from({ length: 5_000 }, (_, n) => n) })).toBeUndefined()
  })

  test('a cancelled order is told even when its lines do not map', () => {
    const fragment = fragmentOf({ order: record({ state: 'cancel' }), skus: new Map() })
    expect(fragment).toMatchObject({ lifecycle: 'cancelled' })
    expect(fragment).not.toHaveProperty('lines')
  })
})

describe('fulfilment and version', () => {
  test.each([
    ['no delivery', [], 'none', []],
    ['a cancelled one', [{ state: 'cancel' }], 'none', []],
    ['a return', [{ picking_type_code: 'incoming', state: 'done' }], 'none', []],
    ['one that waits for stock', [{ state: 'confirmed' }], 'to_prepare', []],
    ['one reserved', [{ state: 'assigned' }], 'ready_to_ship', []],
    ['one reserved, one waiting', [{ state: 'assigned' }, { state: 'waiting' }], 'to_prepare', []],
    ['one done, one reserved', [{ state: 'done' }, { state: 'assigned' }], 'ready_to_ship', ['partial']],
    ['all done', [{ state: 'done' }, { state: 'cancel' }], 'shipped', []],
  ])('%s', (_what, pickings, fulfilment, flags) => {
    expect(fragmentOf({ pickings: pickings.map(picking) })).toMatchObject({ fulfilment, flags })
  })

  test('a later write of the delivery is the order’s version, and its tracking number is told', () => {
    const fragment = fragmentOf({ pickings: [picking({ write_date: '2026-11-23 10:00:05', carrier_tracking_ref: ' T-1 ' })] })
    expect(fragment).toMatchObject({ version: '2026-11-23T10:00:05.000Z', tracking: 'T-1' })
  })
})

describe('names', () => {
  test.each([
    ['ML-98345', '98345'],
    ['ML98345', '98345'],
    ['PARIS 2000001234567890', '2000001234567890'],
    ['98345', undefined],
    ['ML-98345-B', undefined],
    ['', undefined],
  ])('of %j the bare number is %j', (client_order_ref, bare) => {
    expect(identifiersOf({ id: 1, name: 'S1', client_order_ref }).find((i) => i.kind === 'bare')?.value).toBe(bare)
  })

  test('an endless reference is cut to what an identifier takes', () => {
    const [, , , reference] = identifiersOf({ id: 1, name: 'S1', client_order_ref: 'x'.repeat(500) })
    expect(reference?.value).toHaveLength(200)
  })
})

describe('whose order it is', () => {
  const by = (uid: number, origin: string | false) => record({ origin, create_uid: [uid, 'x'] })

  test('the origin alone proves nothing: its author or our external id must agree', () => {
    expect(isHubBorn(by(6, 'mercadolibre:1001'), { uid: 6, externalIdProven: false })).toBe(true)
    expect(isHubBorn(by(9, 'paris:main'), { uid: 6, externalIdProven: true })).toBe(true)
    expect(isHubBorn(by(9, 'paris:main'), { uid: 6, externalIdProven: false })).toBe(false)
    expect(isHubBorn(by(6, false), { uid: 6, externalIdProven: true })).toBe(false)
  })

  test.each(['S00041', 'mercadolibre', 'odoo:1', 'mercadolibre:1001, S00041', ''])('%j is no origin of ours', (origin) => {
    expect(mayBeHubBorn({ origin })).toBe(false)
  })
})
