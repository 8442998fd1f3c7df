import { describe, expect, test } from 'vitest'
import { startOdoo, type TestOdoo } from './test-odoo.ts'

async function confirmed(odoo: TestOdoo, delivered = false): Promise<void> {
  await odoo.admin('/orders', { client_order_ref: 'ML-1', state: 'sale', lines: [{ sku: 'SKU-001', quantity: 2, price: 1000 }] })
  if (delivered) await odoo.admin('/orders/1/deliver', { tracking: 'CL-1' })
}

const stateOf = (odoo: TestOdoo) => odoo.admin('/orders/1')

describe.each([14, 19] as const)('an order in Odoo %i', (version) => {
  test('confirming creates one picking that reserves stock', async () => {
    const odoo = await startOdoo(version)
    const free = () =>
      odoo.call<{ free_qty: number; qty_available: number }[]>('product.product', 'read', [[1], ['free_qty', 'qty_available']])
    const [before] = await free()
    await confirmed(odoo)
    expect(await stateOf(odoo)).toMatchObject({
      name: 'S00001',
      state: 'sale',
      picking_state: 'assigned',
      pickings: [{ name: 'WH/OUT/00001' }],
    })
    const [after] = await free()
    expect(after).toMatchObject({ free_qty: (before?.free_qty ?? 0) - 2, qty_available: before?.qty_available })
  })

  test('cancelling an undelivered order cancels its picking and frees the stock', async () => {
    const odoo = await startOdoo(version)
    await confirmed(odoo)
    expect(await odoo.call('sale.order', 'action_cancel', [[1]])).toBe(true)
    expect(await stateOf(odoo)).toMatchObject({ state: 'cancel', picking_state: 'cancel' })
    const quants = await odoo.call<{ reserved_quantity: number }[]>('stock.quant', 'search_read', [[['product_id', '=', 1]]], {
      fields: ['reserved_quantity'],
    })
    expect(quants[0]?.reserved_quantity).toBe(0)
  })

  test('without an e-mail address nothing is logged and nothing is cancelled', async () => {
    const odoo = await startOdoo(version)
    await confirmed(odoo)
    await odoo.admin('/user', { email: null }, 'PUT')
    expect(await odoo.call('res.users', 'read', [[2], ['email']])).toEqual([{ id: 2, email: false }])
    const refused = await odoo.rpc('sale.order', 'message_post', [[1]], { body: 'hola' })
    expect(refused.error?.data.name).toBe('odoo.exceptions.UserError')
    expect((await odoo.rpc('sale.order', 'action_cancel', [[1]])).error?.data.name).toBe('odoo.exceptions.UserError')
    expect(await stateOf(odoo)).toMatchObject({ state: 'sale', messages: [] })
  })

  test('a chatter message keeps or escapes HTML by version and can be found', async () => {
    const odoo = await startOdoo(version)
    await confirmed(odoo)
    const posted = await odoo.call('sale.order', 'message_post', [[1]], { body: '<b>hub:1</b>' })
    expect(posted).toEqual(version === 14 ? 1 : [1])
    await odoo.call('sale.order', 'message_post', [[1]], { body: '<b>hub:2</b>', body_is_html: true })
    const kept = '<p><b>hub:1</b></p>'
    expect(await stateOf(odoo)).toMatchObject({
      messages: [{ body: version === 14 ? kept : '<p>&lt;b&gt;hub:1&lt;/b&gt;</p>' }, { body: '<p><b>hub:2</b></p>' }],
    })
    const domain = [
      ['model', '=', 'sale.order'],
      ['res_id', '=', 1],
      ['body', 'ilike', 'hub:2'],
    ]
    expect(await odoo.call('mail.message', 'search_read', [domain], { fields: ['body'] })).toEqual([{ id: 2, body: '<p><b>hub:2</b></p>' }])
  })

  test('what moves write_date, and what does not', async () => {
    const odoo = await startOdoo(version, { now: secondsClock() })
    await confirmed(odoo)
    const moved = async (act: () => Promise<unknown>) => {
      const before = (await stateOf(odoo)).write_date
      await act()
      return (await stateOf(odoo)).write_date !== before
    }
    const done = version === 14 ? { quantity_done: 1 } : { quantity: 1 }
    expect(await moved(() => odoo.call('sale.order', 'write', [[1], { client_order_ref: 'ML-1' }]))).toBe(true)
    expect(await moved(() => odoo.call('sale.order.line', 'write', [[1], { product_uom_qty: 3 }]))).toBe(true)
    expect(await moved(() => odoo.call('sale.order.line', 'write', [[1], { price_unit: 900 }]))).toBe(true)
    expect(await moved(() => odoo.call('sale.order.line', 'write', [[1], { name: 'Otra descripción' }]))).toBe(false)
    expect(await moved(() => odoo.call('stock.picking', 'write', [[1], { carrier_tracking_ref: 'CL-9' }]))).toBe(false)
    expect(await moved(() => odoo.call('stock.move', 'write', [[1], done]))).toBe(false)
    expect(await moved(() => odoo.admin('/orders/1/touch', {}))).toBe(true)
    expect(await moved(() => odoo.admin('/orders/1/deliver', { tracking: 'CL-9' }))).toBe(true)
  })

  test('a confirmed order follows an edit with its open picking', async () => {
    const odoo = await startOdoo(version)
    await confirmed(odoo)
    await odoo.admin('/orders/1/edit', {
      lines: [
        { sku: 'SKU-001', quantity: 5 },
        { sku: 'SKU-003', quantity: 1, price: 100 },
      ],
      fields: { note: 'editado' },
    })
    expect(await stateOf(odoo)).toMatchObject({
      note: 'editado',
      amount_total: 6069,
      lines: [{ quantity: 5 }, { sku: 'SKU-003' }],
      pickings: [{ moves: 2 }],
    })
  })
})

