import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { LedgerEntry } from './ledger.ts'
import { createSimulator, decide, readJson, requestIdOf, sha256 } from './server.ts'
import type { Simulator } from './server.ts'

const admin = { 'x-admin-key': 'change-me', 'content-type': 'application/json' }
const body = '{"name":"Ñandú"}'

describe('simulator server', () => {
  let folder: string
  let simulator: Simulator
  let url: string
  const things: unknown[] = []

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'server-'))
    things.length = 0
    simulator = await createSimulator({ name: 'toy', ledgerPath: join(folder, 'toy.jsonl') })
    simulator.app.get('/things', async () => things)
    simulator.app.post('/things', async (request, reply) => {
      things.push(readJson(request))
      await simulator.ledger.append({ kind: 'state', id: `t-${things.length}`, state: { requestId: requestIdOf(request) } })
      decide(request, 'created', { orderId: `t-${things.length}` })
      return reply.code(201).send({ count: things.length })
    })
    url = (await simulator.listen(0)).url
  })
  afterEach(async () => {
    await simulator.close()
    await rm(folder, { recursive: true, force: true })
  })

  const post = (signal?: AbortSignal) =>
    fetch(`${url}/things`, { method: 'POST', body, headers: { 'x-request-id': 'r-1' }, ...(signal ? { signal } : {}) })
  const faults = (...rules: object[]) => fetch(`${url}/admin/faults`, { method: 'PUT', headers: admin, body: JSON.stringify(rules) })
  const lines = () => simulator.ledger.entries()
  const requests = () => lines().filter((entry): entry is LedgerEntry & { kind: 'request' } => entry.kind === 'request')

  test('the effect and the request are on disk before the reply', async () => {
    const reply = await post()
    expect(reply.status).toBe(201)
    const replyBody = await reply.text()
    expect(lines()).toMatchObject([
      { seq: 1, kind: 'state', id: 't-1', state: { requestId: 'r-1' } },
      { seq: 2, kind: 'request', requestId: 'r-1', method: 'POST', path: '/things', decision: 'created', status: 201, orderId: 't-1' },
    ])
    expect(requests()[0]).toMatchObject({ bodySha256: sha256(body), replySha256: sha256(replyBody) })
  })

  test('an unknown route is refused and recorded, an admin call is not recorded', async () => {
    expect((await fetch(`${url}/nothing?x=1`)).status).toBe(404)
    expect((await fetch(`${url}/admin/faults`, { headers: admin })).status).toBe(200)
    expect(requests()).toMatchObject([{ path: '/nothing?x=1', decision: 'refused', status: 404, requestId: null }])
  })

  test('a body over the limit is 413, not 5xx', async () => {
    const reply = await fetch(`${url}/things`, { method: 'POST', body: Buffer.alloc(6 * 1024 * 1024) })
    expect(reply.status).toBe(413)
    expect(things).toEqual([])
  })

  test('admin routes need the key and list the ledger from a sequence number', async () => {
    expect((await fetch(`${url}/admin/ledger`)).status).toBe(401)
    expect((await fetch(`${url}/admin/ledger`, { headers: { 'x-admin-key': 'wrong' } })).status).toBe(401)
    await post()
    const read = async (query: string) => (await fetch(`${url}/admin/ledger${query}`, { headers: admin })).json()
    expect(await read('')).toMatchObject({ entries: [{ seq: 1 }, { seq: 2 }] })
    expect(await read('?since=1')).toMatchObject({ entries: [{ seq: 2 }] })
    expect(await read('?since=x')).toMatchObject({ errors: [{ field: 'since' }] })
    expect(await (await fetch(`${url}/admin/health`, { headers: admin })).json()).toEqual({ status: 'ok', name: 'toy', seq: 2 })
  })

  test('faults are replaced, added, listed with hits and cleared', async () => {
    expect((await faults({ fault: 'nonsense' })).status).toBe(422)
    expect(await (await faults({ fault: 'late' })).json()).toMatchObject({ errors: [{ field: '0.ms' }] })
    expect((await faults({ fault: 'status', times: 1 })).status).toBe(200)
    const added = await fetch(`${url}/admin/faults`, { method: 'POST', headers: admin, body: '{"fault":"latency","ms":1}' })
    expect(added.status).toBe(201)
    await post()
    const list = await (await fetch(`${url}/admin/faults`, { headers: admin })).json()
    expect(list).toMatchObject({
      faults: [
        { fault: 'status', hits: 1 },
        { fault: 'latency', hits: 0 },
      ],
    })
    const cleared = await fetch(`${url}/admin/faults`, { method: 'DELETE', headers: admin })
    expect(await cleared.json()).toEqual({ faults: [] })
  })

  test('status answers as told, without effect', async () => {
    await faults({ fault: 'status', status: 429, retryAfter: 'Mon, 23 Nov 2026 12:00:00 GMT', body: '{"slow":"down"}' })
    const reply = await post()
    expect([reply.status, reply.headers.get('retry-after'), await reply.text()]).toEqual([
      429,
      'Mon, 23 Nov 2026 12:00:00 GMT',
      '{"slow":"down"}',
    ])
    expect(things).toEqual([])
    expect(requests()).toMatchObject([{ decision: 'status', status: 429 }])
  })

  test.each([
    ['hang', 0],
    ['accept-then-hang', 1],
  ])('%s never answers; effects: %i', async (fault, effects) => {
    await faults({ fault, match: { method: 'POST' } })
    const caller = new AbortController()
    const reply = post(caller.signal).catch((error: unknown) => (error as Error).name)
    await vi.waitFor(() => expect(requests()).toHaveLength(1))
    expect(things).toHaveLength(effects)
    caller.abort()
    expect(await reply).toBe('AbortError')
    expect(requests()).toMatchObject([{ decision: fault, status: null, replySha256: null }])
  })

  test.each([
    ['reset', 0, {}],
    ['accept-then-reset', 1, { orderId: 't-1', detail: { handled: 'created' } }],
  ])('%s cuts the connection; effects: %i', async (fault, effects, done) => {
    await faults({ fault })
    await expect(post()).rejects.toMatchObject({ cause: { code: 'ECONNRESET' } })
    expect(things).toHaveLength(effects)
    expect(requests()).toMatchObject([{ decision: fault, status: null }])
    expect(requests().map(({ orderId, detail }) => ({ orderId, detail }))).toEqual([done])
  })

  test('empty, html and truncate take effect and spoil the reply', async () => {
    await faults({ fault: 'empty', times: 1 }, { fault: 'html', times: 1 }, { fault: 'truncate', times: 1 })
    const empty = await post()
    expect([empty.status, await empty.text()]).toEqual([201, ''])
    const html = await post()
    expect([html.status, html.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
    expect(await html.text()).toContain('<html>')
    const truncated = await post()
    expect(truncated.status).toBe(201)
    await expect(truncated.text()).rejects.toThrow(/terminated/)
    expect(things).toHaveLength(3)
    expect(requests().map((entry) => entry.decision)).toEqual(['empty', 'html', 'truncate'])
  })

  test('drip sends byte by byte and flood pads the reply, both after the effect', async () => {
    await faults({ fault: 'drip', ms: 10, times: 1 }, { fault: 'flood', bytes: 3_000_000 })
    const started = performance.now()
    expect(await (await post()).json()).toEqual({ count: 1 })
    expect(performance.now() - started).toBeGreaterThan(90)
    const flooded = await (await post()).text()
    expect([flooded.length, JSON.parse(flooded)]).toEqual([3_000_000, { count: 2 }])
    expect(requests().map((entry) => entry.decision)).toEqual(['drip', 'flood'])
  })

  test('health checks leave no line', async () => {
    expect((await fetch(`${url}/health`)).status).toBe(404)
    expect(lines()).toEqual([])
  })

  test('latency takes effect at once and answers later', async () => {
    await faults({ fault: 'latency', ms: 60 })
    const started = performance.now()
    const reply = post()
    await vi.waitFor(() => expect(things).toHaveLength(1))
    expect((await reply).status).toBe(201)
    expect(performance.now() - started).toBeGreaterThanOrEqual(55)
  })

  test('late is recorded on arrival and takes effect afterwards, also when the caller has left', async () => {
    await faults({ fault: 'late', ms: 80 })
    const caller = new AbortController()
    const reply = post(caller.signal).catch(() => 'left')
    await vi.waitFor(() => expect(requests()).toMatchObject([{ seq: 1, decision: 'delayed', status: null }]))
    expect(things).toEqual([])
    caller.abort()
    expect(await reply).toBe('left')
    await vi.waitFor(() => expect(lines()).toHaveLength(2))
    expect(lines()[1]).toMatchObject({ kind: 'state', id: 't-1' })
  })

  test('close cuts what hangs', async () => {
    await faults({ fault: 'hang' })
    const reply = post().catch(() => 'cut')
    await vi.waitFor(() => expect(requests()).toHaveLength(1))
    await simulator.close()
    expect(await reply).toBe('cut')
  })
})
