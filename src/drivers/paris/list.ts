import { z } from 'zod'
import { orderPointer } from '../../core/inbound-event.ts'
import type { SweepPage } from '../../ports/marketplace.ts'
import type { ParisClient } from './client.ts'
import { PARIS_ID, ParisRow } from './order.ts'

export const PAGE_SIZE = 100
// Orders that leave the list while it is paged pull later rows forward; a step short of a page still sees them.
export const PAGE_STEP = 90

const Rows = z.array(ParisRow)

/** One page of `GET /orders`, newest first. */
export async function listOrders(
  client: ParisClient,
  { offset, reference }: { offset: number; reference?: string },
  request: { requestId?: string; signal: AbortSignal },
): Promise<ParisRow[]> {
  const query = new URLSearchParams({ limit: String(PAGE_SIZE), offset: String(offset) })
  if (reference !== undefined) query.set('external_ref', reference)
  return client.call(Rows, { method: 'GET', path: `/orders?${query.toString()}`, ...request })
}

/**
 * One page of the orders created since an instant, oldest first within it. The contract lists by creation only and has no version, so every
 * order of the window is due to be looked at again, and one that changed long after it was created is not in it.
 */
export async function createdOrders(
  client: ParisClient,
  { sinceIso, page }: { sinceIso: string; page: string | null },
  signal: AbortSignal,
): Promise<SweepPage> {
  const offset = offsetOf(page)
  const rows = await listOrders(client, { offset }, { signal })
  const sinceMs = Date.parse(sinceIso)
  const within = rows.filter((row) => Date.parse(row.created_at) >= sinceMs)
  const fetchable = within.filter((row) => PARIS_ID.test(row.id))
  return {
    resources: fetchable
      .reverse()
      .map(({ id, created_at: createdAt }) => ({ resource: orderPointer(id), orderKey: id, version: null, createdAt })),
    next: rows.length === PAGE_SIZE && within.length === rows.length ? String(offset + PAGE_STEP) : null,
  }
}

function offsetOf(page: string | null): number {
  if (page === null) return 0
  if (!/^\d{1,9}$/.test(page)) throw new Error(`no page of a sweep: ${page}`)
  return Number(page)
}
