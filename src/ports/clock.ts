/** The worker's own clock. It decides nothing about due times or leases (the database does); it only measures and waits. */
export interface Clock {
  /** Starts a stopwatch; the answer tells the milliseconds since, monotone. */
  stopwatch(): () => number
  /** Resolves after `ms`, or at once when the signal aborts. Never rejects. */
  wait(ms: number, signal: AbortSignal): Promise<void>
}
