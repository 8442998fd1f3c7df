import { IntegrationError, type IntegrationErrorCode } from '../../../src/core/integration-error.ts'
import type { MemoryMarketplace, MemoryOrder } from '../../../src/drivers/memory/marketplace.ts'
import type { AttemptLog } from '../../../src/ports/attempt-log.ts'
import type { Erp } from '../../../src/ports/erp.ts'
import type { Marketplace } from '../../../src/ports/marketplace.ts'
import type { Sent, Target } from '../../../src/ports/target.ts'
import { TIMING } from './channels.ts'
import type { Life } from './life.ts'
import type { World } from './world.ts'

/** What a request meets. `late`: no answer, and its effect comes some time after. `stale`: a read of what was there a change ago. */
export type Fate = 'answer-lost' | 'answer-spoilt' | 'late' | 'stale' | IntegrationErrorCode

/** Faults that wait for the next requests of a channel, first in first out. */
export class Fates {
  #waiting = new Map<string, Fate[]>()

  add(channel: string, on: 'send' | 'read', fates: readonly Fate[]): void {
    this.#waiting.set(`${channel} ${on}`, [...(this.#waiting.get(`${channel} ${on}`) ?? []), ...fates])
  }

  next(channel: string, on: 'send' | 'read'): Fate | undefined {
    return this.#waiting.get(`${channel} ${on}`)?.shift()
  }

  clear(): void {
    this.#waiting.clear()
  }
}

/** A send that left and did not take effect yet. It does before timeout and settle window are over, whatever became of its sender. */
export interface InTheAir {
  label: string
  leftAtMs: number
  byMs: number
  land(): Promise<Sent>
}

/** A marketplace as one life of a node reaches it. */
export function marketplaceOf(life: Life, market: MemoryMarketplace): Marketplace {
  const { channel } = market
  return {
    ...market,
    ...targetOf(life, market, channel),
    fetchOrder: (resource, log, signal) =>
      market.fetchOrder(resource, inTurn(life, channel, `${channel} fetch ${resource}`, log, pastOf(life.world, market, resource)), signal),
    listChanged: (...given) => read(life, channel, `${channel} sweep`, () => market.listChanged(...given)),
    missedEvents: (signal) => read(life, channel, `${channel} missed feed`, () => market.missedEvents(signal)),
  }
}

/** The ERP as one life of a node reaches it. */
export function erpOf(life: Life, erp: Erp): Erp {
  return {
    ...erp,
    ...targetOf(life, erp, 'odoo'),
    serverTime: (signal) => read(life, 'odoo', 'odoo time', () => erp.serverTime(signal)),
    changedOrders: (...given) => read(life, 'odoo', 'odoo changed orders', () => erp.changedOrders(...given)),
    orderVersionsSince: (...given) => read(life, 'odoo', 'odoo order versions', () => erp.orderVersionsSince(...given)),
    readOrders: (ids, signal) => read(life, 'odoo', `odoo read ${ids.join(',')}`, () => erp.readOrders(ids, signal)),
  }
}

function targetOf(life: Life, target: Target, channel: string): Pick<Target, 'lookUp' | 'next' | 'send'> {
  return {
    next: (wanted, shown) => target.next(wanted, shown),
    lookUp: (wanted, log, signal) => target.lookUp(wanted, inTurn(life, channel, `${channel} look-up ${wanted.reference}`, log), signal),
    send: (...given) => {
      const [wanted, operation] = given
      return send(life, channel, `${channel} ${operation} ${wanted.reference} v${wanted.version}`, () => target.send(...given))
    },
  }
}

/** The request itself in its turn; its intent and its end, which are port calls of their own, before and after. */
function inTurn(
  life: Life,
  channel: string,
  label: string,
  log: AttemptLog,
  past: <T>(run: () => Promise<T>) => Promise<T> = (run) => run(),
): AttemptLog {
  return {
    read: (operation, call) => log.read(operation, (requestId) => read(life, channel, label, () => call(requestId), past)),
  }
}

function read<T>(
  life: Life,
  channel: string,
  label: string,
  run: () => Promise<T>,
  past: <R>(run: () => Promise<R>) => Promise<R> = (now) => now(),
): Promise<T> {
  return life.call(label, () => {
    proveNoTransaction(life, label)
    const fate = life.world.fates.next(channel, 'read')
    if (fate) life.world.trace.push(`  meets ${fate}`)
    return fate === 'stale' ? past(run) : meet(fate === 'late' ? 'no-answer' : fate, run)
  })
}

function send(life: Life, channel: string, label: string, run: () => Promise<Sent>): Promise<Sent> {
  const { world } = life
  const leftAtMs = world.nowMs()
  const request: InTheAir = { label, leftAtMs, byMs: leftAtMs + TIMING.timeoutMs + TIMING.settleMs - 1_000, land: run }
  world.inTheAir.add(request)
  return life.call(label, () => {
    proveNoTransaction(life, label)
    if (!world.inTheAir.has(request)) throw new IntegrationError('no-answer', { summary: 'it took effect after its caller gave up' })
    const fate = world.fates.next(channel, 'send')
    if (fate) world.trace.push(`  meets ${fate}`)
    // It stays in the air, and lands when time goes by.
    if (fate === 'late' || world.nowMs() > leftAtMs + TIMING.timeoutMs)
      throw new IntegrationError('no-answer', { summary: 'no answer in time' })
    world.inTheAir.delete(request)
    return meet(fate === 'stale' ? undefined : fate, run)
  })
}

async function meet<T>(fate: Fate | undefined, run: () => Promise<T>): Promise<T> {
  if (fate === undefined || fate === 'stale') return run()
  if (fate === 'answer-lost' || fate === 'answer-spoilt') {
    await run()
    throw new IntegrationError(fate === 'answer-lost' ? 'no-answer' : 'malformed-response', { summary: 'its answer did not come through' })
  }
  const code = fate === 'late' ? 'no-answer' : fate
  throw new IntegrationError(code, { summary: `met ${code}`, ...(code === 'rate-limited' ? { retryAfterMs: 120_000 } : {}) })
}

function proveNoTransaction(life: Life, label: string): void {
  if (life.inTransaction) life.world.breach(`I8: ${life.name} holds a connection while it calls ${label}`)
}

/** Runs a read over the order as it stood one change ago, as a replica that lags shows it. */
function pastOf(world: World, market: MemoryMarketplace, resource: string): <T>(run: () => Promise<T>) => Promise<T> {
  const id = resource.split('/').at(-1) ?? ''
  return async (run) => {
    const now = market.orders.get(id)
    const past = world.pastOf(market.channel, id)
    if (!now || !past) return run()
    market.orders.set(id, past)
    try {
      return await run()
    } finally {
      market.orders.set(id, now)
    }
  }
}

/** Every state that an order of a marketplace ever had, newest last. */
export class Past {
  #states = new Map<string, MemoryOrder[]>()

  remember({ channel, orders }: MemoryMarketplace): void {
    for (const order of orders.values()) {
      const states = this.#states.get(`${channel} ${order.id}`) ?? []
      if (states.at(-1)?.version !== order.version) this.#states.set(`${channel} ${order.id}`, [...states, order])
    }
  }

  of(channel: string, id: string): MemoryOrder | undefined {
    return this.#states.get(`${channel} ${id}`)?.at(-2)
  }
}
