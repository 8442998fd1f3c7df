import { setImmediate as turn } from 'node:timers/promises'
import { compareOrder } from '../../../src/core/drift.ts'
import type { DesiredOrder } from '../../../src/core/desired.ts'
import { IntegrationError, type IntegrationErrorCode } from '../../../src/core/integration-error.ts'
import type { MemoryFault } from '../../../src/drivers/memory/fault.ts'
import { memoryMarketplace, type MemoryMarketplace } from '../../../src/drivers/memory/marketplace.ts'
import { deliverOrder, type DeliverPorts } from '../../../src/flows/deliver-order.ts'
import type { Outbox } from '../../../src/ports/outbox.ts'
import { steadyRandom } from '../../support/flow-fixtures.ts'
import { CHANNEL, OutboxModel, REFERENCE, type Rule } from './outbox-model.ts'

/** What the next request of a worker meets. `late`: its answer is lost, and it takes effect only some time after. */
export type Fate = 'fine' | 'late' | IntegrationErrorCode | 'answer-lost'

interface Worker {
  /** Lets its next port call through. */
  release: ((fate: Fate) => void) | null
  running: boolean
}

interface Landing {
  byMs: number
  land(): Promise<unknown>
}

/**
 * One binding, two workers that run the real flow over the model of the outbox, and a marketplace that never dedupes. Every port call waits until
 * a command lets it through.
 */
export class DeliveryWorld {
  readonly model: OutboxModel
  readonly market: MemoryMarketplace = memoryMarketplace(CHANNEL.id)
  readonly endings: unknown[] = []
  #workers: Worker[] = [idle(), idle()]
  #landings: Landing[] = []

  constructor(without: Rule | null = null) {
    this.model = new OutboxModel(without)
  }

  busy = (at: number): boolean => this.#workers[at]?.running ?? false

  async claim(at: number): Promise<void> {
    const claim = this.model.claim()
    if (!claim) return
    const mine: Worker = { release: null, running: true }
    this.#workers[at] = mine
    const flow = deliverOrder(claim, this.#portsOf(mine), new AbortController().signal)
    flow.then(
      (ending) => this.#ended(mine, ending),
      (error: unknown) => this.#ended(mine, error),
    )
    await turn()
  }

  async step(at: number, fate: Fate): Promise<void> {
    const { release } = this.#workers[at] ?? idle()
    release?.(fate)
    await turn()
  }

  /** It never comes back: whatever it waited for is dropped. */
  crash(at: number): void {
    this.#workers[at] = idle()
  }

  /** Requests under way land before their time is up: at the latest when timeout and settle window are over. */
  async pass(ms: number): Promise<void> {
    const until = this.model.nowMs + ms
    for (const landing of this.#landings.filter((one) => one.byMs <= until)) await landing.land()
    this.#landings = this.#landings.filter((one) => one.byMs > until)
    this.model.nowMs = until
  }

  /** Faults are over, nobody crashes any more, time goes by: the newest version must come to rest. */
  async drain(): Promise<void> {
    for (let round = 0; round < 60; round++) {
      for (const at of [0, 1]) {
        if (!this.busy(at)) await this.claim(at)
        for (let calls = 0; this.busy(at) && calls < 40; calls++) await this.step(at, 'fine')
      }
      this.model.replay()
      await this.pass(3_600_000)
    }
  }

  /** What no command may ever break. */
  prove(): void {
    const created = [...this.market.orders.values()].filter((order) => order.reference === REFERENCE)
    if (created.length > 1) throw new Error(`${REFERENCE} was created ${created.length} times`)
    for (const state of ['pending', 'ambiguous'] as const)
      if (this.model.rows.filter((row) => row.state === state).length > 1) throw new Error(`two versions are ${state}`)
    const bug = this.endings.find((ending) => ending instanceof Error)
    if (bug) throw bug as Error
  }

  shows(desired: DesiredOrder): boolean {
    const there = [...this.market.orders.values()].find((order) => order.reference === REFERENCE)
    const shown = there && { ...there, lifecycle: there.cancelled ? ('cancelled' as const) : ('open' as const) }
    return compareOrder(desired, shown ?? null).length === 0
  }

  #ended(worker: Worker, ending: unknown): void {
    worker.running = false
    this.endings.push(ending)
  }

  #portsOf(mine: Worker): DeliverPorts {
    const through = (): Promise<Fate> => new Promise((resolve) => (mine.release = resolve))
    const { outbox } = this.model
    const gated: Outbox = {
      ...outbox,
      // Its worker may be frozen on either side of the commit.
      intend: async (claim, operation) => {
        await through()
        const intent = await outbox.intend(claim, operation)
        await through()
        return intent
      },
      intendLookUp: (claim, operation) => through().then(() => outbox.intendLookUp(claim, operation)),
      finish: async (claim, finish) => {
        await through()
        const finished = await outbox.finish(claim, finish)
        const { settlement } = finish
        if (finished === 'finished' && settlement.state === 'delivered' && !this.shows(claim.wanted.desired as DesiredOrder))
          this.endings.push(new Error(`version ${claim.wanted.version} is called delivered (${settlement.reason}) and is not there`))
        return finished
      },
    }
    const elapsed = (): (() => number) => {
      const began = this.model.nowMs
      return () => (this.model.without === 'stopwatch' ? 0 : this.model.nowMs - began)
    }
    const clock = { stopwatch: elapsed, wait: () => Promise.resolve() }
    // The memory marketplace tells nothing with its answers.
    const store = { applyTold: () => Promise.reject(new Error('nothing was told')) }
    return { outbox: gated, target: this.#targetOf(through), channel: CHANNEL, store, clock, random: steadyRandom, backoffScale: 1 }
  }

  #targetOf(through: () => Promise<Fate>): DeliverPorts['target'] {
    const { market } = this
    return {
      ...market,
      lookUp: (wanted, log, signal) =>
        log.read('look up', async (requestId) => {
          const fate = await through()
          if (fate !== 'fine' && fate !== 'late') throw new IntegrationError(fate === 'answer-lost' ? 'no-answer' : fate)
          return market.lookUp(wanted, { read: (_operation, call) => call(requestId) }, signal)
        }),
      send: async (wanted, operation, shown, requestId, signal) => {
        const leftAt = this.model.nowMs
        const fate = await through()
        const send = () => market.send(wanted, operation, shown, requestId, signal)
        const inTime = this.model.nowMs <= leftAt + CHANNEL.timing.timeoutMs
        if (fate !== 'late' && inTime) return this.#sendUnder(fate, send)
        const { timeoutMs, settleMs } = CHANNEL.timing
        const landing = { byMs: leftAt + timeoutMs + settleMs - 1, land: send }
        if (landing.byMs <= this.model.nowMs) throw new IntegrationError('no-answer', { summary: 'it never left the stalled worker' })
        this.#landings.push(landing)
        throw new IntegrationError('no-answer', { summary: 'accepted late' })
      },
    }
  }

  #sendUnder<T>(fate: MemoryFault | 'fine', send: () => Promise<T>): Promise<T> {
    if (fate !== 'fine') this.market.faults.push(fate)
    return send()
  }
}

const idle = (): Worker => ({ release: null, running: false })