/** Every transaction a second after the one before. */
function secondsClock(): () => number {
  let micros = Date.UTC(2026, 0, 1) * 1000
  return () => (micros += 1_000_000)
}

test('on 14 a second confirm is True, moves write_date and adds no picking', async () => {
  const odoo = await startOdoo(14, { now: secondsClock() })
  await confirmed(odoo)
  const before = await stateOf(odoo)
  expect(await odoo.call('sale.order', 'action_confirm', [[1]])).toBe(true)
  const after = await stateOf(odoo)
  expect(after).toMatchObject({ state: 'sale', pickings: [{ id: 1 }] })
  expect(after.write_date).not.toBe(before.write_date)
})

test('on 19 a second confirm is a UserError and changes nothing', async () => {
  const odoo = await startOdoo(19, { now: secondsClock() })
  await confirmed(odoo)
  const before = await stateOf(odoo)
  expect(await odoo.json2('sale.order', 'action_confirm', { ids: [1] })).toMatchObject({
    status: 422,
    body: { name: 'odoo.exceptions.UserError' },
  })
  expect(await stateOf(odoo)).toEqual(before)
})

test('on 14 cancelling a delivered order answers with a wizard and does nothing', async () => {
  const odoo = await startOdoo(14)
  await confirmed(odoo, true)
  const wizard = await odoo.call('sale.order', 'action_cancel', [[1]])
  expect(wizard).toMatchObject({ type: 'ir.actions.act_window', res_model: 'sale.order.cancel' })
  expect(await stateOf(odoo)).toMatchObject({ state: 'sale' })
  expect(await odoo.call('sale.order', 'action_cancel', [[1]], { context: { disable_cancel_warning: true } })).toBe(true)
  expect(await stateOf(odoo)).toMatchObject({ state: 'cancel', picking_state: 'done' })
})

test('on 19 a delivered order is cancelled although its picking is done', async () => {
  const odoo = await startOdoo(19)
  await confirmed(odoo, true)
  expect(await odoo.call('sale.order', 'action_cancel', [[1]])).toBe(true)
  expect(await stateOf(odoo)).toMatchObject({ state: 'cancel', picking_state: 'done' })
})
