import { describe, expect, test } from 'vitest'
import { loadOf, startOdoo } from './test-odoo.ts'

interface Loaded {
  ids: number[] | false
  messages: { message: string; record: number }[]
}

describe.each([14, 19] as const)('load in Odoo %i', (version) => {
  const taxes = version === 14 ? 'tax_id' : 'tax_ids'

  test('the same external ids give the same order and the same lines', async () => {
    const { call, admin } = await startOdoo(version)
    expect(await call('sale.order', 'load', loadOf('mlc_1'))).toEqual({ ids: [1], messages: [], nextrow: 0 })
    expect(await call('sale.order', 'load', loadOf('mlc_1'))).toMatchObject({ ids: [1] })
    expect(await admin('/orders/1')).toMatchObject({
      external_id: 'orderhub.mlc_1',
      client_order_ref: 'mlc_1',
      lines: [
        { id: 1, sku: 'SKU-001', quantity: 2, external_id: 'orderhub.mlc_1_l1' },
        { id: 2, sku: 'SKU-002', quantity: 2, external_id: 'orderhub.mlc_1_l2' },
      ],
    })
    expect(await call('ir.model.data', 'check_object_reference', ['orderhub', 'mlc_1'])).toEqual(['sale.order', 1])
  })

  test('an external id that is not there is a ValueError', async () => {
    const { rpc } = await startOdoo(version)
    const reply = await rpc('ir.model.data', 'check_object_reference', ['orderhub', 'mlc_9'])
    expect(reply.error?.data.name).toBe('builtins.ValueError')
  })

  test('lines without external ids are doubled', async () => {
    const { call, admin } = await startOdoo(version)
    await call('sale.order', 'load', loadOf('mlc_1', { lineIds: false }))
    await call('sale.order', 'load', loadOf('mlc_1', { lineIds: false }))
    expect((await admin<{ lines: unknown[] }>('/orders/1')).lines).toHaveLength(4)
  })

  test('of five parallel loads of one external id one wins and four say ids: false', async () => {
    const { call, admin } = await startOdoo(version, { loadMs: 100 })
    const results = await Promise.all(Array.from({ length: 5 }, () => call<Loaded>('sale.order', 'load', loadOf('mlc_1'))))
    expect(results.filter((one) => Array.isArray(one.ids))).toHaveLength(1)
    const lost = results.filter((one) => one.ids === false)
    expect(lost).toHaveLength(4)
    expect(lost[0]?.messages[0]?.message).toContain('could not serialize access due to concurrent update')
    expect(await admin('/state')).toMatchObject({ orders: { total: 1 } })
  })

  test('parallel loads of different external ids do not disturb each other', async () => {
    const { call } = await startOdoo(version, { loadMs: 100 })
    const results = await Promise.all(['a', 'b', 'c'].map((key) => call<Loaded>('sale.order', 'load', loadOf(key))))
    expect(results.flatMap((one) => one.ids || []).toSorted((one, other) => one - other)).toEqual([1, 2, 3])
  })

  test('an unknown product is a message and nothing is written', async () => {
    const { call, admin } = await startOdoo(version)
    const result = await call<Loaded>('sale.order', 'load', loadOf('mlc_1', { product: 999 }))
    expect(result).toMatchObject({ ids: false, messages: [{ record: 0, field: 'product_id' }] })
    expect(await admin('/state')).toMatchObject({ orders: { total: 0 } })
  })

  test('parallel creates with one client_order_ref are as many orders', async () => {
    const { call, admin } = await startOdoo(version)
    await Promise.all(Array.from({ length: 5 }, () => call('sale.order', 'create', [[{ partner_id: 4, client_order_ref: 'ML-1' }]])))
    expect((await admin<{ orders: unknown[] }>('/orders?client_order_ref=ML-1')).orders).toHaveLength(5)
  })

  test('IVA comes on top of the price unless the line carries the tax that is in the price', async () => {
    const { call } = await startOdoo(version)
    await call('sale.order', 'load', loadOf('gross', { prices: [12990] }))
    await call('sale.order', 'load', loadOf('included', { prices: [12990], tax: `order_line/${taxes}/.id` }))
    const rows = await call<{ amount_total: number; amount_tax: number }[]>('sale.order', 'search_read', [[]], {
      fields: ['amount_total', 'amount_tax'],
      order: 'id',
    })
    expect(rows.map((row) => row.amount_total)).toEqual([30916, 25980])
    expect(rows[1]?.amount_tax).toBe(4148)
  })

  test('a refused load answers its reason as a message, a refused write as an error', async () => {
    const { call, rpc, admin } = await startOdoo(version)
    await call('sale.order', 'create', [[{ partner_id: 4 }]])
    await admin('/fail-writes', { match: { body: 'mlc_1|blocked' }, message: 'Cliente bloqueado' })
    expect(await call('sale.order', 'load', loadOf('mlc_1'))).toMatchObject({ ids: false, messages: [{ message: 'Cliente bloqueado' }] })
    expect((await rpc('sale.order', 'write', [[1], { origin: 'blocked' }])).error?.data).toMatchObject({
      name: 'odoo.exceptions.UserError',
      message: 'Cliente bloqueado',
    })
    expect(await call('sale.order', 'write', [[1], { origin: 'fine' }])).toBe(true)
    await admin('/fail-writes', undefined, 'DELETE')
    expect(await call('sale.order', 'load', loadOf('mlc_1'))).toMatchObject({ ids: [2] })
  })
})
