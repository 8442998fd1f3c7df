import type { Since } from '../core/since.ts'

/** An order that should be at a target and is not. */
export interface FailedOrder {
  /** Null for what never became a silver order. */
  orderId: string | null
  /** What it is best known by. */
  known: string
  target: string
  cause: string
  state: 'dead' | 'late' | 'quarantined' | 'missing'
  since: string
  /** `outbox-17` or `inbound-9`, when it is a dead letter. */
  deadLetter: string | null
  summary: string | null
}

export interface FailedOrders {
  /** Newest first. `total` counts up to 1,000 of each kind. */
  list(
    filter: { marketplace: string | null; since: Since },
    limit: number,
  ): Promise<{ orders: FailedOrder[]; total: number; byCause: Record<string, number> }>
}
