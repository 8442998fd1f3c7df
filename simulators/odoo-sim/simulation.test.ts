import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { type AdminOrder, startOdoo, type TestOdoo } from './test-odoo.ts'

async function until(check: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 5000
  while (!(await check())) if (Date.now() > end) throw new Error('not so within 5 s')
}

const total = async (odoo: TestOdoo) => (await odoo.admin<{ orders: { total: number } }>('/state')).orders.total

describe.each([14, 19] as const)('transactions in Odoo %i', (version) => {
  test('a late commit appears with the write_date of its beginning', async () => {
    const odoo = await startOdoo(version)
    const { id } = await odoo.admin<{ id: number }>('/transactions', {})
    const late = await odoo.admin<{ orders: AdminOrder[] }>('/orders', { client_order_ref: 'LATE', transaction: id })
    await odoo.admin('/orders', { client_order_ref: 'SOON' })
    expect(await odoo.call('sale.order', 'search_count', [[]])).toBe(1)
    await odoo.admin(`/transactions/${id}/commit`, {})
    const rows = await odoo.admin<{ orders: { client_order_ref: string; write_date: string }[] }>('/orders')
    const dateOf = (reference: string) => rows.orders.find((row) => row.client_order_ref === reference)?.write_date ?? ''
    expect(late.orders[0]?.id).toBe(1)
    expect(dateOf('LATE') < dateOf('SOON')).toBe(true)
  })

  test('commit_after_ms does the same on any change, and a rollback leaves nothing', async () => {
    const odoo = await startOdoo(version)
    await odoo.admin('/orders', { client_order_ref: 'LATE', commit_after_ms: 40 })
    expect(await total(odoo)).toBe(0)
    await until(async () => (await total(odoo)) === 1)
    const { id } = await odoo.admin<{ id: number }>('/transactions', {})
    await odoo.admin('/orders/1/cancel', { transaction: id })
    expect(await odoo.admin('/orders/1')).toMatchObject({ state: 'draft' })
    await odoo.admin(`/transactions/${id}/rollback`, {})
    expect(await odoo.admin('/orders/1')).toMatchObject({ state: 'draft' })
  })

  test('a write on a locked row waits and lands after the client gave up', async () => {
    const odoo = await startOdoo(version)
    await odoo.admin('/orders', { client_order_ref: 'ML-1' })
    const { id } = await odoo.admin<{ id: number }>('/transactions', {})
    await odoo.admin('/orders/1/edit', { fields: { note: 'persona' }, transaction: id })
    const params = {
      service: 'object',
      method: 'execute_kw',
      args: ['odoo', 2, 'change-me', 'sale.order', 'write', [[1], { origin: 'hub' }]],
    }
    const given = fetch(`${odoo.url}/jsonrpc`, { method: 'POST', body: JSON.stringify({ params }), signal: AbortSignal.timeout(60) })
    await expect(given).rejects.toThrow(/timeout/)
    expect(await odoo.admin('/orders/1')).toMatchObject({ origin: null })
    await odoo.admin(`/transactions/${id}/commit`, {})
    await until(async () => (await odoo.admin('/orders/1')).origin === 'hub')
    expect(await odoo.admin('/orders/1')).toMatchObject({ origin: 'hub', note: 'persona' })
  })

  test('the late fault: the client times out, the write takes effect afterwards', async () => {
    const odoo = await startOdoo(version)
    await odoo.admin('/faults', [{ match: { path: '^sale\\.order\\.create$' }, fault: 'late', ms: 150, times: 1 }], 'PUT')
    const params = {
      service: 'object',
      method: 'execute_kw',
      args: ['odoo', 2, 'change-me', 'sale.order', 'create', [[{ partner_id: 4 }]]],
    }
    const given = fetch(`${odoo.url}/jsonrpc`, { method: 'POST', body: JSON.stringify({ params }), signal: AbortSignal.timeout(50) })
    await expect(given).rejects.toThrow(/timeout/)
    expect(await total(odoo)).toBe(0)
    await until(async () => (await total(odoo)) === 1)
  })

  test('accept-then-reset takes effect, reset does not', async () => {
    const odoo = await startOdoo(version)
    const rule = (fault: string) => odoo.admin('/faults', [{ match: { path: 'sale.order.create' }, fault }], 'PUT')
    await rule('reset')
    await expect(odoo.rpc('sale.order', 'create', [[{ partner_id: 4 }]])).rejects.toThrow('fetch failed')
    expect(await total(odoo)).toBe(0)
    await rule('accept-then-reset')
    await expect(odoo.rpc('sale.order', 'create', [[{ partner_id: 4 }]])).rejects.toThrow('fetch failed')
    expect(await total(odoo)).toBe(1)
  })

  test('everything survives a restart, keys and ids included', async () => {
    const odoo = await startOdoo(version)
    await odoo.admin('/orders', {
      client_order_ref: 'ML-1',
      state: 'sale',
      tags: ['urgente'],
      team: 'Paris',
      lines: [{ sku: 'SKU-001' }, { sku: null, name: 'Regalo' }],
    })
    await odoo.admin('/orders/1/deliver', { tracking: 'CL-1' })
    await odoo.call('sale.order', 'message_post', [[1]], { body: 'hub:1' })
    await odoo.call('sale.order', 'create', [[{ partner_id: 5 }]])
    await odoo.call('sale.order', 'unlink', [[2]])
    await odoo.admin('/products', { default_code: 'NEW-1', name: 'Nuevo', price: 1000, stock: 7 })
    await odoo.admin('/user', { email: null }, 'PUT')
    const before = [
      await odoo.admin('/orders'),
      await odoo.call('product.product', 'search_read', [[]], { fields: ['default_code', 'free_qty'] }),
    ]
    await odoo.restart()
    const after = [
      await odoo.admin('/orders'),
      await odoo.call('product.product', 'search_read', [[]], { fields: ['default_code', 'free_qty'] }),
    ]
    expect(after).toEqual(before)
    expect(await odoo.admin('/state')).toMatchObject({ user: { email: null } })
    expect(await odoo.call('sale.order', 'create', [[{ partner_id: 5 }]])).toEqual([3])
  })

  test('the ledger tells every act with its author and its request', async () => {
    const odoo = await startOdoo(version)
    await odoo.admin('/orders', { client_order_ref: 'ML-1', state: 'sale', lines: [{ sku: 'SKU-001', quantity: 0.5 }] })
    await odoo.call('sale.order', 'write', [[1], { origin: 'mercadolibre:1' }])
    await odoo.call('sale.order', 'read', [[1], ['name']])
    await odoo.admin('/orders/1/cancel', {})
    const { entries } = await odoo.admin<{ entries: Record<string, unknown>[] }>('/ledger?since=2')
    const lines = entries.map((one) =>
      one.kind === 'order' ? [one.act, one.by, one.requestId] : [one.decision, (one.detail as { call: string }).call],
    )
    expect(lines).toEqual([
      ['created', 'admin', null],
      ['updated', 'client', 'r-1'],
      ['write', 'sale.order.write'],
      ['read', 'sale.order.read'],
      ['cancelled', 'admin', null],
    ])
    expect(entries[2]).toMatchObject({ kind: 'request', orderId: '1', requestId: 'r-1' })
    expect(entries[1]).toMatchObject({
      id: '1',
      reference: 'ML-1',
      order: { origin: 'mercadolibre:1', state: 'sale', lines: [{ quantity: 0.5 }] },
    })
    expect((await readFile(odoo.ledgerPath, 'utf8')).trim().split('\n')).toHaveLength(7)
  })

  test('a database restore takes later orders away and uses their ids again', async () => {
    const odoo = await startOdoo(version)
    await odoo.admin('/orders', { client_order_ref: 'A' })
    const { seq } = await odoo.admin<{ seq: number }>('/state')
    await odoo.admin('/orders', { client_order_ref: 'B' })
    await odoo.admin('/restore', { seq })
    await odoo.admin('/orders', { client_order_ref: 'C' })
    await odoo.restart()
    const { orders } = await odoo.admin<{ orders: AdminOrder[] }>('/orders')
    expect(orders.map((one) => [one.id, one.client_order_ref])).toEqual([
      [2, 'C'],
      [1, 'A'],
    ])
  })

  test('500 confirmed orders in one call', async () => {
    const odoo = await startOdoo(version)
    const list = Array.from({ length: 500 }, (_, index) => ({ client_order_ref: `B-${index}`, state: 'sale', lines: [{ sku: 'SKU-001' }] }))
    const { orders } = await odoo.admin<{ orders: AdminOrder[] }>('/orders', list)
    expect(orders.at(-1)).toMatchObject({ id: 500, name: 'S00500', client_order_ref: 'B-499' })
  })
})

test('a ledger of the other version is refused by name', async () => {
  const { startOdooSim } = await import('./odoo-sim.ts')
  const odoo = await startOdoo(14)
  await expect(startOdooSim({ ledgerPath: odoo.ledgerPath, version: 19 })).rejects.toThrow(/ODOO_SIM_VERSION=14/)
})
