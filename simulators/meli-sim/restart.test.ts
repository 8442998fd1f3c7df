import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { callbackServer, list, requestToken, runSim, SELLER, until } from './running-sim.ts'

async function aLedgerPath(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'meli-sim-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return join(folder, 'ledger.jsonl')
}

test('everything a client can see survives a restart', async () => {
  const ledgerPath = await aLedgerPath()
  const before = await runSim({ ledgerPath })
  await before.admin('POST', '/accounts', { user_id: SELLER, user_product_seller: true })
  const pair = (await before.admin('POST', `/accounts/${SELLER}/grant`)).body
  const token = String(pair.access_token)
  const items = [
    { sku: 'A', unit_price: 1_000, quantity: 3 },
    { sku: 'B', unit_price: 500 },
  ]
  const bought = (await before.admin('POST', '/purchases', { seller: SELLER, items })).body
  const ours = {
    external_reference: 'S1',
    currency_id: 'CLP',
    total_amount: 10,
    order_items: [{ seller_sku: 'A', quantity: 1, unit_price: 10 }],
  }
  const created = (await before.call(token, 'POST', '/orders', ours, { 'idempotency-key': 'k' })).body
  const gone = (await before.call(token, 'POST', '/orders', { ...ours, external_reference: 'S2' })).body
  await before.admin('POST', `/orders/${gone.id}/delete`)
  await before.admin('POST', `/shipments/${bought.shipment_id}/status`, { status: 'shipped', tracking_number: 'T' })
  await before.call(token, 'POST', `/orders/${created.id}/notes`, { note: 'lista' })
  await before.admin('POST', '/unknown-skus', { skus: ['Z'] })
  await before.admin('POST', '/refuse-references', { references: ['S9'], status: 403 })
  const itemId = bought.orders?.[0]?.order_items?.[0]?.item
  const paths = [
    `/orders/${bought.order_ids?.[0]}`,
    `/orders/${created.id}`,
    `/orders/${gone.id}`,
    `/orders/${created.id}/notes`,
    `/packs/${bought.pack_id}`,
    `/shipments/${bought.shipment_id}`,
    `/shipments/${bought.shipment_id}/history`,
    `/user-products/${itemId?.user_product_id}/stock`,
    `/users/${SELLER}/items/search?seller_sku=A`,
    `/orders/search?seller=${SELLER}`,
    `/orders/search?seller=${SELLER}&external_reference=S1`,
    '/users/me',
  ]
  const read = async (sim: typeof before) => Promise.all(paths.map(async (path) => (await sim.call(token, 'GET', path)).text))
  const seen = await read(before)
  await before.close()

  const after = await runSim({ ledgerPath, profile: { profile: 'idempotent-key' } })
  expect(await read(after)).toEqual(seen)
  const repeated = await after.call(token, 'POST', '/orders', ours, { 'idempotency-key': 'k' })
  expect([repeated.status, repeated.body.id]).toEqual([200, created.id])
  const next = (await after.call(token, 'POST', '/orders', { ...ours, external_reference: 'S3' })).body
  expect(Number(next.id)).toBeGreaterThan(Number(gone.id))
  expect((await after.admin('GET', '/state')).body).toMatchObject({ unknownSkus: ['Z'], refusedReferences: ['S9'] })
  const refreshed = await requestToken(after, { grant_type: 'refresh_token', refresh_token: String(pair.refresh_token) })
  expect([refreshed.status, refreshed.body.access_token === pair.access_token]).toEqual([200, false])
  const spent = await requestToken(after, { grant_type: 'refresh_token', refresh_token: String(pair.refresh_token) })
  expect(spent.body.error).toBe('invalid_grant')
})

test('a notification that was pending is sent after the restart, to the callback of before', async () => {
  const ledgerPath = await aLedgerPath()
  const callback = await callbackServer()
  const before = await runSim({ ledgerPath, settings: { notificationDelayMs: 3_600_000 } })
  await before.connect(SELLER)
  await before.admin('PUT', '/callback', { url: callback.url, topics: ['orders_v2'] })
  const items = [{ sku: 'A', unit_price: 1_000 }]
  await before.admin('POST', '/purchases', { seller: SELLER, items })
  await before.close()
  expect(callback.received).toHaveLength(0)
  const after = await runSim({ ledgerPath })
  await until('the notification', () => callback.received.length === 1)
  await after.admin('POST', '/purchases', { seller: SELLER, items })
  await until('the next', () => callback.received.length === 2)
})

test('a lost notification stays in the missed feed', async () => {
  const ledgerPath = await aLedgerPath()
  const before = await runSim({ ledgerPath, settings: { lostNotifications: 1 } })
  const token = await before.connect(SELLER)
  await before.admin('PUT', '/callback', { url: 'http://127.0.0.1:1/hook', topics: ['orders_v2'] })
  await before.admin('POST', '/purchases', { seller: SELLER, items: [{ sku: 'A', unit_price: 1_000 }] })
  await before.close()
  const after = await runSim({ ledgerPath })
  expect(list((await after.call(token, 'GET', '/missed_feeds?app_id=1234567890123456')).body.messages)).toHaveLength(1)
})
