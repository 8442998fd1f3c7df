import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { foldOrder } from '../../src/core/fold.ts'
import { IntegrationError } from '../../src/core/integration-error.ts'
import { httpClient } from '../../src/drivers/http.ts'
import { authorizeUrl, exchangeCode, newPkce } from '../../src/drivers/mercadolibre/oauth.ts'
import type { Fetched } from '../../src/ports/marketplace.ts'
import type { Shown, Wanted } from '../../src/ports/target.ts'
import { aLog, aWanted, failureOf, nextVersion, oneMore, patient } from './marketplace-world.ts'
import { type MeliWorld, mercadolibreWorld, SELLER } from './mercadolibre-world.ts'

const ABSENT: Shown = { kind: 'absent' }
let world: MeliWorld

beforeAll(async () => {
  world = await mercadolibreWorld()
}, 60_000)
afterAll(() => world.close())
beforeEach(() => world.heal())

interface Bought {
  pack_id: number | null
  order_ids: number[]
  shipment_ids: number[]
}

const buy = (over: Record<string, unknown> = {}, skus: (string | null)[] = ['CUP', 'POT']): Promise<Bought> =>
  world.admin('POST', '/purchases', {
    seller: SELLER,
    items: skus.map((sku) => ({ sku, unit_price: 1_000 })),
    no_notify: true,
    ...over,
  }) as Promise<Bought>
const fetched = (resource: string): Promise<Fetched> => world.marketplace.fetchOrder(resource, aLog().log, patient())
const send = (wanted: Wanted, operation: 'create' | 'update' | 'cancel', shown: Shown) =>
  world.marketplace.send(wanted, operation, shown, crypto.randomUUID(), patient())
const tokenRequests = async () =>
  ((await world.admin('GET', '/state')) as { tokenRequests: { refresh_token: number; total: number } }).tokenRequests

describe('a sale', () => {
  test('of two items is one pack: either order, or their shipment, leads to all of it', async () => {
    const { pack_id, order_ids, shipment_ids } = await buy()
    const byFirst = await fetched(`/orders/${order_ids[0]}`)
    const key = String(pack_id)
    expect(byFirst.fragments.map((one) => [one.entity, one.externalId, one.orderKey])).toEqual([
      ['order', String(order_ids[0]), key],
      ['order', String(order_ids[1]), key],
      ['pack', key, key],
      ['shipment', String(shipment_ids[0]), key],
    ])
    const content = (one: Fetched) => ({ ...one, fragments: [...one.fragments].sort((a, b) => (a.externalId < b.externalId ? -1 : 1)) })
    expect(content(await fetched(`/orders/${order_ids[1]}`))).toEqual(content(byFirst))
    expect(content(await fetched(`/shipments/${shipment_ids[0]}`))).toEqual(content(byFirst))
    expect(byFirst.personal).toMatchObject({
      buyerName: expect.any(String),
      address: expect.stringContaining('Avenida Simulada') as string,
    })
  })

  test('folds into one order, paid, ready to ship, of both lines', async () => {
    const { order_ids } = await buy()
    const { fragments, orderKey } = await fetched(`/orders/${order_ids[0]}`)
    const observed = fragments.map((fragment) => ({ channel: 'ml', fragment, fetchNo: 1 }))
    const { order, illegal } = foldOrder('ml', orderKey, observed, () => true)
    expect(illegal).toEqual([])
    expect(order).toMatchObject({ payment: 'paid', lifecycle: 'open', fulfilment: 'ready_to_ship', totalMinor: 2_000, flags: [] })
    expect(order.lines.map((one) => [one.lineId, one.sku])).toEqual([
      [String(order_ids[0]), 'CUP'],
      [String(order_ids[1]), 'POT'],
    ])
  })

  test('gains a late sibling under the same key', async () => {
    const { pack_id, order_ids } = await buy()
    const sibling = (await world.admin('POST', `/packs/${pack_id}/add-order`, { sku: 'LATE', unit_price: 5, no_notify: true })) as {
      id: number
    }
    const ids = (await fetched(`/orders/${order_ids[0]}`)).fragments.filter((one) => one.entity === 'order').map((one) => one.externalId)
    expect(ids).toContain(String(sibling.id))
  })

  test('that gains a pack later moves to its key, and is still known by the order', async () => {
    const { order_ids } = await buy({}, ['CUP'])
    const before = await fetched(`/orders/${order_ids[0]}`)
    await world.admin('POST', `/orders/${order_ids[0]}/pack`, { no_notify: true })
    const after = await fetched(`/orders/${order_ids[0]}`)
    expect([before.orderKey, after.orderKey === before.orderKey]).toEqual([String(order_ids[0]), false])
    expect(after.fragments[0]?.identifiers).toContainEqual({ kind: 'marketplace-order', value: before.orderKey })
    expect(after.fragments.map((one) => one.orderKey)).toEqual(after.fragments.map(() => after.orderKey))
  })

  test('whose shipment does not exist yet, or that has none, is fetched all the same', async () => {
    for (const shipping of ['later', 'none']) {
      const { order_ids } = await buy({ shipping }, ['CUP'])
      expect((await fetched(`/orders/${order_ids[0]}`)).fragments.map((one) => one.entity)).toEqual(['order'])
    }
  })

  test('shipped by the marketplace itself is flagged', async () => {
    const { order_ids } = await buy({ shipping: { logistic_type: 'fulfillment' } }, ['CUP'])
    const { fragments } = await fetched(`/orders/${order_ids[0]}`)
    expect(fragments.find((one) => one.entity === 'shipment')?.flags).toEqual(['marketplace_fulfilled'])
  })

  test('answered in part (206) keeps what is known', async () => {
    const { order_ids } = await buy({}, ['CUP'])
    const whole = await fetched(`/orders/${order_ids[0]}`)
    await world.admin('PUT', '/partials', [{ missing: ['order_items', 'tags', 'buyer'], as: 'null', times: 1 }])
    const partial = await fetched(`/orders/${order_ids[0]}`)
    const fold = (all: Fetched[]) =>
      foldOrder(
        'ml',
        whole.orderKey,
        all.flatMap((one, fetchNo) => one.fragments.map((fragment) => ({ channel: 'ml', fragment, fetchNo }))),
        () => true,
      )
    expect(partial.fragments[0]?.lines).toBeUndefined()
    expect(fold([whole, partial])).toEqual(fold([whole]))
  })

  test('of another seller is refused, and the account goes on', async () => {
    await world.admin('POST', '/accounts', { user_id: 77 })
    const foreign = await buy({ seller: 77 }, ['CUP'])
    const failure = await failureOf(fetched(`/orders/${foreign.order_ids[0]}`))
    expect([failure.code, failure.detail.httpStatus]).toEqual(['rejected', 403])
  })
})

