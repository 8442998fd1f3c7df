import { connect as openSocket, type AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Door, hmac, json, makeDoor, SECRET } from '../../test/support/webhook-door.ts'

let door: Door

beforeAll(async () => {
  door = await makeDoor()
})

beforeEach(() => door.open())

afterAll(() => door.close())

const hostile: [string, Buffer][] = [
  ['malformed JSON', Buffer.from('{"id":')],
  ['deep nesting', Buffer.from(`${'['.repeat(200_000)}${']'.repeat(200_000)}`)],
  ['a NUL in an id', Buffer.from('{"id":"a\u0000b","topic":"orders_v2\u0000"}')],
  [
    'an escaped NUL',
    Buffer.from('{"id":"a\\u0000b","_id":"\\u0000","topic":"orders_v2","resource":"/orders/1\\u0000","user_id":1001,"application_id":77}'),
  ],
  [
    'a lone surrogate',
    Buffer.from('{"id":"\\ud800","_id":"\\ud800","topic":"orders_v2","resource":"/orders/1","user_id":1001,"application_id":77}'),
  ],
  [
    'a 300-character id',
    Buffer.from(
      JSON.stringify({
        id: 'x'.repeat(300),
        _id: 'x'.repeat(300),
        topic: 'orders_v2',
        resource: '/orders/1',
        user_id: 1001,
        application_id: 77,
      }),
    ),
  ],
  ['a 500,000-character id', Buffer.from(`{"id":"${'xyz123é'.repeat(60_000)}"}`)],
  [
    'a huge number',
    Buffer.from('{"id":"1","_id":1e999,"user_id":99999999999999999999999999999999,"topic":"orders_v2","resource":"/orders/1"}'),
  ],
  ['__proto__', Buffer.from('{"id":"1","__proto__":{"x":1},"constructor":{"prototype":{"y":1}}}')],
  ['duplicate keys', Buffer.from('{"id":"1","id":"2"}')],
  ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0x69, 0x64, 0x22, 0x3a, 0x22, 0xff, 0xc3, 0x28, 0x22, 0x7d])],
  ['a gzip bomb', gzipSync(Buffer.alloc(50 * 1024 * 1024))],
  ['nothing', Buffer.alloc(0)],
  ['JSON null', Buffer.from('null')],
]

test.each(hostile)('%s never gives 5xx and is on record, on every path', async (_name, payload) => {
  const urls = ['/webhooks/paris', '/webhooks/mercadolibre', `/webhooks/mercadolibre/${SECRET}`, `/webhooks/odoo/${SECRET}`]
  const headers = { ...json, 'x-paris-signature': hmac(payload), 'x-signature': hmac(payload) }
  for (const url of urls) {
    const reply = await door.app.inject({
      method: 'POST',
      url,
      headers: payload.length > 20_000 && payload[0] === 0x1f ? { ...headers, 'content-encoding': 'gzip' } : headers,
      payload,
    })
    expect(reply.statusCode).toBeLessThan(500)
  }
  const rows = await door.stored()
  expect(rows).toHaveLength(urls.length)
  for (const row of rows) expect(row.body.equals(payload)).toBe(true)
})

test.each(['text/xml', 'application/x-www-form-urlencoded', 'not a type;;;', 'application/json; charset=utf-16; ='])(
  'content type %j is judged, never a 5xx, and the bytes are kept',
  async (type) => {
    const reply = await door.paris('{"id":"P-1"}', { 'content-type': type })
    expect(reply.statusCode).toBe(type.startsWith('application/json') ? 200 : 400)
    expect((await door.stored())[0]).toMatchObject({ body: Buffer.from('{"id":"P-1"}'), headers: { 'content-type': type } })
  },
)

test.each(['application/json; charset=utf-8', 'application/vnd.paris.v2+json', 'APPLICATION/JSON'])(
  'content type %s is JSON',
  async (type) => {
    expect((await door.paris('{"id":"P-1"}', { 'content-type': type })).statusCode).toBe(200)
  },
)

test('a path that cannot be decoded is refused without repeating it', async () => {
  const reply = await door.app.inject({ method: 'POST', url: `/webhooks/odoo/${SECRET}%zz`, headers: json, payload: '{}' })
  expect(reply.statusCode).toBe(400)
  expect(reply.body).not.toContain(SECRET)
})

test('a body over the cap is 413 before it is read, and on record', async () => {
  const reply = await door.paris(Buffer.alloc(1024 * 1024 + 1, 0x20))
  expect(reply.statusCode).toBe(413)
  expect(reply.json()).toEqual({ error: 'too-large' })
  expect((await door.stored()).map((row) => [row.verdict, row.body.length, row.headers['content-length']])).toEqual([
    ['too-large', 0, '1048577'],
  ])
})

test('an endless chunked body is cut at the cap', async () => {
  await door.app.listen({ port: 0, host: '127.0.0.1' })
  const reply = await endless((door.app.server.address() as AddressInfo).port)
  expect(reply).toMatch(/^HTTP\/1\.1 413 /)
  expect((await door.stored()).map((row) => row.verdict)).toEqual(['too-large'])
})

/** Writes chunks until the server answers and hangs up. */
function endless(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = openSocket(port, '127.0.0.1')
    let reply = ''
    const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`
    const pump = (): void => {
      if (!socket.destroyed) socket.write(chunk, () => setImmediate(pump))
    }
    socket.on('data', (data) => {
      reply += data.toString()
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(reply))
    socket.write('POST /webhooks/paris HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n')
    pump()
  })
}

test('no bytes, no signature and no content type give a 5xx', async () => {
  const header = fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)), maxLength: 80 })
  const urls = fc.constantFrom('/webhooks/paris', '/webhooks/mercadolibre', `/webhooks/mercadolibre/${SECRET}`, `/webhooks/odoo/${SECRET}`)
  const property = fc.asyncProperty(urls, fc.uint8Array({ maxLength: 400 }), fc.boolean(), header, async (url, bytes, signed, text) => {
    const payload = Buffer.from(bytes)
    const signature = signed ? hmac(payload) : text
    const headers = { 'content-type': text, 'x-paris-signature': signature, 'x-signature': signature }
    const reply = await door.app.inject({ method: 'POST', url, headers, payload })
    return reply.statusCode < 500
  })
  await expect(fc.assert(property, { numRuns: 150 })).resolves.toBeUndefined()
})
