import { isTransient } from '../../src/drivers/postgres/sqlstate.ts'

/** The connections that a restart broke may all be found broken only when they are used. */
const BROKEN_FOR_MS = 2_000

export interface Restarts {
  readonly count: number
  /** Acts that failed because of a restart. */
  readonly excused: number
  restart(): Promise<void>
  /** Lets an act fail by what may be tried again, if PostgreSQL was down while it ran or just before: a deadlock at any other time is a defect. */
  excuse(act: () => Promise<void>): Promise<void>
}

/** Restarts of PostgreSQL, orderly and hard in turn. */
export function restartsOf(
  restart: (signal: 'SIGINT' | 'SIGQUIT') => Promise<unknown>,
  now: () => number = () => performance.now(),
): Restarts {
  const state = { count: 0, excused: 0, isDown: false, upSince: -Infinity }
  return {
    get count() {
      return state.count
    },
    get excused() {
      return state.excused
    },
    async restart() {
      state.count += 1
      state.isDown = true
      await restart(state.count % 2 ? 'SIGINT' : 'SIGQUIT')
      state.isDown = false
      state.upSince = now()
    },
    async excuse(act) {
      const began = now()
      try {
        await act()
      } catch (error) {
        if (!isTransient(error) || !(state.isDown || began < state.upSince + BROKEN_FOR_MS)) throw error
        state.excused += 1
      }
    },
  }
}
