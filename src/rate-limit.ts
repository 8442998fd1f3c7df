export interface SourceRate {
  /** Requests a second that a source may send for long. */
  perSecond: number
  /** Requests that may come at once. */
  burst: number
}

export interface RateLimit {
  /** Takes a token of the source. */
  take(source: string, nowMs: number): 'passed' | 'limited' | 'limited-again'
}

interface Bucket {
  tokens: number
  at: number
  /** Second in which a refusal was last told. */
  toldAt: number
}

const MOST_SOURCES = 10_000

/**
 * A token bucket per source, in memory and bounded. `limited` is said once a second, so that a flood is on record without filling the record;
 * `limited-again` for the rest.
 */
export function rateLimit({ perSecond, burst }: SourceRate): RateLimit {
  const buckets = new Map<string, Bucket>()
  return {
    take: (source, nowMs) => {
      const bucket = buckets.get(source) ?? { tokens: burst, at: nowMs, toldAt: -1 }
      bucket.tokens = Math.min(burst, bucket.tokens + (Math.max(0, nowMs - bucket.at) / 1000) * perSecond)
      bucket.at = nowMs
      // Last used is last in the map, so the first is the one to forget.
      buckets.delete(source)
      buckets.set(source, bucket)
      if (buckets.size > MOST_SOURCES) forgetOldest(buckets)
      if (bucket.tokens >= 1) {
        bucket.tokens -= 1
        return 'passed'
      }
      const second = Math.floor(nowMs / 1000)
      const again = bucket.toldAt === second
      bucket.toldAt = second
      return again ? 'limited-again' : 'limited'
    },
  }
}

function forgetOldest(buckets: Map<string, Bucket>): void {
  const [oldest] = buckets.keys()
  if (oldest !== undefined) buckets.delete(oldest)
}
