// An operator's process that dies between the audit rows of a replay. Only test/chaos starts it.
import { z } from 'zod'
import { loadConfig } from '../../src/config.ts'
import { openDesk } from '../../src/desk.ts'
import { replayDeadLetter } from '../../src/flows/replay-dead-letter.ts'

const Plan = z.object({
  env: z.record(z.string(), z.string()),
  databaseUrl: z.string(),
  outboxId: z.string(),
  dieAt: z.enum(['before-effect', 'after-effect']),
})

const { env, databaseUrl, outboxId, dieAt } = Plan.parse(JSON.parse(process.env.OPERATOR ?? '{}'))
const desk = await openDesk(loadConfig(env, { demo: false }), databaseUrl)
const deadLetters: typeof desk.deadLetters = {
  ...desk.deadLetters,
  async replay(ref, expectedVersion, operationId) {
    if (dieAt === 'before-effect') die()
    const replay = await desk.deadLetters.replay(ref, expectedVersion, operationId)
    die()
    return replay
  },
}
const principal = { id: 'chaos-operator', scopes: new Set(['dlq.replay'] as const), via: 'cli' as const }
await replayDeadLetter({ principal, outboxId, reason: 'chaos', tool: 'replay_dlq_message' }, { ...desk, deadLetters })

function die(): void {
  process.kill(process.pid, 'SIGKILL')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}
