import { readSince } from '../core/since.ts'
import type { ChannelNames } from '../ports/channel-names.ts'
import type { DeadLetterList, DeadLetters, Depth } from '../ports/dead-letters.ts'
import { type BadMarketplace, marketplaceProblem } from './marketplace-filter.ts'

/** How many dead letters there are: in total, by target, by cause, and how old the oldest is. */
export function deadLetterDepth(deadLetters: DeadLetters): Promise<Depth> {
  return deadLetters.depth()
}

/** No list is longer, whatever is asked for. */
export const MOST_LISTED = 10_000

export interface ListPorts {
  deadLetters: DeadLetters
  channels: ChannelNames
}

export type ListedDeadLetters = ({ kind: 'listed' } & DeadLetterList) | { kind: 'bad-since' } | BadMarketplace

/** The dead letters that a filter names, oldest first. */
export async function listDeadLetters(
  filter: { marketplace: string | null; cause: string | null; since: string | null },
  limit: number,
  { deadLetters, channels }: ListPorts,
): Promise<ListedDeadLetters> {
  const since = filter.since === null ? null : readSince(filter.since)
  if (since === undefined) return { kind: 'bad-since' }
  const problem = await marketplaceProblem(filter.marketplace, channels)
  if (problem) return problem
  return { kind: 'listed', ...(await deadLetters.list({ ...filter, since }, Math.min(Math.max(limit, 1), MOST_LISTED))) }
}
