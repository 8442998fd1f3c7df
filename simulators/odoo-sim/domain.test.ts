import { describe, expect, test } from 'vitest'
import { microsToText } from './env.ts'
import { startOdoo } from './test-odoo.ts'

/** 2026-03-02 12:00:17.400000 UTC, moved on by hand. */
function clock(): { now: () => number; set: (micros: number) => void; start: number } {
  const start = Date.UTC(2026, 2, 2, 12, 0, 17) * 1000 + 400_000
  let current = start
  return { now: () => current, set: (micros) => void (current = micros), start }
}

describe.each([14, 19] as const)('searching in Odoo %i', (version) => {
  test('write_date shows whole seconds but is compared by the rules of the version', async () => {
    const time = clock()
    const { admin, call } = await startOdoo(version, { now: time.now })
    await admin('/orders', { client_order_ref: 'A' })
    const [row] = await call<{ write_date: string }[]>('sale.order', 'search_read', [[]], { fields: ['write_date'] })
    const shown = row?.write_date ?? ''
    expect(shown).toBe('2026-03-02 12:00:17')
    const hits = async (operator: string) => (await call<number[]>('sale.order', 'search', [[['write_date', operator, shown]]])).length
    const found = { '>': await hits('>'), '>=': await hits('>='), '=': await hits('='), '<=': await hits('<=') }
    expect(found).toEqual(version === 14 ? { '>': 1, '>=': 1, '=': 0, '<=': 0 } : { '>': 0, '>=': 1, '=': 1, '<=': 1 })
    time.set(time.start + 300_000)
    await admin('/orders', { client_order_ref: 'B' })
    // The row of the same second, written after the read: lost for ever by `>` on 19.
    expect(await hits('>')).toBe(version === 14 ? 2 : 0)
    expect(microsToText(time.start + 300_000)).toBe(shown)
  })

  test('operators and prefix logic', async () => {
    const { admin, call } = await startOdoo(version)
    await admin(
      '/orders',
      ['ML-1', 'ML-2', 'PARIS-1'].map((client_order_ref) => ({
        client_order_ref,
        team: client_order_ref.startsWith('ML') ? 'MercadoLibre' : 'Paris',
      })),
    )
    await admin('/orders', { state: 'sale', lines: [{ sku: 'SKU-001' }] })
    const ids = (domain: unknown[]) => call<number[]>('sale.order', 'search', [domain], { order: 'id' })
    expect(await ids([['client_order_ref', '=', 'ML-1']])).toEqual([1])
    expect(await ids([['client_order_ref', '!=', 'ML-1']])).toEqual([2, 3, 4])
    expect(await ids([['client_order_ref', '=', false]])).toEqual([4])
    expect(await ids([['client_order_ref', 'in', ['ML-1', 'PARIS-1']]])).toEqual([1, 3])
    expect(await ids([['id', 'not in', [1, 2]]])).toEqual([3, 4])
    expect(await ids([['client_order_ref', 'like', 'ML-']])).toEqual([1, 2])
    expect(await ids([['client_order_ref', 'ilike', 'paris']])).toEqual([3])
    expect(
      await ids([
        ['id', '>', 2],
        ['id', '<=', 3],
      ]),
    ).toEqual([3])
    expect(await ids(['|', ['id', '=', 1], '&', ['state', '=', 'sale'], ['team_id', '=', false]])).toEqual([1, 4])
    expect(await ids(['!', ['state', '=', 'sale']])).toEqual([1, 2, 3])
    expect(await ids([['team_id.name', '=', 'Paris']])).toEqual([3])
    expect(await ids([['order_line.product_id.default_code', '=', 'SKU-001']])).toEqual([4])
    expect(
      await call('stock.quant', 'search_count', [
        [
          ['location_id.usage', '=', 'internal'],
          ['product_id', '=', 1],
        ],
      ]),
    ).toBe(1)
  })

  test('archived products need active_test=false', async () => {
    const { admin, call } = await startOdoo(version)
    await admin('/products/SKU-002/archive', {})
    const domain = [['default_code', '=', 'SKU-002']]
    expect(await call('product.product', 'search', [domain])).toEqual([])
    expect(await call('product.product', 'search', [domain], { context: { active_test: false } })).toEqual([2])
    expect(await call('product.product', 'search', [[...domain, ['active', '=', false]]])).toEqual([2])
  })

  test('read_group finds doubled references', async () => {
    const { admin, call } = await startOdoo(version)
    await admin(
      '/orders',
      ['A', 'B', 'A'].map((client_order_ref) => ({ client_order_ref })),
    )
    const groups = await call<Record<string, unknown>[]>('sale.order', 'read_group', [[], ['client_order_ref'], ['client_order_ref']])
    expect(groups.map((one) => [one.client_order_ref, one.client_order_ref_count])).toEqual([
      ['A', 2],
      ['B', 1],
    ])
  })

  test('pages are cut by limit and offset in the order asked for', async () => {
    const { admin, call } = await startOdoo(version)
    await admin('/orders', { count: 5 })
    expect(await call('sale.order', 'search', [[]], { order: 'write_date asc, id asc', limit: 2, offset: 2 })).toEqual([3, 4])
    expect(await call('sale.order', 'search', [[]], { order: 'id desc', limit: 2 })).toEqual([5, 4])
  })
})
