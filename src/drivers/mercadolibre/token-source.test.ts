import { describe, expect, test } from 'vitest'
import { IntegrationError } from '../../core/integration-error.ts'
import type { CredentialStore, TokenPair } from '../../ports/credential-store.ts'
import { memoryCredentials } from '../../../test/support/memory-credentials.ts'
import type { HttpClient, HttpReply, HttpRequest } from '../http.ts'
import { mercadolibreTokens } from './token-source.ts'

const NOW = Date.parse('2026-11-23T12:00:00Z')
const CHANNEL = 'mercadolibre:1'
const never = new AbortController().signal

const aStore = (over: Partial<TokenPair> = {}) =>
  memoryCredentials({ accessToken: 'A1', refreshToken: 'R1', expiresAt: new Date(NOW + 3_600_000).toISOString(), version: 1, ...over })

type Answer = HttpReply | IntegrationError

function aSource(store: CredentialStore, answers: (Answer | (() => Promise<Answer>))[] = []) {
  const sent: HttpRequest[] = []
  const waits: number[] = []
  const clock = { nowMs: NOW, elapsedMs: 0 }
  const http: HttpClient = {
    origin: 'https://api.test',
    async exchange(request) {
      sent.push(request)
      const next = answers.shift() ?? granted(sent.length + 1)
      const answer = typeof next === 'function' ? await next() : next
      if (answer instanceof IntegrationError) throw answer
      return answer
    },
    close: () => Promise.resolve(),
  }
  const source = mercadolibreTokens({
    channel: CHANNEL,
    store,
    app: { clientId: 'app', clientSecret: 'secret', redirectUri: 'https://hub.test/cb', authBase: 'https://auth.test' },
    http,
    clock: {
      stopwatch: () => () => clock.elapsedMs,
      wait(ms) {
        waits.push(ms)
        clock.elapsedMs += ms
        return Promise.resolve()
      },
    },
    random: { next: () => 0.5, uuid: () => 'unused' },
    skewMs: 300_000,
    leaseMs: 30_000,
    busyWaitMs: 2_000,
    nowMs: () => clock.nowMs,
  })
  return { source, sent, waits, clock }
}

const granted = (n: number): HttpReply => ({
  status: 200,
  headers: {},
  text: `{"access_token":"A${n}","token_type":"bearer","expires_in":10800,"scope":"offline_access read write","user_id":1,"refresh_token":"R${n}"}`,
})
const refusal = (status: number, error: string, headers: Record<string, string> = {}): HttpReply => ({
  status,
  headers,
  text: JSON.stringify({ message: 'x', error, status, cause: [] }),
})

async function failure(work: Promise<unknown>): Promise<IntegrationError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error instanceof IntegrationError) return error
  throw new Error(`no IntegrationError: ${String(error)}`)
}

const soon = { expiresAt: new Date(NOW + 60_000).toISOString() }
const past = { expiresAt: new Date(NOW - 1).toISOString() }

describe('a token ahead of its end', () => {
  test('is used as it is while its end is far', async () => {
    const { source, sent } = aSource(aStore())
    expect((await source.current(never)).accessToken).toBe('A1')
    expect(sent).toEqual([])
  })

  test('is refreshed inside the skew; the pair is saved before it is used, and its end is what expires_in says', async () => {
    const store = aStore(soon)
    const { source, sent } = aSource(store)
    expect((await source.current(never)).accessToken).toBe('A2')
    expect(store.row.calls).toEqual(['mark', 'save'])
    expect(store.row.pair).toEqual({ accessToken: 'A2', refreshToken: 'R2', expiresAt: '2026-11-23T15:00:00.000Z', version: 2 })
    expect(sent[0]?.body).toBe('grant_type=refresh_token&client_id=app&client_secret=secret&refresh_token=R1')
    expect(sent[0]?.headers).toEqual({ 'content-type': 'application/x-www-form-urlencoded' })
  })

  test.each([
    ['a refused connection', new IntegrationError('unreachable')],
    ['a 503', refusal(503, 'internal')],
    ['a 429', refusal(429, 'local_rate_limited')],
  ])('is still used when its refresh meets %s', async (_what, answer) => {
    const store = aStore(soon)
    const { source } = aSource(store, [answer])
    expect((await source.current(never)).accessToken).toBe('A1')
    expect([store.row.lease, store.row.reconnect]).toEqual([null, null])
  })

  test('is used without waiting while another process refreshes', async () => {
    const store = aStore(soon)
    await store.leaseRefresh(CHANNEL, 1, 1_000)
    const { source, waits } = aSource(store)
    expect((await source.current(never)).accessToken).toBe('A1')
    expect(waits).toEqual([])
  })
})

