import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { type OdooSimOptions, startOdooSim } from '../../../simulators/odoo-sim/odoo-sim.ts'
import { drive, look, never, newKey, nextVersion, wantedOf } from '../../../test/conformance/erp-world.ts'
import type { Erp } from '../../ports/erp.ts'
import { odooErp, type OdooErpOptions } from './erp.ts'

const skus = ['SKU-001', 'SKU-002'] as const
const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function odoo(
  sim: Partial<OdooSimOptions> = {},
  options: Partial<OdooErpOptions> = {},
): Promise<{ erp: Erp; admin(path: string, body: unknown, method?: 'POST' | 'PUT'): Promise<Record<string, unknown>> }> {
  const folder = await mkdtemp(join(tmpdir(), 'odoo-erp-'))
  const running = await startOdooSim({ ledgerPath: join(folder, 'ledger.jsonl'), ...sim })
  const erp = await odooErp({
    url: `${running.url}/`,
    db: 'odoo',
    user: 'hub@example.com',
    password: 'change-me',
    taxMode: { kind: 'price-included-tax', taxId: 2 },
    channelPartners: { mercadolibre: 'Cliente MercadoLibre' },
    ...options,
  })
  closing.push(
    () => rm(folder, { recursive: true, force: true }),
    () => running.close(),
    () => erp.close(),
  )
  return {
    erp,
    async admin(path, body, method: 'POST' | 'PUT' = 'POST') {
      const headers = { 'x-admin-key': 'change-me', 'content-type': 'application/json' }
      const reply = await fetch(`${running.url}/admin${path}`, { method, headers, body: JSON.stringify(body) })
      if (!reply.ok) throw new Error(await reply.text())
      return (await reply.json()) as Record<string, unknown>
    },
  }
}

const failureOf = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error)
const order = (price = 9_990) => ({ lines: [{ sku: 'SKU-001', quantity: 1, price }] })

test('a send whose login outlasts the margin is not sent; the login goes on, and the next send goes out', async () => {
  const { erp, admin } = await odoo({}, { marginMs: 300 })
  const wanted = wantedOf({ skus })
  const shown = await look(erp, wanted)
  await admin('/faults', [{ fault: 'status', status: 503, times: 1 }], 'PUT')
  await failureOf(erp.readOrders(['1'], never)) // the connection is given up
  await admin('/faults', [{ match: { path: '^/web/version' }, fault: 'latency', ms: 1_500, times: 1 }], 'PUT')
  const send = () => erp.send(wanted, 'create', shown, newKey(), never)
  expect(await failureOf(send())).toMatchObject({ code: 'unreachable' })
  expect(await look(erp, wanted)).toEqual({ kind: 'absent' }) // waits for the login
  await send()
  await expect.poll(async () => (await look(erp, wanted)).kind).toBe('found')
})

describe('what a server is', () => {
  test.each([
    [14, {}, 'json-rpc'],
    [19, {}, 'json-2'],
    [19, { transport: 'json-rpc' }, 'json-rpc'],
  ] as const)('Odoo %i with %j speaks %s', async (version, options, transport) => {
    const { erp } = await odoo({ version }, options)
    const health = await erp.health(never)
    expect(health).toMatchObject({ transport, database: 'odoo', user: 'hub@example.com', problems: [] })
    expect(health.version.startsWith(String(version))).toBe(true)
    expect((await drive(erp, wantedOf({ skus }))).operations).toEqual(['create', 'confirm'])
  })

  test('the end of a key is told where the server says it', async () => {
    const { erp } = await odoo({ version: 19 })
    const { keyExpiresAt } = await erp.health(never)
    const days = (Date.parse(keyExpiresAt ?? '') - Date.now()) / 86_400_000
    expect(Math.round(days)).toBe(90)
    expect((await (await odoo({ version: 14 })).erp.health(never)).keyExpiresAt).toBeNull()
  })

  test.each([
    [20, undefined],
    [14, 'make a new one and'],
    [7, 'this week'],
    [1, 'NOW'],
  ])('a key that ends in %i days is warned about: %s', async (days, words) => {
    // A key lives 90 days from the start of the server's clock.
    const behindMs = (90 - days) * 86_400_000 - 3_600_000
    const { erp } = await odoo({ version: 19, now: () => (Date.now() - behindMs) * 1000 })
    const { problems } = await erp.health(never)
    expect(problems).toEqual(words === undefined ? [] : [expect.stringMatching(new RegExp(`${words}.*ODOO_PASSWORD_NEXT`))])
  })

  test('what is missing is named with its fix', async () => {
    const { erp, admin } = await odoo({ version: 19, withoutDelivery: true })
    await admin('/user', { email: null }, 'PUT')
    expect((await erp.health(never)).problems).toEqual([expect.stringContaining('e-mail'), expect.stringContaining('stock_delivery')])
  })

  test('without the tracking field the number goes to the chatter alone', async () => {
    const { erp } = await odoo({ version: 19, withoutDelivery: true })
    const wanted = wantedOf({ skus }, { fulfilment: 'shipped', tracking: 'T-1' })
    expect(await drive(erp, wanted)).toMatchObject({ operations: ['create', 'confirm', 'note'], end: { kind: 'done' } })
  })
})

