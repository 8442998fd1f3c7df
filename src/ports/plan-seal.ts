import type { DeadLetterFilter } from './dead-letters.ts'

/** What a plan token stands for; nobody but the hub can make or change one. */
export interface DrainPlan {
  tokenId: string
  /** Id of the principal that it was shown to. */
  principal: string
  /** Null when the dry run named none. */
  action: 'replay' | 'archive' | null
  filter: DeadLetterFilter
  /** The texts of the filter as they were typed, for comparison with the second call. */
  typed: { marketplace: string | null; cause: string | null; since: string | null }
  snapshot: string
  count: number
}

export type Opened = { kind: 'open'; plan: DrainPlan } | { kind: 'expired' } | { kind: 'invalid' }

/** Seals plans into tokens (HMAC) that expire; single use is kept by the database. */
export interface PlanSeal {
  seal(plan: Omit<DrainPlan, 'tokenId'>): { token: string; expiresAt: string }
  open(token: string): Opened
}
