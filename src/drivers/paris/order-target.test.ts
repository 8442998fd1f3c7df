import { describe, expect, test } from 'vitest'
import type { Capabilities } from '../../core/channel.ts'
import type { DesiredOrder } from '../../core/desired.ts'
import { IntegrationError } from '../../core/integration-error.ts'
import type { Wanted } from '../../ports/target.ts'
import type { HttpClient, HttpReply, HttpRequest } from '../http.ts'
import { parisClient } from './client.ts'
import { parisMarketplace } from './marketplace.ts'

const ABLE: Capabilities = {
  createOrder: true,
  updateOrder: true,
  cancelOrder: true,
  updateStock: false,
  pushFulfilment: false,
  fractionalQuantity: false,
  idempotentCreate: false,
}
const timing = { timeoutMs: 1_000, marginMs: 500, settleMs: 1_000, leaseMs: 5_000 }
const signal = new AbortController().signal
const log = { read: <T>(_operation: string, call: (requestId: string) => Promise<T>) => call('r') }

interface Row {
  id: string
  external_ref: string | null
  created_at: string
  [field: string]: unknown
}

const order = (id: string, over: Partial<Row> = {}): Row => ({
  id,
  buyer: 'Ana',
  status: 'created',
  external_ref: null,
  items: [{ sku: 'CUP', qty: 2 }],
  created_at: '2026-11-23T12:00:00Z',
  ...over,
})

/** A Paris that answers what it is told; `sent` are the requests it got. */
function paris(answer: (request: HttpRequest) => Partial<HttpReply> & { body?: unknown }, lookUpByQuery = false) {
  const sent: HttpRequest[] = []
  const http: HttpClient = {
    origin: 'http://paris.test',
    exchange(request) {
      sent.push(request)
      const { body, ...reply } = answer(request)
      return Promise.resolve({ status: 200, headers: {}, text: body === undefined ? '' : JSON.stringify(body), ...reply })
    },
    close: () => Promise.resolve(),
  }
  const client = parisClient({ http, apiKey: 'key', nowMs: () => 0 })
  return { sent, market: parisMarketplace({ channel: 'paris:main', client, capabilities: ABLE, timing, lookUpByQuery }) }
}

const desired: DesiredOrder = {
  kind: 'order',
  origin: 'odoo',
  orderKey: '42',
  lifecycle: 'open',
  fulfilment: null,
  tracking: null,
  confirm: true,
  currency: 'CLP',
  totalMinor: 25_980,
  lines: [
    { lineId: '1', sku: 'CUP', quantity: '2', unitPriceMinor: 12_990 },
    { lineId: '2', sku: 'POT', quantity: '1', unitPriceMinor: 1 },
  ],
}
const wanted = (over: Partial<Wanted> = {}): Wanted => ({
  channel: 'paris:main',
  reference: 'odoo-42',
  generation: 1,
  version: 3,
  externalId: null,
  desired,
  firstSentAt: '2026-11-23T12:00:00.000Z',
  personal: null,
  ...over,
})
const failureOf = (work: Promise<unknown>): Promise<IntegrationError> =>
  work.then(
    () => expect.unreachable(),
    (error: unknown) => (error instanceof IntegrationError ? error : expect.unreachable()),
  )
/** `count` orders of others, one a second, newest first, ending at `lastAt`. */
const others = (count: number, lastAt: string): Row[] =>
  Array.from({ length: count }, (_, i) => order(`p-${count - i}`, { created_at: new Date(Date.parse(lastAt) - i * 1000).toISOString() }))
const page = (rows: Row[], { path }: HttpRequest): Row[] => {
  const query = new URLSearchParams(path.split('?')[1])
  const offset = Number(query.get('offset'))
  return rows.slice(offset, offset + Number(query.get('limit')))
}