describe('an account on the real MercadoLibre', () => {
  test('never creates, changes, cancels or looks up an order by a reference', async () => {
    const before = (await world.ledger()).length
    const wanted = aWanted(world)
    expect(world.real.next(wanted, ABSENT)).toEqual({ kind: 'unsupported', operation: 'create' })
    expect(await world.real.lookUp(wanted, aLog().log, patient())).toEqual(ABSENT)
    for (const operation of ['create', 'update', 'cancel'] as const) {
      const bound = { ...wanted, externalId: '2000009047700001' }
      const failure = await failureOf(world.real.send(bound, operation, ABSENT, crypto.randomUUID(), patient()))
      expect([failure.code, failure.detail.causeCode]).toEqual(['unsupported', 'unsupported-by-target'])
    }
    expect((await world.ledger()).slice(before).filter((one) => one.kind === 'request')).toEqual([])
  })

  test('does not read the reference of an order', async () => {
    const wanted = aWanted(world)
    const { externalId } = await send(wanted, 'create', ABSENT)
    const values = async (marketplace: typeof world.real) =>
      (await marketplace.fetchOrder(`/orders/${externalId}`, aLog().log, patient())).fragments.flatMap((one) =>
        one.identifiers.map((id) => id.value),
      )
    expect(await values(world.marketplace)).toContain(wanted.reference)
    expect(await values(world.real)).not.toContain(wanted.reference)
  })
})

describe('an order that the hub sends', () => {
  test.for(['external-ref-unique', 'idempotent-key'])('twice is one order where the marketplace is %s', async (profile) => {
    await world.admin('PUT', '/profile', { profile })
    try {
      const wanted = aWanted(world)
      const first = await send(wanted, 'create', ABSENT)
      const again = await send({ ...wanted, version: 2 }, 'create', ABSENT)
      expect([again.externalId, await world.countOf(wanted.reference)]).toEqual([first.externalId, 1])
    } finally {
      await world.admin('PUT', '/profile', { profile: 'naive' })
    }
  })

  test('that takes effect after we gave up is found by a look-up', async () => {
    const wanted = aWanted(world)
    await world.admin('PUT', '/faults', [{ match: { method: 'POST', path: '^/orders$' }, fault: 'late', ms: 2_000, times: 1 }])
    expect((await failureOf(send(wanted, 'create', ABSENT))).code).toBe('no-answer')
    await expect.poll(async () => (await world.marketplace.lookUp(wanted, aLog().log, patient())).kind, { timeout: 15_000 }).toBe('found')
  })

  test('and that is there twice shows the first, and that there are more', async () => {
    const wanted = aWanted(world)
    const { externalId } = await send(wanted, 'create', ABSENT)
    await world.admin('POST', `/orders/${externalId}/duplicate`)
    const look = () => world.marketplace.lookUp(wanted, aLog().log, patient())
    await expect.poll(look).toMatchObject({ kind: 'found', externalId, content: { extra: { orders: 2 } } })
  })

  test('and that vanished is not created again by itself', async () => {
    const wanted = aWanted(world)
    const { externalId } = await send(wanted, 'create', ABSENT)
    await world.admin('POST', `/orders/${externalId}/delete`)
    const bound = { ...wanted, externalId, version: 2 }
    const shown = await world.marketplace.lookUp(bound, aLog().log, patient())
    expect(world.marketplace.next(bound, shown)).toMatchObject({ kind: 'refused', cause: 'delivered-then-missing' })
  })

  test('and that was cancelled there is neither updated nor revived', async () => {
    const wanted = aWanted(world)
    const { externalId } = await send(wanted, 'create', ABSENT)
    await world.cancel?.(String(externalId))
    const newer = nextVersion(wanted, externalId, oneMore(wanted.desired))
    const shown = await world.marketplace.lookUp(newer, aLog().log, patient())
    expect(world.marketplace.next(newer, shown)).toMatchObject({ kind: 'refused', cause: 'rejected-by-target' })
  })

  test('and that has shipped cannot be cancelled: a refusal, not a conflict to retry', async () => {
    const wanted = aWanted(world)
    const { externalId, shown } = await send(wanted, 'create', ABSENT)
    const { fragments } = await fetched(`/orders/${externalId}`)
    const shipment = fragments.find((one) => one.entity === 'shipment')?.externalId
    await world.admin('POST', `/shipments/${shipment}/status`, { status: 'shipped', no_notify: true })
    const cancelled = nextVersion(wanted, externalId, { lifecycle: 'cancelled' })
    const failure = await failureOf(send(cancelled, 'cancel', shown ?? ABSENT))
    expect([failure.code, failure.detail.causeCode]).toEqual(['rejected', 'rejected-by-target'])
  })

  test('is refused before any request when a price or the currency is missing', () => {
    const lines = [{ lineId: '1', sku: 'FREE', quantity: '1', unitPriceMinor: null }]
    expect(world.marketplace.next(aWanted(world, { order: { lines } }), ABSENT)).toMatchObject({
      kind: 'refused',
      cause: 'erp-order-invalid',
    })
    expect(world.marketplace.next(aWanted(world, { order: { currency: null } }), ABSENT)).toMatchObject({ kind: 'refused' })
  })
})

