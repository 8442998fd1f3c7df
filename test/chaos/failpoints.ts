import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { subscribe } from 'node:diagnostics_channel'
import type { Hub } from '../../src/assembly.ts'
import type { Pool, PoolClient } from '../../src/drivers/postgres/pool.ts'
import type { Marketplace } from '../../src/ports/marketplace.ts'
import type { Outbox } from '../../src/ports/outbox.ts'
import type { Target, Wanted } from '../../src/ports/target.ts'

/** Where a node can be killed, in the order of its journey. */
export const WORKER_POINTS = [
  'mid-collect',
  'after-claim',
  'after-intent',
  'before-send',
  'after-send-before-response',
  'after-response-before-finish',
  'after-finish',
  'dead-letter',
] as const
export const RECEIVER_POINTS = ['before-transaction', 'inside-transaction', 'after-commit-before-200', 'after-200'] as const
export const SUBSCRIBER_POINTS = ['after-fetch', 'mid-apply'] as const
export type Failpoint = (typeof WORKER_POINTS)[number] | (typeof RECEIVER_POINTS)[number] | (typeof SUBSCRIBER_POINTS)[number]

export interface KillPlan {
  point: Failpoint
  /** Killed at this hit of the point. */
  nth: number
  /** Marketplace or `odoo`; only its hits count. Null: any. */
  system: string | null
  /** File that says what was in hand, written before the kill. */
  record: string
}

/** What the file of a kill says. */
export interface KillRecord {
  point: Failpoint
  nth: number
  inFlight: string
}

export interface Failpoints {
  /** Ends this process at once when it is the hit that was planned. */
  hit(point: Failpoint, channel: string, inFlight: string): void
}

export function failpoints(plan: KillPlan | null): Failpoints {
  let hits = 0
  return {
    hit(point, channel, inFlight) {
      if (plan?.point !== point || (plan.system !== null && channel.split(':')[0] !== plan.system)) return
      hits += 1
      if (hits === plan.nth) die(plan, inFlight)
    },
  }
}

function die({ point, nth, record }: KillPlan, inFlight: string): void {
  const file = openSync(record, 'w')
  writeSync(file, JSON.stringify({ point, nth, inFlight } satisfies KillRecord))
  fsyncSync(file)
  closeSync(file)
  process.kill(process.pid, 'SIGKILL')
  // Not one instruction more: the signal may take a moment.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

/** How long a request has been under way when a node is killed between sending and the answer; simulators answer later than this. */
const UNDER_WAY_MS = 30

/** What a transaction that is under way is about; hit just before its COMMIT. */
export interface Watch {
  about: { point: Failpoint; channel: string; inFlight: string } | null
}

/** A pool whose transactions pass a failpoint between their last statement and COMMIT. */
export function watchedPool(pool: Pool, watch: Watch, points: Failpoints): Pool {
  return new Proxy(pool, {
    get(target, name) {
      if (name === 'connect') return async () => watchedClient(await target.connect(), watch, points)
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function watchedClient(client: PoolClient, watch: Watch, points: Failpoints): PoolClient {
  return new Proxy(client, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      if (name !== 'query') return value.bind(target)
      return (...given: unknown[]): unknown => {
        if (given[0] === 'COMMIT' && watch.about) points.hit(watch.about.point, watch.about.channel, watch.about.inFlight)
        return Reflect.apply(value, target, given)
      }
    },
  })
}

/** The hub with its ports wrapped; the apps that run on it are the real ones. */
export function withFailpoints(hub: Hub, watch: Watch, points: Failpoints): Hub {
  const marketplaces = hub.marketplaces.map((marketplace) => watchedMarketplace(marketplace, points))
  subscribe('http.server.response.finish', (message) => {
    const { response, request } = message as { response: { statusCode: number }; request: { url: string } }
    if (response.statusCode === 200 && request.url.startsWith('/webhooks/'))
      points.hit('after-200', request.url.split('/')[2] ?? '', 'the webhook just answered')
  })
  return {
    ...hub,
    marketplaces,
    outbox: watchedOutbox(hub.outbox, watch, points),
    targetOf: (channel) => watchedTarget(hub.targetOf(channel), channel, points),
    inbox: watchedInbox(hub, watch, points),
    store: watchedStore(hub, watch),
  }
}

const orderOf = (wanted: Wanted): string | null => (wanted.desired.kind === 'order' ? wanted.reference : null)

function watchedOutbox<T extends Outbox>(outbox: T, watch: Watch, points: Failpoints): T {
  return {
    ...outbox,
    async claim(channel: string, limit: number) {
      const claims = await outbox.claim(channel, limit)
      const held = claims.flatMap((claim) => orderOf(claim.wanted) ?? [])
      if (held.length > 0) points.hit('after-claim', channel, held.join(' '))
      return claims
    },
    async intend(claim, operation) {
      const intent = await outbox.intend(claim, operation)
      const order = orderOf(claim.wanted)
      if (order && intent.kind === 'intended') points.hit('after-intent', claim.wanted.channel, order)
      return intent
    },
    async finish(claim, finish) {
      const order = orderOf(claim.wanted)
      if (!order || !finish.attempt) return outbox.finish(claim, finish)
      const { channel } = claim.wanted
      points.hit('after-response-before-finish', channel, order)
      if (finish.settlement.state === 'dead') watch.about = { point: 'dead-letter', channel, inFlight: order }
      const finished = await outbox.finish(claim, finish)
      points.hit('after-finish', channel, order)
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
      points.hit('before-send', channel, order)
      const under = setTimeout(() => points.hit('after-send-before-response', channel, order), UNDER_WAY_MS)
      try {
        return await target.send(wanted, ...rest)
      } finally {
        clearTimeout(under)
      }
    },
  }
}

function watchedMarketplace(marketplace: Marketplace, points: Failpoints): Marketplace {
  return {
    ...marketplace,
    async fetchOrder(resource, log, signal) {
      const fetched = await marketplace.fetchOrder(resource, log, signal)
      points.hit('after-fetch', marketplace.channel, fetched.orderKey)
      return fetched
    },
  }
}

function watchedInbox({ inbox }: Hub, watch: Watch, points: Failpoints): Hub['inbox'] {
  return {
    ...inbox,
    async record(request, verdict, events) {
      const channel = request.channel ?? ''
      const about = events.map((event) => event.resource).join(' ')
      if (about === '') return inbox.record(request, verdict, events)
      points.hit('before-transaction', channel, about)
      watch.about = { point: 'inside-transaction', channel, inFlight: about }
      const receipts = await inbox.record(request, verdict, events)
      points.hit('after-commit-before-200', channel, about)
      return receipts
    },
  }
}

function watchedStore({ store }: Hub, watch: Watch): Hub['store'] {
  return {
    ...store,
    async applyEvent(claim, ticket, fetched) {
      watch.about = { point: 'mid-apply', channel: claim.channel, inFlight: fetched.orderKey }
      return store.applyEvent(claim, ticket, fetched)
    },
    async storeCollected(name, ticket, batch, cursor) {
      const read = batch.orders.map((order) => `odoo-${order.fragment.orderKey}`)
      watch.about = read.length > 0 ? { point: 'mid-collect', channel: 'odoo', inFlight: read.join(' ') } : null
      return store.storeCollected(name, ticket, batch, cursor)
    },
  }
}
