import { describe, expect, test } from 'vitest'
import { startOdoo } from './test-odoo.ts'

describe.each([14, 19] as const)('a picking in Odoo %i', (version) => {
  test('less done than asked opens the back-order wizard', async () => {
    const { admin, call } = await startOdoo(version)
    await admin('/orders', { state: 'sale', lines: [{ sku: 'SKU-001', quantity: 3 }] })
    await call('stock.move', 'write', [[1], version === 14 ? { quantity_done: 1 } : { quantity: 1, picked: true }])
    expect(await call('stock.picking', 'button_validate', [[1]])).toMatchObject({ res_model: 'stock.backorder.confirmation' })
    expect(await call('stock.picking', 'button_validate', [[1]], { context: { skip_backorder: true } })).toBe(true)
    expect(await admin('/orders/1')).toMatchObject({
      picking_state: 'partial',
      lines: [{ delivered: 1 }],
      pickings: [{ state: 'done' }, { state: 'assigned' }],
    })
  })

  test('a delivery by a person sets tracking and takes the goods out of stock', async () => {
    const { admin, call } = await startOdoo(version)
    const [before] = await call<{ qty_available: number }[]>('product.product', 'read', [[1], ['qty_available']])
    await admin('/orders', { state: 'sale', lines: [{ sku: 'SKU-001', quantity: 2 }, { sku: 'ENVIO' }] })
    await admin('/orders/1/deliver', { tracking: 'CL-77' })
    expect(await admin('/orders/1')).toMatchObject({ picking_state: 'done', tracking: 'CL-77' })
    expect(await call('product.product', 'read', [[1], ['qty_available']])).toEqual([
      { id: 1, qty_available: (before?.qty_available ?? 0) - 2 },
    ])
  })

  test('the other version’s warehouse key is silently ignored', async () => {
    const { admin, call } = await startOdoo(version)
    await admin('/stock', [
      { sku: 'SKU-001', quantity: 10 },
      { sku: 'SKU-001', quantity: 4, warehouse: 'TDA' },
    ])
    const free = async (context: Record<string, unknown>) =>
      (await call<{ free_qty: number }[]>('product.product', 'read', [[1], ['free_qty']], { context }))[0]?.free_qty
    expect(await free({})).toBe(14)
    expect(await free({ warehouse: 2 })).toBe(version === 14 ? 4 : 14)
    expect(await free({ warehouse_id: 2 })).toBe(version === 14 ? 14 : 4)
    expect(await free({ warehouse: 1, warehouse_id: 1 })).toBe(10)
  })

  test('stock and reservations move the quant’s write_date, not the product’s', async () => {
    let micros = Date.UTC(2026, 0, 1) * 1000
    const { admin, call } = await startOdoo(version, { now: () => (micros += 1_000_000) })
    const dates = async () => {
      const [product] = await call<{ write_date: string }[]>('product.product', 'read', [[1], ['write_date']])
      const [quant] = await call<{ write_date: string }[]>('stock.quant', 'search_read', [[['product_id', '=', 1]]], {
        fields: ['write_date'],
      })
      return { product: product?.write_date, quant: quant?.write_date }
    }
    const start = await dates()
    await admin('/stock', { sku: 'SKU-001', quantity: 99 })
    const stocked = await dates()
    await admin('/orders', { state: 'sale', lines: [{ sku: 'SKU-001' }] })
    const reserved = await dates()
    expect(new Set([start.quant, stocked.quant, reserved.quant]).size).toBe(3)
    expect(reserved.product).toBe(start.product)
  })
})

test('on 14 validating with nothing marked done answers with a wizard and validates nothing', async () => {
  const { admin, call } = await startOdoo(14)
  await admin('/orders', { state: 'sale', lines: [{ sku: 'SKU-001', quantity: 2 }] })
  const before = await admin('/orders/1')
  const wizard = await call('stock.picking', 'button_validate', [[1]])
  expect(wizard).toMatchObject({ type: 'ir.actions.act_window', res_model: 'stock.immediate.transfer' })
  expect(await admin('/orders/1')).toEqual(before)
  await call('stock.move', 'write', [[1], { quantity_done: 2 }])
  expect(await call('stock.picking', 'button_validate', [[1]])).toBe(true)
  expect(await admin('/orders/1')).toMatchObject({ picking_state: 'done', lines: [{ delivered: 2 }] })
})

test('on 19 validating uses the reserved quantity, and the order shows its delivery status', async () => {
  const { admin, call } = await startOdoo(19)
  await admin('/orders', { state: 'sale', lines: [{ sku: 'SKU-001', quantity: 2 }] })
  const status = async () =>
    (await call<{ delivery_status: string }[]>('sale.order', 'read', [[1], ['delivery_status']]))[0]?.delivery_status
  expect(await status()).toBe('pending')
  expect(await call('stock.picking', 'button_validate', [[1]])).toBe(true)
  expect(await admin('/orders/1')).toMatchObject({ picking_state: 'done', lines: [{ delivered: 2 }] })
  expect(await status()).toBe('full')
})
