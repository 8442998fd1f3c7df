import { z } from 'zod'

const regularExpression = z.string().superRefine((text, context) => {
  try {
    new RegExp(text)
  } catch {
    context.addIssue({ code: 'custom', message: 'not a regular expression' })
  }
})

const faultKinds = [
  'latency',
  'status',
  'hang',
  'accept-then-hang',
  'reset',
  'accept-then-reset',
  'empty',
  'truncate',
  'html',
  'drip',
  'flood',
  'late',
  'lost-webhook',
  'duplicate-webhook',
  'delay-webhook',
] as const

export const faultRule = z
  .strictObject({
    match: z
      .strictObject({ method: z.string().optional(), path: regularExpression.optional(), body: regularExpression.optional() })
      .default({}),
    fault: z.enum(faultKinds),
    /**
     * Milliseconds: of `latency`, `late` and `delay-webhook`; between two bytes of `drip` (default 1000); how long `hang` and
     * `accept-then-hang` keep the connection (default: until close).
     */
    ms: z.int().min(0).max(86_400_000).optional(),
    /** Status of `status` (default 503), `html` and `empty` (default: what the request would have got; `html` 200). */
    status: z.int().min(200).max(599).optional(),
    /** Length of the reply of `flood`, which is the real one padded with spaces; default 50 MiB. */
    bytes: z.int().min(1).max(1_073_741_824).optional(),
    retryAfter: z.string().optional(),
    body: z.string().optional(),
    times: z.int().min(1).optional(),
    skip: z.int().min(0).optional(),
    probability: z.number().min(0).max(1).optional(),
  })
  .superRefine((rule, context) => {
    if (['latency', 'late', 'delay-webhook'].includes(rule.fault) && rule.ms === undefined) {
      context.addIssue({ code: 'custom', path: ['ms'], message: `required by fault "${rule.fault}": milliseconds to wait` })
    }
  })

export type FaultRule = z.output<typeof faultRule>

/** What a rule is matched against; for a webhook the URL path it goes to and its body. */
export interface FaultSubject {
  method: string
  path: string
  body: string
}

export interface Faults {
  replace(rules: readonly FaultRule[]): void
  add(rule: FaultRule): void
  list(): (FaultRule & { hits: number })[]
  clear(): void
  /** The first rule that fires for a request, counting it; null when none does. */
  forRequest(subject: FaultSubject): FaultRule | null
  /** The same for a webhook that is about to be posted. */
  forWebhook(subject: FaultSubject): FaultRule | null
}

interface LiveRule {
  rule: FaultRule
  seen: number
  hits: number
}

/** Rules live in memory only; draws for `probability` repeat for the same seed. */
export function createFaults(seed = 1): Faults {
  let live: LiveRule[] = []
  let random = seededRandom(seed)

  function take(subject: FaultSubject, ofWebhooks: boolean): FaultRule | null {
    for (const one of live) {
      if (one.rule.fault.endsWith('-webhook') !== ofWebhooks || !matches(one.rule, subject)) continue
      if (one.hits >= (one.rule.times ?? Infinity)) continue
      one.seen += 1
      if (one.seen <= (one.rule.skip ?? 0)) continue
      if (one.rule.probability !== undefined && random() >= one.rule.probability) continue
      one.hits += 1
      return one.rule
    }
    return null
  }

  return {
    replace(rules) {
      live = rules.map((rule) => ({ rule, seen: 0, hits: 0 }))
      random = seededRandom(seed)
    },
    add: (rule) => void live.push({ rule, seen: 0, hits: 0 }),
    list: () => live.map((one) => ({ ...one.rule, hits: one.hits })),
    clear: () => void (live = []),
    forRequest: (subject) => take(subject, false),
    forWebhook: (subject) => take(subject, true),
  }
}

function matches(rule: FaultRule, subject: FaultSubject): boolean {
  const { method, path, body } = rule.match
  if (method !== undefined && method.toUpperCase() !== subject.method.toUpperCase()) return false
  if (path !== undefined && !new RegExp(path).test(subject.path)) return false
  return body === undefined || new RegExp(body).test(subject.body)
}

/** mulberry32: small, seeded, good enough to choose which request fails. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
