import type { Clock } from './ports/clock.ts'

export interface Log {
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
  error(fields: Record<string, unknown>, message: string): void
}

/** Something that ends a wait early: a message on the bus, a finished slot. Wakes are never lost while nobody waits. */
export class Wake {
  #woken = false
  #resolve: (() => void) | null = null
  readonly wake = (): void => {
    this.#woken = true
    this.#resolve?.()
  }

  /** Resolves on a wake (also one that came before), after `ms`, or when the signal aborts. */
  async wait(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
    if (!this.#woken && !signal.aborted) {
      const stop = new AbortController()
      const woken = new Promise<void>((resolve) => {
        this.#resolve = resolve
      })
      await Promise.race([woken, clock.wait(ms, AbortSignal.any([signal, stop.signal]))])
      stop.abort()
      this.#resolve = null
    }
    this.#woken = false
  }
}

export interface Loop {
  name: string
  clock: Clock
  log: Log
  wake: Wake
  /** Longest wait between two rounds, milliseconds. */
  everyMs: number
  signal: AbortSignal
}

const LONGEST_PAUSE_MS = 30_000

/**
 * Runs `round` again and again until the signal aborts. A failure never ends the loop: it is logged once, with its cause, and the next
 * round waits a little longer. A round that answers `again` is followed at once.
 */
export async function supervise(loop: Loop, round: () => Promise<'again' | 'idle'>): Promise<void> {
  let failures = 0
  while (!loop.signal.aborted) {
    let next: 'again' | 'idle' = 'idle'
    try {
      next = await round()
      failures = 0
    } catch (error) {
      if (loop.signal.aborted) return
      failures += 1
      loop.log.error({ loop: loop.name, failures, err: error }, 'a round of a loop failed; it goes on')
    }
    if (next === 'again') continue
    await loop.wake.wait(failures === 0 ? loop.everyMs : Math.min(LONGEST_PAUSE_MS, 200 * 2 ** failures), loop.clock, loop.signal)
  }
}
