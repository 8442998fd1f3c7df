import { createServer, type Server } from 'node:http'
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { httpClient } from '../../src/drivers/http.ts'

let inner: Server
let innerPort: number
let redirecting: Server
let bait: TcpServer
let baitPort: number
const innerRequests: string[] = []
let baitConnections = 0

const listen = (server: Server | TcpServer): Promise<number> =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)))

beforeAll(async () => {
  inner = createServer((request, response) => {
    innerRequests.push(request.url ?? '')
    response.end('{"secret":"metadata"}')
  })
  innerPort = await listen(inner)
  redirecting = createServer((_request, response) => response.writeHead(302, { location: `http://127.0.0.1:${innerPort}/latest` }).end())
  await listen(redirecting)
  bait = createTcpServer((socket) => {
    baitConnections += 1
    socket.destroy()
  })
  baitPort = await listen(bait)
})
afterAll(() => Promise.all([inner, redirecting, bait].map((server) => new Promise((resolve) => server.close(resolve)))))

async function call(origin: string, outside: Parameters<typeof httpClient>[0]['outside']): Promise<string> {
  let client: ReturnType<typeof httpClient> | undefined
  try {
    client = httpClient({ origin, timeoutMs: 1_000, ...(outside ? { outside } : {}) })
    const reply = await client.exchange({ method: 'GET', path: '/' })
    return `answered ${reply.status}`
  } catch (error) {
    return error instanceof Error ? `${(error as { code?: string }).code}: ${error.message}` : 'unknown'
  } finally {
    await client?.close()
  }
}

test.each([
  'https://127.0.0.1',
  'https://[::1]',
  'https://[::ffff:127.0.0.1]',
  'https://[::ffff:a9fe:a9fe]',
  'https://[64:ff9b::7f00:1]',
  'https://[fe80::1]',
  'https://[fd00::1]',
  'https://169.254.169.254',
  'https://10.1.2.3',
  'https://172.31.0.1',
  'https://192.168.1.1',
  'https://100.64.0.1',
  'https://0.0.0.0',
  'https://2130706433',
  'https://0x7f.1',
  'https://[2002:7f00:1::]',
])('%s is refused before anything is sent, with its cause', async (origin) => {
  expect(await call(origin, {})).toBe('rejected: an address that arrived as data is not called: it is a private address')
})

test.each([
  ['http://example.com', 'it is not https'],
  ['ftp://example.com', 'it is not https'],
  ['https://user:pass@example.com', 'it carries credentials'],
  ['https://example.com:22', 'port 22 is not on the list'],
  ['https://example.com:8443', 'port 8443 is not on the list'],
  ['nonsense', 'the address is none'],
])('%s is refused: %s', async (origin, why) => {
  expect(await call(origin, {})).toBe(`rejected: an address that arrived as data is not called: ${why}`)
})

test.each([['127.0.0.1'], ['::1'], ['::ffff:127.0.0.1'], ['169.254.169.254'], ['8.8.8.8', '127.0.0.1'], ['fd00::1', '8.8.8.8']])(
  'a name that leads to %s is refused, and nobody is called',
  async (...addresses) => {
    const before = baitConnections
    const outside = { ports: [baitPort], resolve: () => Promise.resolve(addresses) }
    expect(await call(`https://shop.example:${baitPort}`, outside)).toBe(
      'rejected: an address that arrived as data is not called: its name leads to a private address',
    )
    expect(baitConnections).toBe(before)
  },
)

test('an answer that changes to a private address is refused at the next exchange', async () => {
  const answers = [['192.0.2.255'], ['8.8.8.8'], ['127.0.0.1']]
  let asked = 0
  const outside = { ports: [baitPort], resolve: () => Promise.resolve(answers[++asked] ?? ['127.0.0.1']) }
  const client = httpClient({ origin: `https://shop.example:${baitPort}`, timeoutMs: 500, outside })
  const before = baitConnections
  const codes = []
  for (let i = 0; i < 2; i += 1)
    codes.push(await client.exchange({ method: 'GET', path: '/' }).catch((error: { code: string }) => error.code))
  await client.close()
  // The first goes to the address that was checked, where nobody answers; it is not asked for again on the way.
  expect(['unreachable', 'no-answer']).toContain(codes[0])
  expect(codes[1]).toBe('rejected')
  expect([asked, baitConnections - before]).toEqual([2, 0])
})

test('a redirect to a private address is not followed, whoever named the origin', async () => {
  const origin = `http://127.0.0.1:${(redirecting.address() as AddressInfo).port}`
  expect(await call(origin, undefined)).toBe('answered 302')
  expect(innerRequests).toEqual([])
})

test('what the operator configured may be http and private', async () => {
  expect(await call(`http://127.0.0.1:${innerPort}`, undefined)).toBe('answered 200')
})
