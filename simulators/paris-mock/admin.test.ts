import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openTestMock } from './test-client.ts'
import type { TestMock } from './test-client.ts'

const draft = { buyer: 'Ana', items: [{ sku: 'SKU-1', qty: 1 }], external_ref: 'odoo-1' }

describe('the knobs of paris-mock', () => {
  let mock: TestMock
  beforeEach(async () => {
    mock = await openTestMock()
  })
  afterEach(() => mock.close())

  test('every knob needs the admin key; emit-webhook takes either key', async () => {
    await mock.call('POST', '/orders', draft)
    const knobs = [
      '/unknown-skus',
      '/refuse-references',
      '/orders',
      '/orders/p-1/delete',
      '/orders/p-1/duplicate',
      '/rotate-key',
      '/faults',
    ]
    for (const knob of knobs) expect((await mock.call('POST', `/admin${knob}`, {})).status).toBe(401)
    expect((await mock.call('PUT', '/admin/profile', {})).status).toBe(401)
    expect((await mock.call('PUT', '/admin/webhooks', {})).status).toBe(401)
    expect((await mock.call('PATCH', '/admin/orders/p-1', {})).status).toBe(401)
    expect((await mock.call('POST', '/admin/orders/p-1/emit-webhook')).status).toBe(200)
    expect((await mock.admin('POST', '/orders/p-1/emit-webhook')).status).toBe(200)
  })

  test('unknown SKUs are refused by create and update until they are cleared, also after a restart', async () => {
    await mock.call('POST', '/orders', draft)
    expect((await mock.admin('POST', '/unknown-skus', { skus: ['SKU-X', 'SKU-Y'] })).body).toEqual({ skus: ['SKU-X', 'SKU-Y'] })
    await mock.restart()
    const bad = { ...draft, external_ref: 'odoo-2', items: [...draft.items, { sku: 'SKU-X', qty: 1 }] }
    const refusal = { status: 422, body: { detail: [{ loc: ['body', 'items', 1, 'sku'], msg: 'unknown sku', type: 'value_error.sku' }] } }
    expect(await mock.call('POST', '/orders', bad)).toEqual(refusal)
    expect(await mock.call('PUT', '/orders/p-1', { ...bad, external_ref: 'odoo-1' })).toEqual(refusal)
    expect((await mock.call('PUT', '/stock/SKU-X', { quantity: 1 })).status).toBe(422)
    expect((await mock.admin('DELETE', '/unknown-skus', { skus: ['SKU-Y'] })).body).toEqual({ skus: ['SKU-X'] })
    expect((await mock.admin('DELETE', '/unknown-skus', 'not json')).status).toBe(422)
    expect((await mock.admin('DELETE', '/unknown-skus')).body).toEqual({ skus: [] })
    expect((await mock.call('POST', '/orders', bad)).status).toBe(201)
    expect((await mock.ledger()).some((entry) => entry.kind === 'request' && entry.decision === 'sku-unknown')).toBe(true)
  })

  test('a refused reference is refused with its reason until it is cleared', async () => {
    const refuse = { references: ['odoo-1'], status: 400, message: 'buyer is blocked' }
    expect((await mock.admin('POST', '/refuse-references', refuse)).status).toBe(200)
    await mock.restart()
    expect(await mock.call('POST', '/orders', draft)).toEqual({ status: 400, body: { detail: 'buyer is blocked' } })
    expect((await mock.call('POST', '/orders', { ...draft, external_ref: 'odoo-2' })).status).toBe(201)
    expect((await mock.admin('POST', '/refuse-references', { ...refuse, status: 500 })).body).toMatchObject({
      errors: [{ field: 'status' }],
    })
    expect((await mock.admin('DELETE', '/refuse-references')).body).toEqual({ references: [] })
    expect((await mock.call('POST', '/orders', draft)).status).toBe(201)
  })

  test('a deleted order is gone, its line stays, its id is not used again', async () => {
    await mock.call('POST', '/orders', draft)
    expect((await mock.admin('POST', '/orders/p-1/delete')).body).toMatchObject({ deleted: { id: 'p-1' } })
    await mock.restart()
    expect((await mock.call('GET', '/orders/p-1')).status).toBe(404)
    expect((await mock.call('GET', '/orders')).body).toEqual([])
    expect((await mock.admin('POST', '/orders/p-1/delete')).status).toBe(404)
    expect((await mock.call('POST', '/orders', draft)).body).toMatchObject({ id: 'p-2' })
    const acts = (await mock.ledger()).flatMap((entry) => (entry.kind === 'order' ? [[entry.act, entry.id, entry.by]] : []))
    expect(acts).toEqual([
      ['created', 'p-1', 'client'],
      ['deleted', 'p-1', 'admin'],
      ['created', 'p-2', 'client'],
    ])
  })

  test('a duplicate has the same reference and another id', async () => {
    await mock.call('POST', '/orders', draft)
    expect(await mock.admin('POST', '/orders/p-1/duplicate')).toMatchObject({ status: 201, body: { id: 'p-2', ...draft } })
    expect((await mock.call('GET', '/orders?external_ref=odoo-1')).body).toMatchObject([{ id: 'p-2' }, { id: 'p-1' }])
    expect((await mock.call('POST', '/orders', draft)).body).toMatchObject({ id: 'p-1' })
    expect((await mock.admin('POST', '/orders/p-9/duplicate')).status).toBe(404)
  })

  test('an order born in the marketplace may lie in the past and is listed by its time', async () => {
    await mock.call('POST', '/orders', draft)
    const born = { buyer: 'Eva', items: draft.items, status: 'delivered', created_at: '2026-11-20T12:00:00-03:00' }
    const answer = await mock.admin('POST', '/orders', born)
    expect(answer).toMatchObject({ status: 201, body: { id: 'p-2', status: 'delivered', created_at: '2026-11-20T15:00:00.000Z' } })
    expect((await mock.call('GET', '/orders')).body).toMatchObject([{ id: 'p-1' }, { id: 'p-2' }])
    expect((await mock.admin('POST', '/orders', { ...born, created_at: 'today' })).body).toMatchObject({
      errors: [{ field: 'created_at' }],
    })
  })

  test('a silent change shows in the order and posts nothing', async () => {
    await mock.call('POST', '/orders', draft)
    expect((await mock.admin('PATCH', '/orders/p-1', { status: 'shipped' })).body).toMatchObject({ status: 'shipped' })
    expect((await mock.call('GET', '/orders/p-1')).body).toMatchObject({ status: 'shipped', buyer: 'Ana' })
    expect((await mock.admin('PATCH', '/orders/p-1', { state: 'x' })).status).toBe(422)
    expect((await mock.admin('PATCH', '/orders/p-9', { status: 'x' })).status).toBe(404)
    expect((await mock.ledger()).filter((entry) => entry.kind === 'webhook')).toEqual([])
  })

  test('a rotated key replaces the old one, also after a restart, and the ledger does not hold it', async () => {
    expect((await mock.admin('POST', '/rotate-key', { key: 'fresh-key-value' })).status).toBe(200)
    await mock.restart()
    expect((await mock.call('GET', '/orders')).status).toBe(401)
    expect((await mock.call('GET', '/orders', undefined, { 'x-api-key': 'fresh-key-value' })).status).toBe(200)
    expect(JSON.stringify(await mock.ledger())).not.toContain('fresh-key-value')
    await mock.admin('DELETE', '/rotate-key')
    expect((await mock.call('GET', '/orders')).status).toBe(200)
  })
})
