import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { IntegrationError } from '../../core/integration-error.ts'
import type { HttpClient, HttpReply, HttpRequest } from '../http.ts'
import { failureOf, mercadolibreClient, type MeliRequest, type TokenSource } from './client.ts'

const reply = (status: number, text = '{}', headers: Record<string, string> = {}): HttpReply => ({ status, text, headers })

function aClient(replies: HttpReply[], options: { tokenMs?: number } = {}) {
  const sent: HttpRequest[] = []
  const renewals: number[] = []
  const clock = { elapsedMs: 0 }
  const http: HttpClient = {
    origin: 'https://api.test',
    exchange: (request) => {
      sent.push(request)
      return Promise.resolve(replies.shift() ?? reply(200))
    },
    close: () => Promise.resolve(),
  }
  let version = 1
  const tokens: TokenSource = {
    current: () => {
      clock.elapsedMs += options.tokenMs ?? 0
      return Promise.resolve({ accessToken: `T${version}`, version })
    },
    renewed: (refused) => {
      renewals.push(refused)
      version = refused + 1
      return Promise.resolve({ accessToken: `T${version}`, version })
    },
  }
  const client = mercadolibreClient({
    http,
    tokens,
    clock: { stopwatch: () => () => clock.elapsedMs, wait: () => Promise.resolve() },
    timeoutMs: 1_000,
    nowMs: () => Date.parse('2026-11-23T12:00:00Z'),
  })
  return { client, sent, renewals }
}

const read: MeliRequest = { method: 'GET', path: '/orders/1', requestId: 'r1' }
const bearer = (sent: HttpRequest[]) => sent.map((one) => one.headers?.authorization)

async function failure(work: Promise<unknown>): Promise<IntegrationError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error instanceof IntegrationError) return error
  throw new Error(`no IntegrationError: ${String(error)}`)
}

describe('the authenticated client', () => {
  test('sends the token and the request id, and keeps every digit of an id', async () => {
    const { client, sent } = aClient([reply(200, '{"id":1111111111111111111}')])
    expect((await client.call(read)).body).toEqual({ id: '1111111111111111111' })
    expect(sent[0]).toMatchObject({ path: '/orders/1', requestId: 'r1', headers: { authorization: 'Bearer T1' } })
  })

  test('a 401 of a read without an attempt is answered by one renewal and one repetition', async () => {
    const { client, sent, renewals } = aClient([reply(401), reply(200)])
    await client.call({ method: 'GET', path: '/missed_feeds' })
    expect([bearer(sent), renewals]).toEqual([['Bearer T1', 'Bearer T2'], [1]])
  })

  test('a 401 of an attempt renews the token and ends that attempt: a request id is sent once', async () => {
    const { client, sent, renewals } = aClient([reply(401), reply(200)])
    const refused = await failure(client.call(read))
    expect([refused.code, refused.detail.credentialRenewed, renewals, sent.length]).toEqual(['unauthorized', true, [1], 1])
    await client.call({ ...read, requestId: 'r2' })
    expect(sent.map((one) => one.requestId)).toEqual(['r1', 'r2'])
    expect(bearer(sent)).toEqual(['Bearer T1', 'Bearer T2'])
  })

  test('a renewed token that is refused too ends as unauthorized, and is not renewed again', async () => {
    const { client, sent, renewals } = aClient([reply(401), reply(401), reply(401)])
    expect((await failure(client.call(read))).detail.credentialRenewed).toBe(true)
    const final = await failure(client.call(read))
    expect([final.code, final.detail.credentialRenewed]).toEqual(['unauthorized', undefined])
    expect((await failure(client.call(read))).detail.credentialRenewed).toBeUndefined()
    expect([sent.length, renewals]).toEqual([3, [1]])
  })

  test('a renewed token that worked once may be renewed again', async () => {
    const { client, renewals } = aClient([reply(401), reply(200), reply(401), reply(200)])
    const again = { ...read, requestId: '' }
    await client.call(again)
    await client.call(again)
    expect(renewals).toEqual([1, 2])
  })

  test('whether it is too late is asked after the wait for a token: the request carries the question', async () => {
    const { client, sent } = aClient([], { tokenMs: 300 })
    const isLate = (): boolean => true
    await client.call({ ...read, method: 'POST', isLate })
    expect(sent).toMatchObject([{ isLate, timeoutMs: 700 }])
  })

  test('an empty 200 is no answer; text that is no JSON is malformed', async () => {
    expect((await failure(aClient([reply(200, '')]).client.call(read))).code).toBe('no-answer')
    expect((await failure(aClient([reply(200, '<html>')]).client.call(read))).code).toBe('malformed-response')
    expect((await aClient([reply(204, '')]).client.call(read)).body).toBeUndefined()
  })
})

