import { request } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { PoolClient } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { until } from '../support/running-hub.ts'
import { type Door, hmac, json, makeDoor } from '../support/webhook-door.ts'

const MIB = 1024 * 1024
let door: Door
let port: number
beforeAll(async () => {
  door = await makeDoor()
  await door.open({ trustProxyHops: 1 })
  await door.app.listen({ host: '127.0.0.1', port: 0 })
  port = (door.app.server.address() as AddressInfo).port
})
afterAll(() => door.close())

const honest = (): Promise<number> => door.paris('{"id":"p-1"}').then((reply) => reply.statusCode)

/** Sends chunks until the server answers or the connection ends; how many bytes it took, told meanwhile too. */
function pour(
  headers: Record<string, string>,
  most: number,
  onSent: (sent: number) => void = () => {},
): Promise<{ status: number; sent: number }> {
  return new Promise((resolve) => {
    let sent = 0
    const chunk = Buffer.alloc(64 * 1024, 0x20)
    const outgoing = request({ port, method: 'POST', path: '/webhooks/paris', headers })
    const finish = (status: number): void => {
      resolve({ status, sent })
      outgoing.destroy()
    }
    outgoing.once('response', (response) => finish(response.statusCode ?? 0))
    outgoing.on('error', () => finish(0))
    const more = (): void => {
      if (outgoing.destroyed || sent >= most) return
      sent += chunk.length
      onSent(sent)
      outgoing.write(chunk, () => setImmediate(more))
    }
    more()
  })
}

test('a body of more than 1 MiB is refused when its length says so, before it is read', async () => {
  // Only the first 64 KiB are ever sent: the answer comes without the rest.
  const { status } = await pour({ ...json, 'content-length': String(10 * MIB) }, 64 * 1024)
  expect(status).toBe(413)
})

test('an endless body without a length is cut at 1 MiB, and others are served', async () => {
  const endless = pour({ ...json, 'transfer-encoding': 'chunked' }, 512 * MIB)
  expect(await honest()).toBe(200)
  const { status, sent } = await endless
  expect([0, 413]).toContain(status)
  // What was written here and not read there counts too, so the bound is wide; without a cap all of it is taken.
  expect(sent).toBeLessThan(256 * MIB)
})

// The refusal is noted before it is answered: for as long as a database lets it wait, the sender may go on, or hang up.
describe('a body that has been cut while its refusal waits for the database', () => {
  let lock: PoolClient
  beforeEach(async () => {
    lock = await door.owner.connect()
    await lock.query('BEGIN; LOCK TABLE inbound_request')
  })
  afterEach(async () => {
    await lock.query('ROLLBACK')
    lock.release()
  })

  const waits = async (): Promise<boolean> =>
    (await lock.query(`SELECT FROM pg_locks WHERE relation = 'inbound_request'::regclass AND NOT granted`)).rowCount === 1

  test('holds no more, however much is sent', async () => {
    // Twice what one source may have on its way.
    let sent = 0
    const poured = pour({ ...json, 'transfer-encoding': 'chunked' }, 32 * MIB, (bytes) => (sent = bytes))
    await until(waits)
    await until(async () => sent >= 32 * MIB)
    await lock.query('ROLLBACK; BEGIN')
    expect((await poured).status).toBe(413)
  })

  test('may lose its sender, and the receiver goes on', async () => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write('POST /webhooks/paris HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n')
    for (let i = 0; i < 20; i++) socket.write(`10000\r\n${' '.repeat(65_536)}\r\n`)
    await until(waits)
    socket.resetAndDestroy()
    await lock.query('ROLLBACK; BEGIN')
    expect(await honest()).toBe(200)
  })
})

test('the largest body that is allowed is taken', async () => {
  const body = `{"id":"p-2","pad":"${'x'.repeat(MIB - 64)}"}`
  expect((await door.paris(body)).statusCode).toBe(200)
})

test('JSON alone is taken', async () => {
  const payload = '{"id":"p-3"}'
  const answers = []
  for (const type of ['text/xml', 'multipart/form-data', 'application/x-www-form-urlencoded', 'application/json; charset=utf-8']) {
    const headers = { 'content-type': type, 'x-paris-signature': hmac(payload) }
    answers.push((await door.app.inject({ method: 'POST', url: '/webhooks/paris', headers, payload })).statusCode)
  }
  expect(answers).toEqual([400, 400, 400, 200])
})

test('too many bytes of headers are refused', async () => {
  const answer = await new Promise<string>((resolve) => {
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(`POST /webhooks/paris HTTP/1.1\r\nHost: x\r\nX-Big: ${'a'.repeat(20_000)}\r\n\r\n`),
    )
    socket.once('data', (chunk) => {
      resolve(chunk.toString('latin1').split('\r\n')[0] ?? '')
      socket.destroy()
    })
  })
  expect(answer).toContain('431')
})

test('headers, requests, idle connections and their number have limits', () => {
  const { headersTimeout, requestTimeout, keepAliveTimeout, maxConnections, maxRequestsPerSocket } = door.app.server
  for (const limit of [headersTimeout, requestTimeout, keepAliveTimeout]) expect(limit).toSatisfy((ms: number) => ms > 0 && ms <= 15_000)
  expect(maxConnections).toSatisfy((count: number) => count > 0 && count <= 10_000)
  expect(maxRequestsPerSocket).toBeGreaterThan(0)
})

interface Held {
  answer: string
  closed: boolean
  socket: Socket
}

/** Sends a request that announces 1 MiB and keeps its last byte back. */
function holdBack(path: string, source: string): Held {
  const socket = connect(port, '127.0.0.1')
  const held: Held = { answer: '', closed: false, socket }
  socket.on('data', (chunk) => (held.answer += chunk.toString('latin1')))
  socket.on('error', () => {}) // the server hangs up while this side still writes
  socket.on('close', () => (held.closed = true))
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ${source}\r\nContent-Type: application/json\r\nContent-Length: ${MIB}\r\n\r\n`,
  )
  socket.write(Buffer.alloc(MIB - 1, 0x20))
  return held
}

test('what is sent to no route is answered without its body, and the connection ends', async () => {
  const held = holdBack('/nothing', '198.51.100.1')
  await until(async () => held.closed)
  expect(held.answer).toMatch(/^HTTP\/1\.1 404 [^]*connection: close/i)
})

test('bodies on their way are bounded for each source, and others are served meanwhile', async () => {
  const from = (source: string) => door.paris('{"id":"p-4"}', { 'x-forwarded-for': source })
  const held = Array.from({ length: 24 }, () => holdBack('/webhooks/paris', '198.51.100.2'))
  const refused = () => held.filter(({ answer }) => answer.includes(' 503 ') && /retry-after: \d/i.test(answer))
  await until(async () => refused().length >= 8)
  expect(held.length - refused().length).toBeLessThanOrEqual(17)
  expect((await from('203.0.113.5')).statusCode).toBe(200)
  for (const { socket } of held) socket.destroy()
  await until(async () => (await from('198.51.100.2')).statusCode === 200)
})