describe.each([14, 19] as const)('what Odoo %i refuses', (version) => {
  const failing = async (error: string, match: Record<string, string>) => {
    const { erp, admin } = await odoo({ version })
    await admin('/fail-writes', { match, error, times: 1 })
    return erp
  }

  test.each([
    ['ValidationError', 'rejected'],
    ['AccessError', 'rejected'],
    ['UserError', 'rejected'],
    ['SerializationFailure', 'unavailable'],
    ['LockNotAvailable', 'unavailable'],
    ['DeadlockDetected', 'unavailable'],
  ])('a note that ends in %s is %s', async (error, code) => {
    const erp = await failing(error, { method: 'message_post' })
    const wanted = wantedOf({ skus }, { fulfilment: 'shipped' })
    expect(await failureOf(drive(erp, wanted))).toMatchObject({ code, detail: { causeCode: 'erp-write-failing' } })
    expect((await drive(erp, wanted)).operations).toEqual(['note'])
  })

  test('a confirmation that Odoo really refuses is dead after one more look', async () => {
    const erp = await failing('UserError', { method: 'action_confirm' })
    const wanted = wantedOf({ skus })
    const failure = await failureOf(drive(erp, wanted))
    expect(failure).toMatchObject({ code: version === 14 ? 'rejected' : 'conflict', detail: { causeCode: 'erp-write-failing' } })
    if (version === 14) return
    expect((await drive(erp, wanted)).end).toMatchObject({ kind: 'refused', cause: 'erp-write-failing' })
    // A replay by a person asks again.
    expect((await drive(erp, wanted)).operations).toEqual(['confirm'])
  })

  test('where the first key is refused the second is tried once, in the middle of the work and at the login', async () => {
    const { erp, admin } = await odoo({ version }, { nextPassword: 'key-2' })
    expect((await drive(erp, wantedOf({ skus }))).operations).toEqual(['create', 'confirm'])
    await admin('/credentials', { key: 'key-2' })
    await admin('/credentials', { expired: true, key: 'change-me' }, 'PUT')
    const wanted = wantedOf({ skus })
    // One attempt is one request, so what met the refusal ends, and the other key serves the next.
    expect(await failureOf(drive(erp, wanted))).toMatchObject({ code: 'unauthorized', detail: { credentialRenewed: true } })
    expect((await drive(erp, wanted)).operations).toEqual(['create', 'confirm'])
    expect((await erp.health(never)).problems).toEqual([expect.stringContaining('ODOO_PASSWORD_NEXT')])
    await admin('/credentials', { expired: true }, 'PUT')
    expect(await failureOf(erp.find('ML-1', never))).toMatchObject({ code: 'unauthorized' })
    // The first may be renewed under its old name: whichever is taken is used.
    await admin('/credentials', { expired: false, key: 'change-me' }, 'PUT')
    expect((await drive(erp, nextVersion(wanted, { fulfilment: 'shipped' }))).operations).toEqual(['note'])
    expect((await erp.health(never)).problems).toEqual([])
  })

  test('an expired key is unauthorized, and a renewed one works without a restart', async () => {
    const { erp, admin } = await odoo({ version })
    await erp.find('ML-1', never)
    await admin('/credentials', { expired: true }, 'PUT')
    expect(await failureOf(erp.find('ML-1', never))).toMatchObject({ code: 'unauthorized' })
    expect(await failureOf(look(erp, wantedOf({ skus })))).toMatchObject({ code: 'unauthorized' })
    await admin('/credentials', { expired: false }, 'PUT')
    expect(await erp.find('ML-1', never)).toEqual([])
  })

  test.each([
    [{ fault: 'status', status: 503 }, 'unavailable'],
    [{ fault: 'status', status: 502 }, 'unavailable'],
    [{ fault: 'status', status: 429, retryAfter: '7' }, 'rate-limited'],
    [{ fault: 'reset' }, 'no-answer'],
    [{ fault: 'accept-then-reset' }, 'no-answer'],
    [{ fault: 'hang' }, 'no-answer'],
    [{ fault: 'empty' }, 'malformed-response'],
    [{ fault: 'truncate' }, 'malformed-response'],
    [{ fault: 'html' }, 'malformed-response'],
  ])('an answer that %j is %s, and a second try leaves one order', async (fault, code) => {
    const { erp, admin } = await odoo({ version }, { writeTimeoutMs: 500 })
    const wanted = wantedOf({ skus })
    await admin('/faults', [{ match: { path: '^sale\\.order\\.load$' }, times: 1, ...fault }], 'PUT')
    const failure = await failureOf(drive(erp, wanted))
    expect(failure).toMatchObject({
      code: expect.stringMatching(code === 'malformed-response' ? /^(malformed-response|no-answer|unavailable)$/ : code),
    })
    expect((await drive(erp, wanted)).end.kind).toBe('done')
    const found = await erp.find(wanted.reference, never)
    expect(found).toHaveLength(1)
  })
})

