import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Door, hmac, json, makeDoor, SECRET, signedReader } from '../../test/support/webhook-door.ts'
import { InboxFull } from '../ports/inbox.ts'
import type { WebhookReader } from '../ports/marketplace.ts'

let door: Door

beforeAll(async () => {
  door = await makeDoor()
})

beforeEach(() => door.open())

afterAll(() => door.close())

const notification = JSON.stringify({
  _id: 'e1',
  resource: '/orders/2000001',
  user_id: 1001,
  topic: 'orders_v2',
  application_id: 77,
  attempts: 1,
})

test('a new webhook and its second copy are both answered 200 with the id of the hub', async () => {
  const first = await door.paris('{"id":"P-1"}')
  const second = await door.paris('{"id":"P-1"}')
  expect(first.statusCode).toBe(200)
  expect(first.json()).toEqual({ event_id: expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown, duplicate: false })
  expect(second.json()).toEqual({ event_id: first.json<{ event_id: string }>().event_id, duplicate: true })
  expect((await door.stored()).map((row) => row.verdict)).toEqual(['accepted', 'duplicate'])
})

test('a conflict is 200 and an event of its own', async () => {
  const first = await door.paris('{"id":"P-1"}')
  const other = await door.paris('{"id":"P-1","total":5}')
  expect(other.statusCode).toBe(200)
  expect(other.json()).toMatchObject({ duplicate: false })
  expect(other.json()).not.toEqual(first.json())
})

test('a bad signature is 401, a malformed body 400, and both are on record with their bytes', async () => {
  expect((await door.paris('{"id":"P-1"}', { 'x-paris-signature': hmac('other') })).statusCode).toBe(401)
  expect((await door.paris('{"id":"P-1"}', { 'x-paris-signature': 'ñ' })).statusCode).toBe(401)
  expect((await door.paris('{"no":1}')).statusCode).toBe(400)
  expect((await door.stored()).map((row) => [row.verdict, row.body.toString()])).toEqual([
    ['bad-signature', '{"id":"P-1"}'],
    ['bad-signature', '{"id":"P-1"}'],
    ['malformed', '{"no":1}'],
  ])
})

test('a notification on the secret path is a stored hint, and neither secret nor cookie is kept', async () => {
  const reply = await door.app.inject({
    method: 'POST',
    url: `/webhooks/mercadolibre/${SECRET}`,
    headers: { ...json, cookie: 'session=1', authorization: 'Bearer x' },
    payload: notification,
  })
  expect(reply.statusCode).toBe(200)
  expect(reply.json()).toMatchObject({ duplicate: false })
  const [row] = await door.stored()
  expect(row).toMatchObject({ verdict: 'accepted', path: '/webhooks/mercadolibre/***' })
  expect(Object.keys(row!.headers).sort()).toEqual(['content-length', 'content-type', 'user-agent'])
  const { rows } = await door.owner.query<{ dump: string }>(
    `SELECT r::text || e::text AS dump FROM inbound_request r JOIN inbound_event e ON e.request_id = r.id`,
  )
  expect(rows[0]?.dump).not.toContain(SECRET)
})

test('what is unreadable on the right secret path is stored and answered 200, on the wrong one it is 401', async () => {
  const right = await door.app.inject({ method: 'POST', url: `/webhooks/mercadolibre/${SECRET}`, headers: json, payload: 'not json' })
  const wrong = await door.app.inject({ method: 'POST', url: '/webhooks/mercadolibre/guess', headers: json, payload: notification })
  expect([right.statusCode, wrong.statusCode]).toEqual([200, 401])
  expect(right.json()).toEqual({ event_id: null, duplicate: false })
  expect((await door.stored()).map((row) => row.verdict)).toEqual(['malformed', 'bad-signature'])
})

test('the signed path of MercadoLibre takes the signature of a relay', async () => {
  const send = (signature: string) =>
    door.app.inject({
      method: 'POST',
      url: '/webhooks/mercadolibre',
      headers: { ...json, 'x-signature': signature },
      payload: notification,
    })
  expect((await send(hmac(notification))).statusCode).toBe(200)
  expect((await send('00')).statusCode).toBe(401)
})

test('the automation webhook of Odoo is a hint on its secret path', async () => {
  const payload = JSON.stringify({ _model: 'sale.order', _id: 42, write_date: '2026-11-23 20:00:00' })
  expect((await door.app.inject({ method: 'POST', url: `/webhooks/odoo/${SECRET}`, headers: json, payload })).statusCode).toBe(200)
  const { rows } = await door.owner.query('SELECT channel, order_key, state FROM inbound_event')
  expect(rows).toEqual([{ channel: 'odoo', order_key: '42', state: 'pending' }])
})

test('a route without its reader, a page of documentation and another method are 404', async () => {
  await door.open({ readers: { paris: signedReader } })
  for (const url of ['/webhooks/mercadolibre', `/webhooks/odoo/${SECRET}`, '/docs', '/openapi.json', '/webhooks/']) {
    expect(await door.app.inject({ method: 'POST', url })).toMatchObject({ statusCode: 404, body: '{"error":"not-found"}' })
  }
  expect((await door.app.inject({ method: 'GET', url: '/webhooks/paris' })).json()).toEqual({ error: 'not-found' })
})

