import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { type AdminOrder, jsonRpc, startOdoo } from './test-odoo.ts'

test('wrong admin requests name the field and the fix', async () => {
  const { admin, url } = await startOdoo(19)
  const problem = async (path: string, body: unknown) =>
    (await admin<{ errors: { field: string; message: string }[] }>(path, body)).errors[0]
  expect(await problem('/orders', { lines: [{ sku: 'NOPE' }] })).toMatchObject({
    field: 'lines.0.sku',
    message: expect.stringContaining('/admin/products'),
  })
  expect(await problem('/orders', { team: 'Ripley' })).toMatchObject({ field: 'team', message: expect.stringContaining('MercadoLibre') })
  expect(await problem('/orders/9/confirm', {})).toMatchObject({ field: 'id', message: 'there is no order 9' })
  expect(await problem('/stock', { sku: 'SKU-001', quantity: 1, warehouse: 'X' })).toMatchObject({ field: 'warehouse' })
  expect(await problem('/transactions/9/commit', {})).toMatchObject({ field: 'id' })
  expect((await fetch(`${url}/admin/state`)).status).toBe(401)
  expect(await admin('/state')).toMatchObject({ orders: { total: 0 }, products: 43 })
})

test('orders of every odd kind can be typed in', async () => {
  const { admin } = await startOdoo(19)
  await admin('/orders', {
    client_order_ref: 'ODD',
    partner: 'Camila Rojas',
    team: 'MercadoLibre',
    pricelist: 'Tarifa exportación',
    lines: [
      { sku: null, name: 'Sección' },
      { sku: null, price: 500 },
      { sku: 'SKU-001', quantity: -1 },
      { sku: 'SKU-002', quantity: 0.5, price: 10.5, tax: [2] },
    ],
  })
  expect(await admin('/orders/1')).toMatchObject({
    currency: 'USD',
    partner: { id: 6 },
    lines: [
      { display_type: 'line_section', sku: null },
      { sku: null, quantity: 1 },
      { quantity: -1 },
      { quantity: 0.5, price_total: 5.25, tax: [2] },
    ],
  })
  const { orders } = await admin<{ orders: AdminOrder[] }>('/orders', { client_order_ref: 'ML', count: 3 })
  expect(orders.map((one) => one.client_order_ref)).toEqual(['ML-1', 'ML-2', 'ML-3'])
})

test('what was answered is there after kill -9', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'odoo-sim-'))
  const main = fileURLToPath(new URL('main.ts', import.meta.url))
  const start = async () => {
    const env = { ODOO_SIM_PORT: '0', ODOO_SIM_LEDGER_PATH: join(folder, 'l.jsonl') }
    const child = spawn(process.execPath, [main], { env, stdio: 'pipe' })
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    return { child, url: `http://127.0.0.1:${(JSON.parse(line.toString()) as { listening: number }).listening}` }
  }
  const object = (url: string, method: string, args: unknown[]) =>
    jsonRpc(url, 'object', 'execute_kw', ['odoo', 2, 'change-me', 'sale.order', method, args, {}])
  const first = await start()
  const answered: number[] = []
  const create = async () => {
    const { result } = await object(first.url, 'create', [{ partner_id: 4, order_line: [[0, 0, { product_id: 1 }]] }])
    answered.push(result as number)
    if (answered.length === 10) first.child.kill('SIGKILL')
  }
  await Promise.allSettled(Array.from({ length: 40 }, create))
  const second = await start()
  const found = await object(second.url, 'search', [
    [
      ['id', 'in', answered],
      ['amount_total', '>', 0],
    ],
  ])
  expect(answered.length).toBeGreaterThanOrEqual(10)
  expect(found.result).toHaveLength(answered.length)
  second.child.kill('SIGTERM')
  await once(second.child, 'exit')
  await rm(folder, { recursive: true, force: true })
})

test('the process says where it listens and ends on SIGTERM', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'odoo-sim-'))
  const main = fileURLToPath(new URL('main.ts', import.meta.url))
  const run = (env: Record<string, string>) =>
    spawn(process.execPath, [main], { env: { ODOO_SIM_PORT: '0', ODOO_SIM_LEDGER_PATH: join(folder, 'l.jsonl'), ...env }, stdio: 'pipe' })
  const child = run({ ODOO_SIM_VERSION: '14' })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const { listening } = JSON.parse(line.toString()) as { listening: number }
  expect((await fetch(`http://127.0.0.1:${listening}/web/version`)).status).toBe(404)
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null])
  const wrong = run({ ODOO_SIM_VERSION: '17', ODOO_SIM_PORT: 'x' })
  const [complaint] = (await once(wrong.stderr, 'data')) as [Buffer]
  expect(complaint.toString()).toContain('ODOO_SIM_')
  expect(await once(wrong, 'exit')).toEqual([2, null])
  await rm(folder, { recursive: true, force: true })
})
