import type { Clock } from './ports/clock.ts'

/**
 * Waits for work that is done under a lease, as long as the lease can be in force. What hangs beyond it is fenced: it is told to stop, and the
 * wait for it ends, so that it holds up nobody else. `renew` is for work whose lease is renewed on the way.
 */
export async function withinLease<T>(
  { clock, leaseMs }: { clock: Clock; leaseMs: number },
  work: (signal: AbortSignal, renew: () => void) => Promise<T>,
): Promise<T> {
  const hung = new AbortController()
  const overdue = Promise.withResolvers<never>()
  let waiting = new AbortController()
  const renew = (): void => {
    waiting.abort()
    const mine = new AbortController()
    waiting = mine
    void clock.wait(leaseMs, mine.signal).then(() => {
      if (mine.signal.aborted) return
      hung.abort()
      overdue.reject(new Error(`it did not end within its lease of ${leaseMs} ms`))
    })
  }
  renew()
  try {
    return await Promise.race([work(hung.signal, renew), overdue.promise])
  } finally {
    waiting.abort()
  }
}