test('an address that ends with a slash is ours, and what is sent to none of ours is 404 whatever its bytes', async () => {
  await door.open({ readers: { paris: signedReader } })
  const at = (url: string) => door.app.inject({ method: 'POST', url, headers: json, payload: 'not json' })
  expect((await at('/webhooks/paris/')).statusCode).toBe(401)
  expect((await door.stored()).map((row) => row.verdict)).toEqual(['bad-signature'])
  for (const url of ['/webhooks/paris/x', '/', '/health']) expect((await at(url)).statusCode).toBe(404)
  expect(await door.stored()).toHaveLength(1)
})

test('a flooding source gets 429 with Retry-After, once on record, and others pass', async () => {
  await door.open({ rate: { perSecond: 0.001, burst: 2 }, trustProxyHops: 1 })
  const from = (ip: string) => door.paris(`{"id":"${ip}"}`, { 'x-forwarded-for': ip })
  const replies = [await from('10.0.0.1'), await from('10.0.0.1'), await from('10.0.0.1')]
  expect(replies.map((reply) => reply.statusCode)).toEqual([200, 200, 429])
  expect(replies[2]?.headers['retry-after']).toBe('1')
  expect((await from('10.0.0.2')).statusCode).toBe(200)
  expect((await door.stored()).map((row) => [row.verdict, row.source_ip])).toEqual([
    ['accepted', '10.0.0.1'],
    ['duplicate', '10.0.0.1'],
    ['rate-limited', '10.0.0.1'],
    ['accepted', '10.0.0.2'],
  ])
})

test('only as many proxies as are configured may name the source', async () => {
  await door.paris('{"id":"P-1"}', { 'x-forwarded-for': '10.9.9.9' })
  expect((await door.stored()).map((row) => row.source_ip)).toEqual(['127.0.0.1'])
  await door.open({ trustProxyHops: 1 })
  await door.paris('{"id":"P-2"}', { 'x-forwarded-for': '10.9.9.9, 10.0.0.7' })
  expect((await door.stored()).map((row) => row.source_ip)).toEqual(['10.0.0.7'])
})

test('a source outside of the allowed blocks is refused, a forged header does not help it', async () => {
  await door.open({ allowedSources: ['10.0.0.0/8', '::1'] })
  expect((await door.paris('{"id":"P-1"}', { 'x-forwarded-for': '10.0.0.1' })).statusCode).toBe(401)
  await door.open({ allowedSources: ['127.0.0.1'] })
  expect((await door.paris('{"id":"P-1"}')).statusCode).toBe(200)
  await door.open({ allowedSources: ['here'] })
  await expect(Promise.resolve(door.app.ready())).rejects.toThrow('"here" is neither an address nor a CIDR block')
})

test('when nothing was stored the answer is 503 with Retry-After, and says nothing of why', async () => {
  await door.open({ inbox: { ...door.inbox, record: async () => Promise.reject(new InboxFull('queue full at /srv/secret')) } })
  const reply = await door.paris('{"id":"P-1"}')
  expect(reply.statusCode).toBe(503)
  expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0)
  expect(reply.json()).toEqual({ error: 'unavailable' })
  const large = await door.paris(Buffer.alloc(1024 * 1024 + 1, 0x20))
  expect(large.statusCode).toBe(503)
  expect(door.logged).toEqual(['a webhook was not stored', 'a webhook was not stored'])
})

test('a reader that throws is a bug that is logged once and never acknowledged', async () => {
  const broken: WebhookReader = {
    answersUnreadableWith200: true,
    read: () => {
      throw new Error('at /srv/app/reader.ts:3')
    },
  }
  await door.open({ readers: { paris: broken } })
  const reply = await door.paris('{"id":"P-1"}')
  expect(reply.statusCode).toBe(503)
  expect(reply.body).not.toContain('/srv')
  expect(door.logged).toEqual(['a webhook failed'])
})

test('health tells names and verdicts, and nothing else', async () => {
  await door.open({
    checks: { ready: async () => [{ name: 'database', ok: false, url: 'postgres://secret' } as never], deep: async () => [] },
  })
  const get = (url: string) => door.app.inject({ method: 'GET', url })
  expect((await get('/health')).json()).toEqual({ status: 'ok' })
  expect((await get('/health/live')).statusCode).toBe(200)
  const ready = await get('/health/ready')
  expect([ready.statusCode, ready.json()]).toEqual([503, { status: 'failing', checks: [{ name: 'database', ok: false }] }])
  expect((await get('/health/deep')).statusCode).toBe(200)
})

test('answers carry security headers and no version', async () => {
  const { headers } = await door.paris('{"id":"P-1"}')
  expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'SAMEORIGIN' })
  expect(headers['content-security-policy']).toBeDefined()
  expect(headers['x-powered-by']).toBeUndefined()
  expect(headers.server).toBeUndefined()
})

test('closing waits for what is being stored, and then nothing listens', async () => {
  let finish = (): void => {}
  const held = new Promise<void>((resolve) => {
    finish = resolve
  })
  let heard = (): void => {}
  const begun = new Promise<void>((resolve) => {
    heard = resolve
  })
  await door.open({
    inbox: {
      ...door.inbox,
      record: async (...args) => {
        heard()
        await held
        return door.inbox.record(...args)
      },
    },
  })
  await door.app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = door.app.server.address() as AddressInfo
  const replying = fetch(`http://127.0.0.1:${port}/webhooks/paris`, {
    method: 'POST',
    headers: { ...json, 'x-paris-signature': hmac('{"id":"P-1"}') },
    body: '{"id":"P-1"}',
  })
  await begun
  const closing = door.app.close()
  finish()
  expect((await replying).status).toBe(200)
  await closing
  expect((await door.stored()).map((row) => row.verdict)).toEqual(['accepted'])
  await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow('fetch failed')
})
