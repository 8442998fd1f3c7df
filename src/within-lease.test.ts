import { expect, test } from 'vitest'
import { systemClock } from './drivers/system-clock.ts'
import type { Clock } from './ports/clock.ts'
import { withinLease } from './within-lease.ts'

/** A clock whose waits end when the test says so. */
function handClock(): Clock & { waits: { ms: number; end(): void }[] } {
  const waits: { ms: number; end(): void }[] = []
  return {
    waits,
    stopwatch: () => () => 0,
    wait(ms, signal) {
      const { promise, resolve } = Promise.withResolvers<void>()
      waits.push({ ms, end: resolve })
      signal.addEventListener('abort', () => resolve())
      return promise
    },
  }
}

test('work that ends in time is answered, and leaves no timer', async () => {
  expect(await withinLease({ clock: systemClock, leaseMs: 60_000 }, () => Promise.resolve('done'))).toBe('done')
})

test('work that hangs is told to stop when its lease is over, and is waited for no longer', async () => {
  const clock = handClock()
  let told: AbortSignal | undefined
  const running = withinLease({ clock, leaseMs: 10 }, (signal) => {
    told = signal
    return new Promise(() => {})
  })
  clock.waits[0]?.end()
  await expect(running).rejects.toThrow('did not end within its lease of 10 ms')
  expect(told?.aborted).toBe(true)
})

test('a renewed lease counts from its renewal', async () => {
  const clock = handClock()
  const running = withinLease({ clock, leaseMs: 10 }, async (signal, renew) => {
    renew()
    clock.waits[0]?.end()
    await new Promise((resolve) => setImmediate(resolve))
    expect(signal.aborted).toBe(false)
    return 'done'
  })
  expect(await running).toBe('done')
  expect(clock.waits.map((w) => w.ms)).toEqual([10, 10])
})

test('what the work throws is thrown', async () => {
  await expect(withinLease({ clock: systemClock, leaseMs: 60_000 }, () => Promise.reject(new Error('bug')))).rejects.toThrow('bug')
})
