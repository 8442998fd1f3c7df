import { setImmediate as turnOfTheLoop } from 'node:timers/promises'
import type { Scheduler } from 'fast-check'

/**
 * Every port call takes its turn: it waits until the scheduler picks it, and while it is under way no other one is picked. So a schedule is the
 * order in which calls were picked, and the same seed picks the same ones.
 */
export class Turns {
  #scheduler: Scheduler
  #underWay = 0
  #idle: (() => void)[] = []

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler
  }

  get waiting(): number {
    return this.#scheduler.count()
  }

  async take<T>(label: string, call: () => Promise<T>): Promise<T> {
    await this.#scheduler.schedule(Promise.resolve(), label)
    this.#underWay += 1
    try {
      return await call()
    } finally {
      this.#underWay -= 1
      if (this.#underWay === 0) for (const resolve of this.#idle.splice(0)) resolve()
    }
  }

  /** Lets so many calls through, one after the other; fewer when nothing waits any more. */
  async give(count: number, after: () => void): Promise<void> {
    for (let given = 0; given < count; given++) {
      await this.#quiet()
      if (this.waiting === 0) return
      await this.#scheduler.waitNext(1)
      await this.#quiet()
      after()
    }
  }

  /** Until nothing is under way and whoever went on has asked for its next turn. */
  async #quiet(): Promise<void> {
    for (;;) {
      await turnOfTheLoop()
      if (this.#underWay === 0) return
      await new Promise<void>((resolve) => this.#idle.push(resolve))
    }
  }
}
