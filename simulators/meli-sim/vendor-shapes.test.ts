import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { callbackServer, list, requestToken, runSim, SELLER, until } from './running-sim.ts'

/** The vendor's published examples, when they lie beside the repository. They are read, never copied. */
const PAYLOADS = fileURLToPath(new URL('../../../shared/payloads/', import.meta.url))
const areThere = existsSync(`${PAYLOADS}ml-pack-official-example.json`)

if (!areThere) process.stderr.write(`vendor-shapes.test.ts: the vendor's examples are not in ${PAYLOADS}\n`)

test.skipIf(!areThere && process.env.REQUIRE_ALL !== '1')('the vendor examples are there', () => {
  expect(areThere).toBe(true)
})

function example(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(`${PAYLOADS}${name}`, 'utf8')) as Record<string, unknown>
}

/** Keys and JSON types, all the way down; a list is known by its first element. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shape(value[0])]
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, shape(inner)]),
  )
}

const ITEMS = ['A', 'B'].map((sku) => ({ sku, unit_price: 1_000 }))

describe.skipIf(!areThere)("the vendor's published shapes", () => {
  test('a pack', async () => {
    const sim = await runSim()
    const token = await sim.connect(SELLER)
    const bought = (await sim.admin('POST', '/purchases', { seller: SELLER, items: ITEMS })).body
    const pack = (await sim.call(token, 'GET', `/packs/${bought.pack_id}`)).body
    const published = example('ml-pack-official-example.json')
    expect(shape(pack)).toEqual(shape(published))
    expect(String(pack.date_created)).toMatch(datePattern(String(published.date_created)))
  })

  test('notifications of orders and shipments, and one with _id', async () => {
    const sim = await runSim()
    const callback = await callbackServer()
    await sim.connect(SELLER)
    await sim.admin('PUT', '/callback', { url: callback.url, topics: ['orders_v2', 'shipments'] })
    const published = list(example('ml-notifications-official-examples.json'))
    const sampleOf = (topic: string, hasId: boolean) =>
      published.find((one) => String(one.topic) === topic && typeof one.user_id === 'number' && (one._id !== undefined) === hasId)
    await sim.admin('PUT', '/settings', { notificationIds: 'never' })
    await sim.admin('POST', '/purchases', { seller: SELLER, items: ITEMS.slice(1) })
    await until('both', () => callback.received.length === 2)
    for (const topic of ['orders_v2', 'shipments']) {
      const sent = callback.received.find((one) => String(one.json.topic) === topic)?.json
      expect([topic, shape(sent)]).toEqual([topic, shape(sampleOf(topic, false))])
    }
    await sim.admin('PUT', '/settings', { notificationIds: 'always' })
    await sim.admin('PUT', '/callback', { url: callback.url, topics: ['items', 'stock-location'] })
    await sim.admin('POST', '/purchases', { seller: SELLER, items: ITEMS.slice(0, 1) })
    await until('items and stock', () => callback.received.length === 4)
    for (const topic of ['items', 'stock-location']) {
      const sent = callback.received.find((one) => String(one.json.topic) === topic)?.json
      expect([topic, shape(sent)]).toEqual([topic, shape(sampleOf(topic, true))])
    }
  })

  test('a row of the missed feed', async () => {
    const sim = await runSim({ settings: { retryScheduleMs: [] } })
    const callback = await callbackServer(() => 400)
    const token = await sim.connect(SELLER)
    await sim.admin('PUT', '/callback', { url: callback.url, topics: ['orders_v2'] })
    await sim.admin('POST', '/purchases', { seller: SELLER, items: ITEMS.slice(1) })
    const rows = async () => list((await sim.call(token, 'GET', '/missed_feeds?app_id=1234567890123456')).body.messages)
    await until('the row', async () => (await rows()).length === 1)
    const [row] = await rows()
    const published = list(example('ml-missed_feeds-official-example.json').messages)[0]
    const withoutHeaders = (one: unknown) => {
      const { response, ...rest } = one as { response: { headers: unknown } }
      return shape({ ...rest, response: { ...response, headers: {} } })
    }
    expect(withoutHeaders(row)).toEqual(withoutHeaders(published))
    const inner = (one: unknown) => shape(JSON.parse((one as { request: { data: string } }).request.data))
    expect(inner(row)).toEqual(inner(published))
  })

  test('stock of a user product', async () => {
    const sim = await runSim()
    const token = await sim.connect(SELLER, { user_product_seller: true })
    const bought = (await sim.admin('POST', '/purchases', { seller: SELLER, items: ITEMS })).body
    const id = bought.orders?.[0]?.order_items?.[0]?.item?.user_product_id
    const reply = await sim.call(token, 'GET', `/user-products/${id}/stock`)
    const published = example('ml-user-product-stock-official-example.json') as { response_headers: Record<string, string>; body: unknown }
    expect(shape(reply.body)).toEqual(shape(published.body))
    for (const header of Object.keys(published.response_headers)) expect(reply.headers.get(header)).toMatch(/^\d+$/)
  })

  test('error bodies, to the letter', async () => {
    const published = example('ml-errors-official-examples.json')
    const sim = await runSim()
    const token = await sim.connect(SELLER)
    const spent = () => requestToken(sim, { grant_type: 'refresh_token', refresh_token: 'TG-spent-1' })
    expect((await spent()).body).toEqual(published.oauth_invalid_grant_400_message_variant)
    await sim.admin('PUT', '/settings', { oauthErrorText: 'error_description' })
    expect((await spent()).body).toEqual(published.oauth_invalid_grant_400)
    const bare = await fetch(`${sim.url}/users/me`)
    expect(await bare.json()).toEqual(published.unauthorized_401_caller)
    const reader = await sim.connect(8, { scopes: ['read'] })
    expect((await sim.call(reader, 'POST', '/orders', {})).body).toEqual(published.forbidden_scopes_403)
    expect((await sim.call(token, 'GET', '/users/8/items/search')).body).toEqual(published.forbidden_access_403)
    for (const [limitShape, name] of [
      ['too-many-requests', 'too_many_requests_429'],
      ['over-quota', 'client_over_quota_429'],
    ] as const) {
      await sim.admin('PUT', '/rate-limits', [{ path: '^/users/me$', limit: 0, shape: limitShape }])
      expect((await sim.call(token, 'GET', '/users/me')).body).toEqual(published[name])
    }
  })
})

function datePattern(sample: string): RegExp {
  return new RegExp(`^${sample.replace(/[.+*]/g, '\\$&').replace(/\d/g, '\\d')}$`)
}