describe('a look-up by reference', () => {
  test('without a search pages back to the first intent, and an hour further for the other clock', async () => {
    const rows = [...others(250, '2026-11-23T14:00:00Z'), ...others(400, '2026-11-23T10:00:00Z')]
    const { market, sent } = paris((request) => ({ body: page(rows, request) }))
    expect(await market.lookUp(wanted(), log, signal)).toEqual({ kind: 'absent' })
    expect(sent.map(({ path }) => path)).toEqual(['0', '90', '180'].map((offset) => `/orders?limit=100&offset=${offset}`))
  })

  test('finds an order that slid between two pages while others were removed', async () => {
    const ours = order('p-ours', { external_ref: 'odoo-42', created_at: '2026-11-23T12:00:01Z' })
    let rows = [...others(104, '2026-11-23T13:00:00Z'), ours, ...others(50, '2026-11-23T12:00:00Z')]
    const { market } = paris((request) => {
      const body = page(rows, request)
      rows = rows.slice(8) // eight of the newest are removed while it pages
      return { body }
    })
    expect(await market.lookUp(wanted(), log, signal)).toMatchObject({ kind: 'found', externalId: 'p-ours' })
  })

  test('of two orders with our reference takes the older one and counts them', async () => {
    const twice = [
      order('p-2', { external_ref: 'odoo-42', created_at: '2026-11-23T12:00:09Z' }),
      order('p-1', { external_ref: 'odoo-42', created_at: '2026-11-23T12:00:01Z' }),
    ]
    const { market } = paris(() => ({ body: twice }))
    expect(await market.lookUp(wanted(), log, signal)).toMatchObject({ externalId: 'p-1', content: { extra: { orders: 2 } } })
  })

  test('an odd order of somebody else does not hide ours, and ours when odd is no absence', async () => {
    const odd = order('', { items: 'none' })
    const ours = order('p-1', { external_ref: 'odoo-42' })
    expect(await paris(() => ({ body: [odd, ours] })).market.lookUp(wanted(), log, signal)).toMatchObject({ externalId: 'p-1' })
    const { market } = paris(() => ({ body: [{ ...ours, items: 'none' }] }))
    expect((await failureOf(market.lookUp(wanted(), log, signal))).code).toBe('malformed-response')
  })

  test('asks for the reference only when told that the server knows it, and pages on when it does not after all', async () => {
    const ours = order('p-1', { external_ref: 'odoo-42' })
    const rows = [...others(150, '2026-11-23T13:00:00Z'), ours]
    const filtering = paris(({ path }) => ({ body: path.includes('external_ref=odoo-42') ? [ours] : [] }), true)
    expect(await filtering.market.lookUp(wanted(), log, signal)).toMatchObject({ externalId: 'p-1' })
    expect(filtering.sent).toHaveLength(1)
    const ignoring = paris((request) => ({ body: page(rows, request) }), true)
    expect(await ignoring.market.lookUp(wanted(), log, signal)).toMatchObject({ externalId: 'p-1' })
    const plain = paris((request) => ({ body: page(rows, request) }))
    await plain.market.lookUp(wanted(), log, signal)
    expect(plain.sent.filter(({ path }) => path.includes('external_ref'))).toEqual([])
  })
})

describe('a look-up by id', () => {
  test('absence is Paris’s own word, not any 404', async () => {
    const bound = wanted({ externalId: 'p-1' })
    const ours = paris(() => ({ status: 404, body: { detail: 'order not found' } }))
    expect(await ours.market.lookUp(bound, log, signal)).toEqual({ kind: 'absent' })
    for (const text of ['', '<h1>404</h1>', '{"detail":"order not', '{"detail":"no route"}'])
      expect((await failureOf(paris(() => ({ status: 404, text })).market.lookUp(bound, log, signal))).code).toBe('not-found')
  })

  test('an id that Paris never gives reaches no path', async () => {
    const { market, sent } = paris(() => ({ body: order('p-1') }))
    await failureOf(market.lookUp(wanted({ externalId: '../admin' }), log, signal))
    expect(sent).toEqual([])
  })
})

