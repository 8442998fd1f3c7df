import { closeIntents } from '../flows/close-intents.ts'
import type { Clock } from '../ports/clock.ts'
import type { OpenIntents } from '../ports/open-intents.ts'
import { type Log, supervise, Wake } from '../supervise.ts'

export interface AuditOutcomes {
  openIntents: OpenIntents
  clock: Clock
  log: Log
  everyMs: number
  progress(what: string): void
}

/** Closes what processes that died left open in the audit log, from time to time, and names each: somebody was not told how the act ended. */
export async function runAuditOutcomes(parts: AuditOutcomes, signal: AbortSignal): Promise<void> {
  const { openIntents, clock, log, everyMs } = parts
  await supervise({ name: 'audit outcomes', clock, log, wake: new Wake(), everyMs, signal }, async () => {
    for (const { operationId, result } of await closeIntents(openIntents)) {
      parts.progress('audit intent closed')
      log.warn({ operationId, result }, 'an act never wrote how it ended; its outcome is now what the database shows')
    }
    return 'idle'
  })
}
