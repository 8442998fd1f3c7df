import type { IntentEvidence, ProvenOutcome } from '../core/intent-outcome.ts'

/** Intents of the audit log that have no outcome though their act must have ended: its process died, or is frozen. */
export interface OpenIntents {
  /** Operation ids of those whose act may no longer last, oldest first. */
  overdue(limit: number): Promise<string[]>
  /**
   * Writes the outcome that its evidence gives, in one transaction, after which the act can take no noted effect any more. Null: it has an outcome by now.
   */
  close(operationId: string, outcomeOf: (evidence: IntentEvidence) => ProvenOutcome): Promise<ProvenOutcome | null>
}
