import { expect, test } from 'vitest'
import { startOdoo } from './test-odoo.ts'

interface ErrorBody {
  name: string
  message: string
  debug: string
}

test('Odoo 14 has no JSON-2', async () => {
  const { json2 } = await startOdoo(14)
  expect(await json2('sale.order', 'search', { domain: [] })).toMatchObject({ status: 404 })
})

test('results are bare JSON and create always answers a list', async () => {
  const { json2 } = await startOdoo(19)
  expect(await json2('res.users', 'context_get')).toMatchObject({ status: 200, body: { lang: 'es_CL', uid: 2 } })
  expect((await json2('sale.order', 'create', { vals_list: [{ partner_id: 4 }] })).body).toEqual([1])
  expect((await json2('sale.order', 'create', { vals_list: { partner_id: 4 } })).body).toEqual([2])
  expect((await json2('sale.order', 'write', { ids: [1], vals: { origin: 'o' } })).body).toBe(true)
  expect((await json2('sale.order', 'read', { ids: [1, 999], fields: ['origin'] })).body).toEqual([{ id: 1, origin: 'o' }])
  expect((await json2('sale.order', 'message_post', { ids: [1], body: 'hola' })).body).toEqual([1])
  expect((await json2('sale.order', 'action_lock', { ids: [1] })).body).toBeNull()
})

test('the status and the class name say what went wrong', async () => {
  const { json2, url, call } = await startOdoo(19)
  const failure = async (...args: Parameters<typeof json2>) => {
    const { status, body } = await json2<ErrorBody>(...args)
    return [status, body.name]
  }
  expect(await failure('sale.ordre', 'search', {})).toEqual([404, 'werkzeug.exceptions.NotFound'])
  expect(await failure('sale.order', 'serch', {})).toEqual([404, 'werkzeug.exceptions.NotFound'])
  expect(await failure('sale.order', 'write', { ids: [999], vals: {} })).toEqual([404, 'odoo.exceptions.MissingError'])
  expect(await failure('sale.order', '_write', {})).toEqual([403, 'odoo.exceptions.AccessError'])
  expect(await failure('ir.model.data', 'search_read', { domain: [] })).toEqual([403, 'odoo.exceptions.AccessError'])
  expect(await failure('sale.order', 'create', { vals_list: [{}] })).toEqual([422, 'odoo.exceptions.ValidationError'])
  expect(await failure('sale.order', 'search_read', { domain: [], fields: ['nope'] })).toEqual([500, 'builtins.ValueError'])
  expect(await failure('sale.order', 'search', { domain: [['id', '=', 2 ** 31]] })).toEqual([500, 'psycopg2.errors.NumericValueOutOfRange'])
  expect(await failure('res.users.apikeys', 'generate', {})).toEqual([422, 'odoo.exceptions.UserError'])
  expect(await json2('sale.order', 'search', {})).toMatchObject({ status: 422, body: { message: "missing a required argument: 'domain'" } })
  expect(await failure('sale.order', 'search', { domain: [] }, { authorization: 'bearer wrong' })).toEqual([
    401,
    'werkzeug.exceptions.Unauthorized',
  ])
  const elsewhere = await json2('sale.order', 'search', { domain: [] }, { 'x-odoo-database': 'nodb' })
  expect([elsewhere.status, elsewhere.type]).toEqual([404, 'text/html; charset=utf-8'])
  const broken = await fetch(`${url}/json/2/sale.order/search`, {
    method: 'POST',
    headers: { authorization: 'bearer change-me' },
    body: '{',
  })
  expect(broken.status).toBe(400)
  // 14 lets the same user read ir.model.data.
  await expect((await startOdoo(14)).call('ir.model.data', 'search_read', [[]])).resolves.toEqual([])
  expect(await call('sale.order', 'search', [[]])).toEqual([])
})

test('an expired key is 401', async () => {
  const { json2, admin } = await startOdoo(19)
  await admin('/credentials', { expired: true }, 'PUT')
  expect(await json2('sale.order', 'search', { domain: [] })).toMatchObject({ status: 401 })
})

test('the traceback of an error holds data of the call', async () => {
  const { json2 } = await startOdoo(19)
  const { body } = await json2<ErrorBody>('sale.order', 'create', { vals_list: [{ origin: 'Calle Secreta 123' }] })
  expect(body.debug).toContain('Calle Secreta 123')
})
