import { VendorError } from './vendor-error.ts'

/** One budget for a client id and an endpoint. */
interface RateLimit {
  method?: string | undefined
  path: string
  limit: number
  windowMs: number
  shape: 'too-many-requests' | 'over-quota' | 'local-rate-limited'
  retryAfter?: string | undefined
}

export interface RateLimits {
  replace(limits: RateLimit[]): void
  list(): (RateLimit & { refused: number })[]
  /** Throws the 429 of the first exhausted budget that the call falls under. */
  spend(call: { clientId: string; method: string; path: string }, nowMs: number): void
}

interface Budget {
  limit: RateLimit
  pattern: RegExp
  refused: number
  windows: Map<string, { startMs: number; spent: number }>
}

/** The one number that is published for a call that is simulated. */
const PUBLISHED: RateLimit = {
  method: 'PUT',
  path: '^/user-products/[^/]+/stock/type/selling_address$',
  limit: 100,
  windowMs: 60_000,
  shape: 'too-many-requests',
}

export function rateLimits(): RateLimits {
  let budgets: Budget[] = [budgetOf(PUBLISHED)]
  return {
    replace(limits) {
      budgets = limits.map(budgetOf)
    },
    list: () => budgets.map(({ limit, refused }) => ({ ...limit, refused })),
    spend(call, nowMs) {
      for (const budget of budgets) {
        if (budget.limit.method !== undefined && budget.limit.method !== call.method) continue
        if (budget.pattern.test(call.path)) spendOne(budget, call.clientId, nowMs)
      }
    },
  }
}

function budgetOf(limit: RateLimit): Budget {
  return { limit, pattern: new RegExp(limit.path), refused: 0, windows: new Map() }
}

function spendOne(budget: Budget, clientId: string, nowMs: number): void {
  const { limit, windowMs, shape, retryAfter } = budget.limit
  const open = budget.windows.get(clientId)
  const window = open && nowMs - open.startMs < windowMs ? open : { startMs: nowMs, spent: 0 }
  budget.windows.set(clientId, window)
  if (window.spent < limit) {
    window.spent += 1
    return
  }
  budget.refused += 1
  throw new VendorError(429, bodyOf(shape), retryAfter === undefined ? {} : { 'retry-after': retryAfter })
}

/** The three documented bodies; the last comes from the edge and is not JSON. */
function bodyOf(shape: RateLimit['shape']): unknown {
  if (shape === 'local-rate-limited') return 'local_rate_limited'
  if (shape === 'over-quota') return { error: 'too_many_requests', message: 'client.id over quota', status: 429 }
  return { message: 'Too Many Requests', error: 'too_many_requests', status: 429, cause: [] }
}
