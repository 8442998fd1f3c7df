import type { Evidence } from './finding.ts'
import type { AttemptFact, OrderFacts } from './order-facts.ts'
import { plainLine } from './untrusted.ts'

/** The newest attempt of a delivery, as evidence; empty when there was none. */
export function lastAttempt(facts: OrderFacts, deliveryId: string): Evidence[] {
  const last: AttemptFact | undefined = facts.attempts.find((a) => a.deliveryId === deliveryId)
  return last ? [{ table: 'attempt', id: last.id, says: attemptSays(last) }] : []
}

/** What one attempt says, in our own words; the other system's are left out. */
export function attemptSays(a: AttemptFact): string {
  const code = a.errorCode ? ` ${a.errorCode}` : ''
  const status = a.httpStatus ? ` (HTTP ${a.httpStatus})` : ''
  const summary = plainLine(a.summary, 160)
  return `${a.purpose} ${a.operation}: ${a.outcome ?? 'no answer yet'}${code}${status}${summary ? `, ${summary}` : ''}`
}
