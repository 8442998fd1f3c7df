import { type Since, readSince } from '../core/since.ts'
import type { ChannelNames } from '../ports/channel-names.ts'
import type { FailedOrder, FailedOrders } from '../ports/failed-orders.ts'
import { type BadMarketplace, marketplaceProblem } from './marketplace-filter.ts'

export interface FailedOrderPorts {
  failed: FailedOrders
  channels: ChannelNames
}

export type FoundFailures =
  | { kind: 'found'; orders: FailedOrder[]; total: number; byCause: Record<string, number> }
  | { kind: 'bad-since' }
  | BadMarketplace

const MOST = 200

/** Orders that should be in a marketplace, or in the ERP, and are not; newest first, each with its cause. */
export async function findFailedOrders(
  { since, marketplace, limit }: { since: string | null; marketplace: string | null; limit: number },
  { failed, channels }: FailedOrderPorts,
): Promise<FoundFailures> {
  const window: Since | undefined = readSince(since ?? '24h')
  if (!window) return { kind: 'bad-since' }
  const problem = await marketplaceProblem(marketplace, channels)
  if (problem) return problem
  return { kind: 'found', ...(await failed.list({ marketplace, since: window }, Math.min(Math.max(limit, 1), MOST))) }
}
