import { subscribe } from 'node:diagnostics_channel'
import type { ServerResponse } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import type { Hub } from '../../src/assembly.ts'
import { type InboundEvent, SWEEP_TOPIC } from '../../src/core/inbound-event.ts'
import type { Pool, PoolClient } from '../../src/drivers/postgres/pool.ts'
import type { Marketplace } from '../../src/ports/marketplace.ts'
import type { Outbox } from '../../src/ports/outbox.ts'
import type { Target, Wanted } from '../../src/ports/target.ts'
import type { Failpoints } from './failpoints.ts'
import { knownTransactions } from './watched-calls.ts'

/** How long a request has been under way when the point between sending and the answer comes; sooner only where the answer does. The hub has not seen it. */
const UNDER_WAY_MS = 30

const MOST_CONNECTIONS = 4

/** Fewer connections than in production: each costs the server a process with empty caches, and a scenario has a dozen orders. */
export function fewConnections(pool: Pool): Pool {
  pool.options.max = Math.min(pool.options.max, MOST_CONNECTIONS)
  return pool
}

/** A pool whose transactions pass a failpoint between their last statement and COMMIT. */
export function watchedPool(pool: Pool, points: Failpoints): Pool {
  return new Proxy(knownTransactions(fewConnections(pool)), {
    get(target, name) {
      if (name === 'connect') return async () => watchedClient(await target.connect(), points)
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function watchedClient(client: PoolClient, points: Failpoints): PoolClient {
  return new Proxy(client, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      if (name !== 'query') return value.bind(target)
      return (...given: unknown[]): unknown => {
        const before = pointBefore(given[0], points)
        return before ? before.then(() => Reflect.apply(value, target, given)) : Reflect.apply(value, target, given)
      }
    },
  })
}

/** A point between two statements: before a COMMIT, and before a token pair that was just granted is saved. */
function pointBefore(statement: unknown, points: Failpoints): Promise<void> | undefined {
  if (statement === 'COMMIT') return points.beforeCommit()
  const savesTokens = typeof statement === 'string' && /UPDATE credential SET[^;]*access_token/.test(statement)
  return savesTokens ? points.hit('token-save', 'mercadolibre', 'a refresh that sends wait for') : undefined
}

/** The hub with its ports wrapped; the apps that run on it are the real ones. */
export function withFailpoints(hub: Hub, points: Failpoints): Hub {
  const marketplaces = hub.marketplaces.map((marketplace) => watchedMarketplace(marketplace, points))
  const byChannel = new Map(marketplaces.map((marketplace) => [marketplace.channel, marketplace]))
  return {
    ...hub,
    marketplaces,
    outbox: watchedOutbox(hub.outbox, points),
    targetOf: (channel) => watchedTarget(byChannel.get(channel) ?? hub.targetOf(channel), channel, points),
    inbox: watchedInbox(hub, points),
    claims: watchedClaims(hub, points),
    store: watchedStore(hub, points),
    reconcile: watchedReconcile(hub, points),
  }
}

/** Hits `after-200` in a process that answers webhooks, once the answer to an event of an order has gone. */
export function watchAnswers(hub: Hub, points: Failpoints): Hub {
  const stored = new Map<string, InboundEvent & { channel: string }>()
  const answers = new WeakMap<ServerResponse, string>()
  subscribe('http.server.response.created', (message) => {
    const { response } = message as { response: ServerResponse }
    const end = response.end.bind(response)
    response.end = ((...given: Parameters<typeof end>) => {
      if (typeof given[0] === 'string') answers.set(response, given[0])
      return end(...given)
    }) as typeof response.end
  })
  subscribe('http.server.response.finish', (message) => {
    const { response } = message as { response: ServerResponse }
    const event = response.statusCode === 200 ? stored.get(eventIdIn(answers.get(response) ?? '')) : undefined
    if (event) void points.hit('after-200', event.channel, event.resource)
  })
  const { inbox } = hub
  return {
    ...hub,
    inbox: {
      ...inbox,
      async record(request, verdict, events) {
        const receipts = await inbox.record(request, verdict, events)
        for (const [at, event] of events.entries()) {
          const eventId = receipts[at]?.eventId
          if (eventId && event.ignore === null) stored.set(eventId, event)
        }
        return receipts
      },
    },
  }
}

function eventIdIn(answer: string): string {
  try {
    return String((JSON.parse(answer) as { event_id?: unknown }).event_id)
  } catch {
    return ''
  }
}

const orderOf = (wanted: Wanted): string | null => (wanted.desired.kind === 'order' ? wanted.reference : null)

function watchedOutbox<T extends Outbox>(outbox: T, points: Failpoints): T {
  return {
    ...outbox,
    async claim(channel: string, limit: number) {
      const claims = await outbox.claim(channel, limit)
      const held = claims.flatMap((claim) => orderOf(claim.wanted) ?? [])
      if (held.length > 0) await points.hit('after-claim', channel, held.join(' '))
      return claims
    },
    async intend(claim, operation) {
      const order = orderOf(claim.wanted)
      const { channel } = claim.wanted
      if (!order) return outbox.intend(claim, operation)
      await points.hit('before-intent', channel, order)
      const intent = await outbox.intend(claim, operation)
      if (intent.kind === 'intended') await points.hit('after-intent', channel, order)
      return intent
    },
    async finish(claim, finish) {
      const order = orderOf(claim.wanted)
      if (!order || !finish.attempt) return outbox.finish(claim, finish)
      const { channel } = claim.wanted
      await points.hit('after-response-before-finish', channel, order)
      const point = finish.settlement.state === 'dead' ? 'dead-letter' : 'mid-finish'
      const finished = await points.within({ point, channel, inFlight: order }, () => outbox.finish(claim, finish))
      await points.hit('after-finish', channel, order)
      return finished
    },
  } satisfies Outbox & T
}

function watchedTarget(target: Target, channel: string, points: Failpoints): Target {
  return {
    looksFirst: target.looksFirst,
    lookUp: (wanted, log, signal) => target.lookUp(wanted, log, signal),
    next: (wanted, shown) => target.next(wanted, shown),
    async send(wanted, ...rest) {
      const order = orderOf(wanted)
      if (!order) return target.send(wanted, ...rest)
      await points.hit('before-send', channel, order)
      const sending = target.send(wanted, ...rest)
      const answered = sending.then(
        () => {},
        () => {},
      )
      await Promise.race([answered, wait(UNDER_WAY_MS)])
      await points.hit('after-send-before-response', channel, order)
      return sending
    },
  }
}

function watchedMarketplace(marketplace: Marketplace, points: Failpoints): Marketplace {
  return {
    ...marketplace,
    async fetchOrder(resource, log, signal) {
      const fetched = await marketplace.fetchOrder(resource, log, signal)
      await points.hit('after-fetch', marketplace.channel, fetched.orderKey)
      return fetched
    },
  }
}

function watchedInbox({ inbox }: Hub, points: Failpoints): Hub['inbox'] {
  return {
    ...inbox,
    async record(request, verdict, events) {
      const channel = request.channel ?? ''
      // What only tells of an item's stock is stored and ignored: no order is in flight.
      const about = events.flatMap((event) => (event.ignore === null ? event.resource : [])).join(' ')
      if (about === '') return inbox.record(request, verdict, events)
      if (request.path === SWEEP_TOPIC)
        return points.within({ point: 'mid-sweep', channel, inFlight: about }, () => inbox.record(request, verdict, events))
      await points.hit('before-transaction', channel, about)
      const receipts = await points.within({ point: 'inside-transaction', channel, inFlight: about }, () =>
        inbox.record(request, verdict, events),
      )
      await points.hit('after-commit-before-200', channel, about)
      return receipts
    },
  }
}

function watchedClaims({ claims }: Hub, points: Failpoints): Hub['claims'] {
  return {
    ...claims,
    async claim(channel, limit, leaseMs) {
      const claimed = await claims.claim(channel, limit, leaseMs)
      const held = claimed.map((claim) => claim.resource).join(' ')
      if (held !== '') await points.hit('after-event-claim', channel, held)
      return claimed
    },
  }
}

function watchedStore({ store }: Hub, points: Failpoints): Hub['store'] {
  return {
    ...store,
    applyEvent: (claim, ticket, fetched) =>
      points.within({ point: 'mid-apply', channel: claim.channel, inFlight: fetched.orderKey }, () =>
        store.applyEvent(claim, ticket, fetched),
      ),
    storeCollected(name, ticket, batch, cursor) {
      const read = batch.orders.map((order) => `odoo-${order.fragment.orderKey}`)
      const collect = () => store.storeCollected(name, ticket, batch, cursor)
      return read.length === 0 ? collect() : points.within({ point: 'mid-collect', channel: 'odoo', inFlight: read.join(' ') }, collect)
    },
  }
}

function watchedReconcile({ reconcile }: Hub, points: Failpoints): Hub['reconcile'] {
  return {
    ...reconcile,
    recordComparison: (comparable, shown, drifts) =>
      points.within({ point: 'mid-comparison', channel: comparable.wanted.channel, inFlight: comparable.wanted.reference }, () =>
        reconcile.recordComparison(comparable, shown, drifts),
      ),
  }
}
