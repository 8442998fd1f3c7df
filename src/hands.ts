/** A piece of work in hand, beside other work. */
export interface Held {
  /** It has ended. Twice is once. */
  leave(): void
  /** One more piece that was taken up with this one: it never waits, as this one is in hand already. */
  more(): Held
}

/**
 * What one process has in hand. Work is taken together with other work, or alone: then the process works on nothing else, so that what ends it
 * can be blamed on that one piece. Whoever waits to be alone goes first, and work that may take long is told to give way.
 */
export class Hands {
  #together = 0
  #alone = false
  #waiting = 0
  #giveWay = new AbortController()
  #changed = signalled()

  /** Takes up work beside other work, once nobody is alone or waits to be. */
  async join(): Promise<Held> {
    while (this.#alone || this.#waiting > 0) await this.#changed.promise
    return this.#held()
  }

  /** Runs work beside other work. Its signal aborts when somebody waits to be alone: long work breaks off and is done again. */
  async together<T>(work: (giveWay: AbortSignal) => Promise<T>): Promise<T> {
    const held = await this.join()
    try {
      return await work(this.#giveWay.signal)
    } finally {
      held.leave()
    }
  }

  /** Runs work while this process works on nothing else. Never from inside work that was taken together: it would wait for itself. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    this.#waiting += 1
    this.#giveWay.abort()
    while (this.#alone || this.#together > 0) await this.#changed.promise
    this.#waiting -= 1
    this.#alone = true
    try {
      return await work()
    } finally {
      this.#alone = false
      if (this.#waiting === 0) this.#giveWay = new AbortController()
      this.#tell()
    }
  }

  #held(): Held {
    this.#together += 1
    let left = false
    return {
      leave: () => {
        if (left) return
        left = true
        this.#together -= 1
        this.#tell()
      },
      more: () => this.#held(),
    }
  }

  #tell(): void {
    this.#changed.resolve()
    this.#changed = signalled()
  }
}

const signalled = (): PromiseWithResolvers<void> => Promise.withResolvers<void>()
