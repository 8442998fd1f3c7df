import { IntegrationError, type IntegrationErrorCode, type IntegrationErrorDetail } from '../core/integration-error.ts'
import type { Collected, CollectTicket, OrderStore } from '../ports/order-store.ts'

export type CollectOutcome =
  | ({ kind: 'collected' } & Collected)
  | { kind: 'busy' }
  | { kind: 'failed'; code: IntegrationErrorCode; detail: IntegrationErrorDetail }

export interface CursorHold {
  store: Pick<OrderStore, 'beginCollect' | 'endCollect'>
  leaseMs: number
}

/** Runs `work` under the lease of a cursor, and gives the lease back however it ends: the next round need not wait for it to run out. */
export async function holdCursor(
  name: string,
  { store, leaseMs }: CursorHold,
  signal: AbortSignal,
  work: (ticket: CollectTicket) => Promise<Collected>,
): Promise<CollectOutcome> {
  const ticket = await store.beginCollect(name, leaseMs)
  if (ticket === null) return { kind: 'busy' }
  try {
    const collected = await work(ticket)
    await store.endCollect(name, ticket, null)
    return { kind: 'collected', ...collected }
  } catch (error) {
    // A read that we broke off ourselves, on the way to a stop, says nothing of the ERP; neither does a bug.
    const failure = error instanceof IntegrationError && !signal.aborted ? error : null
    await store.endCollect(name, ticket, failure && { code: failure.code, summary: failure.detail.summary ?? failure.code })
    if (failure) return { kind: 'failed', code: failure.code, detail: failure.detail }
    if (signal.aborted) return { kind: 'busy' }
    throw error
  }
}
