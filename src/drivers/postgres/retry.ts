import { setTimeout as delay } from 'node:timers/promises'
import { isTransient } from './sqlstate.ts'

const PAUSES_MS = [20, 150]

/**
 * Does `work` again after an error that is worth it (a transient one), once after each pause. After a connection lost at COMMIT it may have been done already: `work` must find by its
 * keys what it did before.
 */
export async function retried<T>(
  work: () => Promise<T>,
  { pausesMs = PAUSES_MS, isWorthIt = isTransient }: { pausesMs?: readonly number[]; isWorthIt?: (error: unknown) => boolean } = {},
): Promise<T> {
  for (const pauseMs of pausesMs) {
    try {
      return await work()
    } catch (error) {
      if (!isWorthIt(error)) throw error
      await delay(pauseMs)
    }
  }
  return work()
}
