import { isTransient, isWaitOver } from '../../src/drivers/postgres/sqlstate.ts'

/** A connection that a restart broke may be found broken only when it is used. */
const BROKEN_FOR_MS = 2_000

export interface Restarts {
  readonly count: number
  /** Pieces of work that a restart cut short. */
  readonly excused: number
  /** Pieces of work for which this process had no connection free, at any time. */
  readonly unconnected: number
  /** What failed otherwise. */
  readonly failures: readonly string[]
  restart(): Promise<void>
  /**
   * Lets work fail by what may be tried again, if PostgreSQL was down while it ran or just before. A deadlock at any other time is a defect: it
   * stands in the failures, and the soak goes on.
   */
  excuse(work: () => Promise<void>): Promise<void>
}

/** Restarts of PostgreSQL, orderly and hard in turn. */
export function restartsOf(
  restart: (signal: 'SIGINT' | 'SIGQUIT') => Promise<unknown>,
  now: () => number = () => performance.now(),
): Restarts {
  const state = { count: 0, excused: 0, unconnected: 0, isDown: false, upSince: -Infinity }
  const failures: string[] = []
  return {
    get count() {
      return state.count
    },
    get excused() {
      return state.excused
    },
    get unconnected() {
      return state.unconnected
    },
    failures,
    async restart() {
      state.count += 1
      state.isDown = true
      await restart(state.count % 2 ? 'SIGINT' : 'SIGQUIT')
      state.isDown = false
      state.upSince = now()
    },
    async excuse(work) {
      const began = now()
      try {
        await work()
      } catch (error) {
        const wasDown = state.isDown || began < state.upSince + BROKEN_FOR_MS
        if (wasDown && isTransient(error)) state.excused += 1
        else if (isWaitOver(error)) state.unconnected += 1
        else failures.push(error instanceof Error ? (error.stack ?? error.message) : String(error))
      }
    },
  }
}