describe('orders that are hard to read', () => {
  test('routing fields, team, tags and pricelist are told', async () => {
    const { erp, admin } = await odoo({ version: 14 }, { routingFields: ['team_id', 'client_order_ref', 'no_such_field'] })
    const { orders } = (await admin('/orders', {
      ...order(),
      team: 'Web',
      tags: ['express'],
      client_order_ref: 'X1',
      partner: 'Camila Rojas',
    })) as {
      orders: { id: number }[]
    }
    const batch = await erp.readOrders([String(orders[0]?.id)], never)
    expect(batch.orders[0]?.fragment.erp).toMatchObject({
      team: 'Web',
      tags: ['express'],
      pricelist: 'Tarifa pública',
      fields: { team_id: 'Web', client_order_ref: 'X1' },
    })
    expect(batch.orders[0]?.personal).toMatchObject({ buyerName: 'Camila Rojas', email: 'camila.rojas@example.com', address: 'Santiago' })
  })

  test('hundreds of orders come whole, and the window tells each once', async () => {
    const { erp, admin } = await odoo({ version: 19 })
    const from = new Date(Date.parse(await erp.serverTime(never)) - 2_000).toISOString()
    await admin('/orders', { ...order(), client_order_ref: 'BULK', count: 450, state: 'sale' })
    const to = new Date(Date.parse(from) + 120_000).toISOString()
    const changed = await erp.changedOrders(from, to, never)
    expect(new Set(changed.map((c) => c.erpId)).size).toBe(450)
    expect(changed).toHaveLength(450)
    const batch = await erp.readOrders(
      changed.slice(0, 200).map((c) => c.erpId),
      never,
    )
    expect(batch.orders).toHaveLength(200)
    expect(new Map(batch.orders.map((o) => [o.fragment.externalId, o.fragment.version]))).toEqual(
      new Map(changed.slice(0, 200).map((c) => [c.erpId, c.version])),
    )
    expect(await erp.orderVersionsSince(from, never)).toHaveLength(450)
  })

  test('two copies under one reference, made before the external id, wait for a person', async () => {
    const { erp, admin } = await odoo({ version: 19 })
    const orderKey = newKey()
    for (const _ of [1, 2]) await admin('/orders', { ...order(), origin: 'mercadolibre:1001', client_order_ref: orderKey })
    expect((await drive(erp, wantedOf({ skus }, { orderKey }))).end).toMatchObject({ kind: 'refused', cause: 'duplicated-at-target' })
  })

  test('a SKU that appears between the look-up and the send is read again', async () => {
    const { erp, admin } = await odoo({ version: 19 })
    const sku = `NEW-${newKey()}`
    const wanted = wantedOf({ skus }, { lines: [{ lineId: 'l1', sku, quantity: '1', unitPriceMinor: 75_970 }] })
    const shown = await look(erp, wanted)
    await admin('/products', { default_code: sku, name: sku, price: 100 })
    expect(await failureOf(erp.send(wanted, 'create', shown, newKey(), never))).toMatchObject({ code: 'conflict' })
    expect((await drive(erp, nextVersion(wanted, {}))).end.kind).toBe('done')
  })
})
