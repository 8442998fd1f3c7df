import type { Retention, RetentionClass } from '../ports/retention.ts'

/** Ids at once: a transaction of well under a second. Erasing a person looks into several tables. */
const WINDOW: Record<RetentionClass, bigint> = { personal: 25n, raw: 500n, 'other-text': 500n, unchanged: 500n }

export interface LettingGo {
  of: RetentionClass
  /** At least 1. */
  days: number
}

/** Lets go all that is due of one class, window by window, and answers how many. Ended in between, it goes on where it is run again. */
export async function letGo(
  retention: Retention,
  { of, days }: LettingGo,
  { progress, signal }: { progress: (gone: number, due: number) => void; signal: AbortSignal },
): Promise<number> {
  const due = await retention.due(of, days)
  if (!due) return 0
  let gone = 0
  for (let low = BigInt(due.low); low <= BigInt(due.high); low += WINDOW[of]) {
    signal.throwIfAborted()
    const count = await retention.letGo(of, days, { low: String(low), high: String(low + WINDOW[of] - 1n) })
    gone += count
    if (count > 0) progress(gone, due.count)
  }
  return gone
}
