import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '../ports/clock.ts'

export const systemClock: Clock = {
  stopwatch() {
    const began = performance.now()
    return () => performance.now() - began
  },
  async wait(ms, signal) {
    await delay(ms, undefined, { signal }).catch(() => {})
  },
}