describe('a send', () => {
  test('always carries the reference, a key of its own, and a name for who has none', async () => {
    const { market, sent } = paris(() => ({ status: 201, body: order('p-9', { external_ref: 'odoo-42' }) }))
    await market.send(wanted(), 'create', { kind: 'absent' }, 'req-1', signal)
    await market.send(wanted({ externalId: 'p-9', personal: { buyerName: ' Ana ' } }), 'update', { kind: 'absent' }, 'req-2', signal)
    await market.send(wanted({ externalId: 'p-9' }), 'cancel', { kind: 'absent' }, 'req-3', signal)
    const items = [
      { sku: 'CUP', qty: 2 },
      { sku: 'POT', qty: 1 },
    ]
    expect(sent.map(({ method, path, requestId, body }) => [method, path, requestId, JSON.parse(body ?? '')])).toEqual([
      ['POST', '/orders', 'req-1', { buyer: 'cliente', items, external_ref: 'odoo-42' }],
      ['PUT', '/orders/p-9', 'req-2', { buyer: 'Ana', items, external_ref: 'odoo-42' }],
      ['POST', '/orders/p-9/cancel', 'req-3', {}],
    ])
    expect(sent.map(({ headers }) => headers?.['idempotency-key'])).toEqual([
      'paris:main/odoo/42/g1',
      'paris:main/odoo/42/g1/update/v3',
      'paris:main/odoo/42/g1/cancel/v3',
    ])
    expect(sent.every(({ headers }) => headers?.['x-api-key'] === 'key')).toBe(true)
  })

  test('a repeat that was answered with the stored order shows what is stored, so an update follows', async () => {
    const { market } = paris(() => ({ status: 201, body: order('p-9', { external_ref: 'odoo-42' }) }))
    const { shown, externalId } = await market.send(wanted(), 'create', { kind: 'absent' }, 'req', signal)
    expect(shown && market.next(wanted({ externalId }), shown)).toEqual({ kind: 'send', operation: 'update' })
  })

  test('an answer about another reference is no answer', async () => {
    const { market } = paris(() => ({ status: 201, body: order('p-9', { external_ref: 'odoo-43' }) }))
    expect((await failureOf(market.send(wanted(), 'create', { kind: 'absent' }, 'req', signal))).code).toBe('malformed-response')
  })

  test('unknown SKUs are named in our own words; other refusals keep theirs apart', async () => {
    const detail = [0, 1].map((at) => ({ loc: ['body', 'items', at, 'sku'], msg: 'unknown sku', type: 'value_error.sku' }))
    const skus = await failureOf(
      paris(() => ({ status: 422, body: { detail } })).market.send(wanted(), 'create', { kind: 'absent' }, 'r', signal),
    )
    expect([skus.code, skus.detail.causeCode, skus.detail.summary]).toEqual([
      'rejected',
      'sku-unknown',
      'Paris does not know the SKU CUP, POT',
    ])
    const refused = await failureOf(
      paris(() => ({ status: 400, body: { detail: 'buyer Ana is blocked' } })).market.send(
        wanted(),
        'create',
        { kind: 'absent' },
        'r',
        signal,
      ),
    )
    expect([refused.code, refused.detail.causeCode, refused.detail.summary]).toEqual([
      'rejected',
      'rejected-by-target',
      'Paris answered 400',
    ])
    expect(refused.detail.theirText).toContain('Ana')
  })

  test('of a failed read only the reason is kept, never the order that it shows', async () => {
    const body = { detail: 'half of it failed', id: 'p-9', buyer: 'Ana' }
    const { market } = paris(() => ({ status: 500, body }))
    const failed = await failureOf(market.fetchOrder('/orders/p-9', log, signal))
    expect(failed.detail.theirText).toBe('{"detail":"half of it failed"}')
    const silent = await failureOf(paris(() => ({ status: 500, body: [body] })).market.fetchOrder('/orders/p-9', log, signal))
    expect(silent.detail.theirText).toBeUndefined()
  })

  test('a reference that another order holds is final; any other 409 is read again', async () => {
    const taken = paris(() => ({ status: 409, body: { detail: 'external_ref belongs to order p-1' } })).market
    const bound = wanted({ externalId: 'p-9' })
    const final = await failureOf(taken.send(bound, 'update', { kind: 'absent' }, 'r', signal))
    expect([final.code, final.detail.causeCode]).toEqual(['rejected', 'duplicated-at-target'])
    const other = paris(() => ({ status: 409 })).market
    expect((await failureOf(other.send(bound, 'update', { kind: 'absent' }, 'r', signal))).code).toBe('conflict')
  })
})

describe('what comes next', () => {
  const { market } = paris(() => ({}))
  const found = (over: object) => ({
    kind: 'found' as const,
    externalId: 'p-9',
    content: { lifecycle: 'open' as const, fulfilment: null, currency: null, totalMinor: null, lines: [], extra: {}, ...over },
  })

  test('what was cancelled there is not opened again', () => {
    const step = market.next(wanted({ externalId: 'p-9' }), found({ lifecycle: 'cancelled' }))
    expect(step).toMatchObject({ kind: 'refused', cause: 'rejected-by-target' })
  })

  test('an order without lines is refused, and stock is nothing that Paris takes', () => {
    const empty = wanted({ desired: { ...desired, lines: [] } })
    expect(market.next(empty, { kind: 'absent' })).toMatchObject({ kind: 'refused', cause: 'erp-order-invalid' })
    const stock = wanted({ desired: { kind: 'stock', sku: 'CUP', quantity: 1 } })
    expect(market.next(stock, { kind: 'absent' })).toEqual({ kind: 'unsupported', operation: 'stock' })
  })

  test('a cancelled order whose status is unknown there is cancelled there', () => {
    const cancelled = wanted({ externalId: 'p-9', desired: { ...desired, lifecycle: 'cancelled' } })
    expect(market.next(cancelled, found({ lifecycle: null }))).toEqual({ kind: 'send', operation: 'cancel' })
  })
})
