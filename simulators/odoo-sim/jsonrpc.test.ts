import { describe, expect, test } from 'vitest'
import { jsonRpc, startOdoo } from './test-odoo.ts'

describe.each([14, 19] as const)('JSON-RPC of Odoo %i', (version) => {
  test('tells its version without credentials', async () => {
    const { url } = await startOdoo(version)
    const web = await fetch(`${url}/web/version`)
    expect(web.status).toBe(version === 14 ? 404 : 200)
    const info = await fetch(`${url}/web/webclient/version_info`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    })
    expect(await info.json()).toMatchObject({ result: { server_version_info: [version, 0, 0, 'final', 0, ''] } })
    expect((await jsonRpc(url, 'common', 'version', [])).result).toMatchObject({ server_serie: `${version}.0` })
  })

  test('bad credentials are false at login and AccessDenied in a call', async () => {
    const { url, call } = await startOdoo(version)
    expect((await jsonRpc(url, 'common', 'authenticate', ['odoo', 'hub@example.com', 'change-me', {}])).result).toBe(2)
    expect((await jsonRpc(url, 'common', 'authenticate', ['odoo', 'hub@example.com', 'wrong', {}])).result).toBe(false)
    const refused = await jsonRpc(url, 'object', 'execute_kw', ['odoo', 2, 'wrong', 'sale.order', 'search', [[]], {}])
    expect(refused.error?.data.name).toBe('odoo.exceptions.AccessDenied')
    expect(await call('res.users', 'context_get')).toEqual({ lang: 'es_CL', tz: 'America/Santiago', uid: 2 })
  })

  test('an expired key is AccessDenied until it is renewed', async () => {
    const odoo = await startOdoo(version)
    await odoo.admin('/credentials', { expired: true }, 'PUT')
    expect((await odoo.rpc('sale.order', 'search', [[]])).error?.data.name).toBe('odoo.exceptions.AccessDenied')
    await odoo.admin('/credentials', { key: 'second-key' })
    expect((await jsonRpc(odoo.url, 'object', 'execute_kw', ['odoo', 2, 'second-key', 'sale.order', 'search', [[]]])).result).toEqual([])
    await odoo.admin('/credentials', { expired: false }, 'PUT')
    expect((await odoo.rpc('sale.order', 'search', [[]])).result).toEqual([])
  })

  test('errors are named by their Python class, over HTTP 200', async () => {
    const { rpc, url } = await startOdoo(version)
    const nameOf = async (...args: Parameters<typeof rpc>) => (await rpc(...args)).error?.data.name
    expect(await nameOf('sale.ordre', 'search', [[]])).toBe('odoo.exceptions.UserError')
    expect(await nameOf('sale.order', 'serch', [[]])).toBe('builtins.AttributeError')
    expect(await nameOf('sale.order', '_write', [[1], {}])).toBe('odoo.exceptions.AccessError')
    expect(await nameOf('sale.order', 'search_read', [[]], { fields: ['nope'] })).toBe('builtins.ValueError')
    expect(await nameOf('sale.order', 'search', [[['nope', '=', 1]]])).toBe('builtins.ValueError')
    expect(await nameOf('sale.order', 'write', [[999], { origin: 'x' }])).toBe('odoo.exceptions.MissingError')
    expect(await nameOf('sale.order', 'create', [[{ origin: 'no partner' }]])).toBe('odoo.exceptions.ValidationError')
    expect(await nameOf('ir.config_parameter', 'search_read', [[]])).toBe('odoo.exceptions.AccessError')
    expect(await nameOf('sale.order', 'search', [[['id', '=', 2147483648]]])).toBe('psycopg2.errors.NumericValueOutOfRange')
    const elsewhere = await jsonRpc(url, 'object', 'execute_kw', ['nodb', 2, 'change-me', 'sale.order', 'search', [[]]])
    expect(elsewhere.error).toMatchObject({ code: 200, data: { name: 'psycopg2.OperationalError' } })
  })

  test('reading a missing id gives nothing', async () => {
    const { call } = await startOdoo(version)
    expect(await call('sale.order', 'read', [[999], ['name']])).toEqual([])
  })

  test('create and write take no keywords', async () => {
    const { rpc, call } = await startOdoo(version)
    expect((await rpc('sale.order', 'create', [], { vals_list: [{ partner_id: 4 }] })).error?.data.name).toBe('builtins.TypeError')
    expect(await call('sale.order', 'create', [[{ partner_id: 4 }]])).toEqual([1])
    expect(await call('sale.order', 'create', [{ partner_id: 4 }])).toBe(2)
    expect((await rpc('sale.order', 'write', [[1]], { vals: { origin: 'x' } })).error?.data.name).toBe('builtins.TypeError')
    expect(await call('sale.order', 'write', [[1], { origin: 'x' }])).toBe(true)
  })

  test('a method that returns None succeeds without a result key', async () => {
    const { rpc, call } = await startOdoo(version)
    await call('sale.order', 'create', [[{ partner_id: 4 }]])
    const reply = await rpc('sale.order', 'action_unlock', [[1]])
    expect(reply).not.toHaveProperty('result')
    expect(reply).not.toHaveProperty('error')
  })

  test('messages are localised by the language of the hub user', async () => {
    const { rpc, admin } = await startOdoo(version)
    expect((await rpc('sale.order', 'write', [[999], {}])).error?.data.message).toContain('ha sido eliminado')
    await admin('/user', { lang: 'en_US' }, 'PUT')
    expect((await rpc('sale.order', 'write', [[999], {}])).error?.data.message).toContain('has been deleted')
  })

  test('field names are those of the version', async () => {
    const { call } = await startOdoo(version)
    const fields = async (model: string) =>
      Object.keys(await call<Record<string, unknown>>(model, 'fields_get', [], { attributes: ['type'] }))
    const pick = (names: string[], wanted: string[]) => wanted.filter((name) => names.includes(name))
    const line = pick(await fields('sale.order.line'), ['tax_id', 'product_uom', 'route_id', 'tax_ids', 'product_uom_id', 'route_ids'])
    const picking = pick(await fields('stock.picking'), ['move_lines', 'group_id', '__last_update', 'move_ids', 'reference_ids'])
    const move = pick(await fields('stock.move'), ['quantity_done', 'reserved_availability', 'quantity', 'picked'])
    const order = pick(await fields('sale.order'), [
      'procurement_group_id',
      'delivery_status',
      'locked',
      'stock_reference_ids',
      'duplicated_order_ids',
    ])
    expect([line, picking, move, order]).toEqual(
      version === 14
        ? [
            ['tax_id', 'product_uom', 'route_id'],
            ['move_lines', 'group_id', '__last_update'],
            ['quantity_done', 'reserved_availability'],
            ['procurement_group_id'],
          ]
        : [
            ['tax_ids', 'product_uom_id', 'route_ids'],
            ['move_ids', 'reference_ids'],
            ['quantity', 'picked'],
            ['delivery_status', 'locked', 'stock_reference_ids', 'duplicated_order_ids'],
          ],
    )
    expect(pick(await fields('res.partner'), ['mobile', 'title'])).toHaveLength(version === 14 ? 2 : 0)
    expect(await fields('product.product')).toEqual(expect.arrayContaining(version === 14 ? ['type'] : ['type', 'is_storable']))
  })

  test('without the delivery module pickings have no tracking reference', async () => {
    const { call } = await startOdoo(version, { withoutDelivery: true })
    expect(await call('stock.picking', 'fields_get', [['carrier_tracking_ref']])).toEqual({})
  })
})

test('Odoo 19 has the newer version route', async () => {
  const { url } = await startOdoo(19)
  expect(await (await fetch(`${url}/web/version`)).json()).toEqual({ version_info: [19, 0, 0, 'final', 0, ''], version: '19.0' })
})