describe('an expired token', () => {
  test('of 100 callers at once is refreshed by one exchange', async () => {
    const store = aStore(past)
    const { source, sent } = aSource(store)
    const tokens = await Promise.all(Array.from({ length: 100 }, () => source.current(never)))
    expect(new Set(tokens.map((one) => one.accessToken))).toEqual(new Set(['A2']))
    expect(sent).toHaveLength(1)
  })

  test('of two processes is refreshed by one of them; the other waits and takes the new pair', async () => {
    const store = aStore(past)
    let finish = () => {}
    const slow = () => new Promise<Answer>((resolve) => (finish = () => resolve(granted(2))))
    const one = aSource(store, [slow])
    const other = aSource(store)
    const first = one.source.current(never)
    // The second process finds the lease taken; the first answer comes while it waits.
    const second = other.source.current(never)
    await expect.poll(() => other.waits.length).toBeGreaterThan(0)
    finish()
    expect((await first).accessToken).toBe('A2')
    await second.then(
      (token) => expect(token.accessToken).toBe('A2'),
      (error: unknown) => expect(error).toMatchObject({ code: 'unreachable' }),
    )
    expect(one.sent.length + other.sent.length).toBe(1)
  })

  test('held by a process that never ends its refresh is not waited for without end', async () => {
    const store = aStore(past)
    await store.leaseRefresh(CHANNEL, 1, 1_000)
    const { source, sent } = aSource(store)
    expect((await failure(source.current(never))).code).toBe('unreachable')
    expect(sent).toEqual([])
  })

  test('that another process refreshed already is not refreshed again', async () => {
    const store = aStore(past)
    const { source, sent } = aSource(store)
    const other = aSource(store)
    await other.source.current(never)
    expect((await source.current(never)).accessToken).toBe('A2')
    expect(sent).toEqual([])
  })

  test('whose new pair cannot be committed at once is saved later, never exchanged again', async () => {
    const store = aStore(past)
    store.row.failSaves = 3
    const { source, sent } = aSource(store)
    expect((await source.current(never)).accessToken).toBe('A2')
    expect([sent.length, store.row.calls]).toEqual([1, ['mark', 'save']])
  })

  test('a caller that gives up leaves the refresh of the others alone', async () => {
    const store = aStore(past)
    let finish = () => {}
    const { source, sent } = aSource(store, [() => new Promise<Answer>((resolve) => (finish = () => resolve(granted(2))))])
    const impatient = new AbortController()
    const given = failure(source.current(impatient.signal))
    const patient = source.current(never)
    await expect.poll(() => sent.length).toBe(1)
    impatient.abort()
    expect((await given).code).toBe('unreachable')
    finish()
    expect((await patient).accessToken).toBe('A2')
  })
})

describe('a refresh that fails', () => {
  test('with invalid_grant asks for a reconnection, once', async () => {
    const store = aStore(past)
    const { source, sent } = aSource(store, [refusal(400, 'invalid_grant')])
    expect((await failure(source.current(never))).code).toBe('unauthorized')
    expect(store.row.reconnect).toContain('refused the refresh token')
    expect((await failure(source.current(never))).code).toBe('unauthorized')
    expect(sent).toHaveLength(1)
  })

  test('with invalid_grant after somebody reconnected takes the newer pair', async () => {
    const store = aStore(past)
    const reconnected = () => {
      store.row.pair = { accessToken: 'N', refreshToken: 'RN', expiresAt: new Date(NOW + 3_600_000).toISOString(), version: 7 }
      return Promise.resolve(refusal(400, 'invalid_grant'))
    }
    const { source } = aSource(store, [reconnected])
    expect((await source.current(never)).accessToken).toBe('N')
    expect(store.row.reconnect).toBeNull()
  })

  test.each([
    ['a lost answer', new IntegrationError('no-answer')],
    ['an unreadable one', { status: 200, headers: {}, text: '<html>' }],
    ['one without a token', { status: 200, headers: {}, text: '{"expires_in":1,"user_id":1}' }],
  ])('by %s asks for a reconnection: the token may be spent', async (_what, answer) => {
    const store = aStore(past)
    const { source } = aSource(store, [answer])
    expect((await failure(source.current(never))).code).toBe('unauthorized')
    expect(store.row.reconnect).toContain('spent')
  })

  test.each([
    ['unreachable', new IntegrationError('unreachable'), 'unreachable'],
    ['a 500', refusal(500, 'internal'), 'unreachable'],
    ['429', refusal(429, 'local_rate_limited', { 'retry-after': '9' }), 'rate-limited'],
    ['invalid_client', refusal(400, 'invalid_client'), 'unauthorized'],
  ])('by %s gives the lease back and is tried again later', async (_what, answer, code) => {
    const store = aStore(past)
    const { source } = aSource(store, [answer])
    expect((await failure(source.current(never))).code).toBe(code)
    expect([store.row.lease, store.row.reconnect]).toEqual([null, null])
    expect((await source.current(never)).version).toBe(2)
  })

  test('for want of a refresh token or of a connection says what to do', async () => {
    const store = aStore({ ...past, refreshToken: null })
    expect((await failure(aSource(store).source.current(never))).detail.summary).toContain('offline_access')
    const none = aStore()
    none.row.pair = null
    expect((await failure(aSource(none).source.current(never))).detail.summary).toContain('rosh auth mercadolibre')
  })
})

describe('a refused token', () => {
  test('is renewed by one exchange however many callers say so', async () => {
    const store = aStore()
    const { source, sent } = aSource(store)
    await source.current(never)
    const tokens = await Promise.all(Array.from({ length: 20 }, () => source.renewed(1, never)))
    expect([new Set(tokens.map((one) => one.version)), sent.length]).toEqual([new Set([2]), 1])
  })

  test('that was renewed meanwhile costs nothing', async () => {
    const { source, sent } = aSource(aStore())
    await source.renewed(1, never)
    expect((await source.renewed(1, never)).version).toBe(2)
    expect(sent).toHaveLength(1)
  })
})