describe('the code of a refusal', () => {
  const codeOf = (status: number, text = '', headers: Record<string, string> = {}) => failureOf(reply(status, text, headers), 0)

  test('429 in plain text is rate-limited, with the wait it names', () => {
    expect(codeOf(429, 'local_rate_limited', { 'retry-after': '7' })).toMatchObject({
      code: 'rate-limited',
      detail: { retryAfterMs: 7_000, theirText: 'local_rate_limited', httpStatus: 429 },
    })
    expect(codeOf(429, '{"error":"too_many_requests"}')?.detail.retryAfterMs).toBeUndefined()
  })

  test.each([
    [400, 'rejected'],
    [302, 'rejected'],
    [404, 'not-found'],
    [409, 'conflict'],
    [422, 'rejected'],
    [500, 'unavailable'],
    [503, 'unavailable'],
  ])('%i is %s whatever its body', (status, code) => {
    for (const text of ['', '<html>', '[', 'null', '[]', '{"error":7,"message":{}}', '['.repeat(100_000)]) {
      expect(codeOf(status, text)?.code).toBe(code)
    }
  })

  test('503 with Retry-After is rate-limited; 2xx is no refusal', () => {
    expect(codeOf(503, '', { 'retry-after': '1' })?.code).toBe('rate-limited')
    expect([codeOf(200), codeOf(204), codeOf(206)]).toEqual([undefined, undefined, undefined])
  })

  test('an unknown SKU in the body is told as such', () => {
    const body = '{"message":"Item with seller_sku X was not found","error":"item.seller_sku.not_found","status":400,"cause":[]}'
    expect(codeOf(400, body)?.detail.causeCode).toBe('sku-unknown')
    expect(codeOf(400, '{"error":"order_refused"}')?.detail.causeCode).toBe('rejected-by-target')
  })

  test('a 409 that no retry changes is a rejection', () => {
    expect(codeOf(409, '{"error":"order_not_cancellable"}')?.code).toBe('rejected')
    expect(codeOf(409, '{"error":"conflict","message":"Version mismatch"}')?.code).toBe('conflict')
  })

  test("another system's text is cut", () => {
    expect(codeOf(400, JSON.stringify({ message: 'x'.repeat(2_000) }))?.detail.theirText).toHaveLength(500)
  })
})

const samples = new URL('../../../../shared/payloads/ml-errors-official-examples.json', import.meta.url)
describe.skipIf(!existsSync(samples))("the vendor's published error bodies", () => {
  test('each has its code', () => {
    const bodies = JSON.parse(readFileSync(samples, 'utf8')) as Record<string, unknown>
    const codes = Object.entries(bodies).map(([name, body]) => [
      name,
      failureOf(reply(Number(/_(\d{3})/.exec(name)?.[1]), JSON.stringify(body)), 0)?.code,
    ])
    expect(Object.fromEntries(codes)).toEqual({
      oauth_invalid_grant_400: 'rejected',
      oauth_invalid_grant_400_message_variant: 'rejected',
      too_many_requests_429: 'rate-limited',
      client_over_quota_429: 'rate-limited',
      forbidden_scopes_403: 'unauthorized',
      forbidden_access_403: 'rejected',
      unauthorized_401_caller: 'unauthorized',
    })
  })
})
