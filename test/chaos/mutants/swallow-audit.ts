import { randomUUID } from 'node:crypto'
import type { Audit } from '../../../src/ports/audit.ts'

/** KNOWN BAD, kept to prove that the auditor sees it: an audit row that cannot be written is passed over, and the act goes on. */
export function withSwallowedErrors<T extends Audit>(audit: T): T {
  return {
    ...audit,
    intend: (intent) => audit.intend(intent).catch(() => randomUUID()),
    complete: (operationId, outcome) => audit.complete(operationId, outcome).catch(() => true),
  }
}
