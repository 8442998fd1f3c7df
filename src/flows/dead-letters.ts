import { readSince } from '../core/since.ts'
import type { DeadLetterList, DeadLetters, Depth } from '../ports/dead-letters.ts'

/** How many dead letters there are: in total, by target, by cause, and how old the oldest is. */
export function deadLetterDepth(deadLetters: DeadLetters): Promise<Depth> {
  return deadLetters.depth()
}

const MOST_LISTED = 500

/** The dead letters that a filter names, oldest first. Undefined for a `since` that is no time. */
export async function listDeadLetters(
  filter: { marketplace: string | null; cause: string | null; since: string | null },
  limit: number,
  deadLetters: DeadLetters,
): Promise<DeadLetterList | undefined> {
  const since = filter.since === null ? null : readSince(filter.since)
  if (since === undefined) return undefined
  return deadLetters.list({ marketplace: filter.marketplace, cause: filter.cause, since }, Math.min(Math.max(limit, 1), MOST_LISTED))
}
