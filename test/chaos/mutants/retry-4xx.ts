import type { Outbox } from '../../../src/ports/outbox.ts'

/** KNOWN BAD, kept to prove that the auditor sees it: what a target refuses for good is tried again and again. */
export function withRetries<T extends Outbox>(outbox: T): T {
  return {
    ...outbox,
    finish(claim, finish) {
      const { settlement } = finish
      if (settlement.state !== 'dead') return outbox.finish(claim, finish)
      const again = { state: 'pending', delayMs: 100, counted: true, cause: 'backing-off', gate: settlement.gate } as const
      return outbox.finish(claim, { ...finish, settlement: claim.tries < MOST_TRIES ? again : settlement })
    },
  }
}

const MOST_TRIES = 4
