import type { Clock } from '../../ports/clock.ts'

interface Bucket {
  tokens: number
  elapsedMs: () => number
}

const CALLS = { size: 120, perSecond: 20 }
const WRITES = { size: 30, perSecond: 0.5 }

/** What a principal may call: bursts of 120 calls and 30 writes, refilled by 20 a second and 30 a minute. Per process. */
export function callBudget(clock: Clock): (principalId: string, effect: 'read' | 'write' | 'bulk') => boolean {
  const buckets = new Map<string, Bucket>()
  const take = (key: string, { size, perSecond }: typeof CALLS): boolean => {
    const bucket = buckets.get(key)
    const tokens = bucket ? Math.min(size, bucket.tokens + (bucket.elapsedMs() / 1000) * perSecond) : size
    buckets.set(key, { tokens: tokens < 1 ? tokens : tokens - 1, elapsedMs: clock.stopwatch() })
    return tokens >= 1
  }
  return (principalId, effect) => take(`call ${principalId}`, CALLS) && (effect === 'read' || take(`write ${principalId}`, WRITES))
}
