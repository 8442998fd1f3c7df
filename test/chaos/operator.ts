import { type Desk, openDesk } from '../../src/desk.ts'
import { replayDeadLetter, type ReplayAnswer } from '../../src/flows/replay-dead-letter.ts'
import type { Principal } from '../../src/ports/audit.ts'
import { withSwallowedErrors } from './mutants/swallow-audit.ts'
import type { Stage } from './stage.ts'

const OPERATOR: Principal = { id: 'chaos-operator', scopes: new Set(['dlq.replay', 'orders.read']), via: 'cli' }

/** Runs `work` with a desk of its own, as another process's view; its audit is the mutant's where the plan says so. */
export async function atDesk<T>({ running, plan }: Pick<Stage, 'running' | 'plan'>, work: (desk: Desk) => Promise<T>): Promise<T> {
  const desk = await openDesk(running.hub.config, running.database.url)
  try {
    return await work(plan.mutant === 'swallow-audit' ? { ...desk, audit: withSwallowedErrors(desk.audit) } : desk)
  } finally {
    await desk.close()
  }
}

/** An operator replays a delivery, whatever state it is in. */
export const replayed = (desk: Desk, outboxId: string, id = OPERATOR.id): Promise<ReplayAnswer> =>
  replayDeadLetter({ principal: { ...OPERATOR, id }, outboxId, reason: 'chaos', tool: 'replay_dlq_message' }, desk)