describe('the missed feed', () => {
  test('holds what never arrived, as the events that it would have been', async () => {
    await world.admin('PUT', '/callback', { url: 'http://127.0.0.1:1/webhooks/mercadolibre/secret' })
    await world.admin('PUT', '/settings', { retryScheduleMs: [], ackTimeoutMs: 50 })
    const { order_ids } = await buy({ no_notify: false }, ['CUP'])
    const missed = async () => {
      const reading = await world.marketplace.missedEvents(patient())
      return reading.kind === 'events' ? reading.events.map((one) => [one.channel, one.topic, one.orderKey]) : []
    }
    await expect.poll(missed, { timeout: 15_000 }).toContainEqual([world.marketplace.channel, 'orders_v2', String(order_ids[0])])
    await world.admin('PUT', '/callback', { url: null })
  })
})

describe('the access token', () => {
  test('that stopped working is renewed once for all callers, and their requests go on', async () => {
    const { order_ids } = await buy({}, ['CUP'])
    const before = (await tokenRequests()).total
    await world.admin('POST', '/revoke', { user_id: SELLER, what: 'access' })
    const all = await Promise.all(Array.from({ length: 30 }, () => fetchedWhenRenewed(`/orders/${order_ids[0]}`)))
    expect(all).toHaveLength(30)
    expect((await tokenRequests()).total - before).toBe(1)
    expect(world.credentials.reconnect).toBeNull()
  })

  test('of an account that took its permission back ends in a reconnection, which the dance of OAuth makes', async () => {
    const { order_ids } = await buy({}, ['CUP'])
    await world.admin('POST', '/revoke', { user_id: SELLER, what: 'all' })
    expect((await failureOf(fetched(`/orders/${order_ids[0]}`))).code).toBe('unauthorized')
    expect(world.credentials.reconnect).toContain('refused the refresh token')
    const { app, url } = world
    const { verifier, challenge } = newPkce()
    await world.admin('PUT', '/login', { user_id: SELLER })
    const page = await fetch(authorizeUrl(app, 'a state', challenge), { redirect: 'manual' })
    const target = new URL(page.headers.get('location') ?? '')
    expect(target.searchParams.get('state')).toBe('a state')
    const http = httpClient({ origin: url, timeoutMs: 2_000 })
    const code = target.searchParams.get('code') ?? ''
    const wrong = await failureOf(exchangeCode({ app, http }, { code, verifier: 'another' }))
    expect([wrong.code, wrong.detail.theirText]).toEqual(['rejected', expect.stringContaining('invalid_grant')])
    const granted = await exchangeCode({ app, http }, { code, verifier })
    expect(granted.userId).toBe(String(SELLER))
    await http.close()
    await world.reconnect(granted)
    expect((await fetchedWhenRenewed(`/orders/${order_ids[0]}`)).orderKey).toBe(String(order_ids[0]))
  })

  /** An attempt that meets a refusal ends with it; the next one goes out under the renewed token, as a flow makes it. */
  async function fetchedWhenRenewed(resource: string) {
    return fetched(resource).catch((error: unknown) => {
      if (error instanceof IntegrationError && error.detail.credentialRenewed) return fetched(resource)
      throw error
    })
  }
})
