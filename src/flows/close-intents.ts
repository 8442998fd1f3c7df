import { provenOutcome, type ProvenOutcome } from '../core/intent-outcome.ts'
import type { OpenIntents } from '../ports/open-intents.ts'

export interface ClosedIntent {
  operationId: string
  result: ProvenOutcome['result']
}

/** Intents closed in one round; more wait for the next. */
const MOST_CLOSED = 100

/** Gives every intent whose process never wrote the outcome the one that is proven by what is stored. Answers those that this call closed. */
export async function closeIntents(intents: OpenIntents): Promise<ClosedIntent[]> {
  const closed: ClosedIntent[] = []
  for (const operationId of await intents.overdue(MOST_CLOSED)) {
    const outcome = await intents.close(operationId, provenOutcome)
    if (outcome) closed.push({ operationId, result: outcome.result })
  }
  return closed
}
