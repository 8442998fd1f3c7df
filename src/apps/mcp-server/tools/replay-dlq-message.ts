import { z } from 'zod'
import { type ReplayAnswer, replayDeadLetter } from '../../../flows/replay-dead-letter.ts'
import { Reason } from '../answer.ts'
import { type Answer, defineTool } from '../tool.ts'

const output = z.object({
  outbox_id: z.string(),
  state: z.string(),
  channel: z.string(),
  cause_before: z.string().optional(),
  tries_before: z.number(),
  operation_id: z.string(),
  sentence: z.string(),
})

/** One dead letter back to pending. */
export const replayDlqMessage = defineTool({
  name: 'replay_dlq_message',
  title: 'Replay a dead letter',
  description:
    'Puts one dead letter (outbox-17, inbound-9) back to pending, due at once, audited. Refuses what is in flight, ambiguous or answered by a newer version. Remove the cause first; check with trace_order after.',
  scope: 'dlq.replay',
  effect: 'write',
  input: z.strictObject({ outbox_id: z.string().trim().min(1).max(40).describe('outbox-17 or inbound-9'), reason: Reason }),
  output,
  async run({ outbox_id, reason }, { principal, ports }) {
    return answerOf(await replayDeadLetter({ principal, outboxId: outbox_id, reason: reason ?? null, tool: 'replay_dlq_message' }, ports))
  },
})

const REFUSED: Record<(ReplayAnswer & { kind: 'refused' })['reason'], string> = {
  unknown: 'there is no such dead letter',
  'not-dead': 'it is not dead, so there is nothing to replay',
  'in-flight': 'a worker has it in hand',
  ambiguous: 'its last send has an unknown outcome, which a look-up settles; sending it again could double the order',
  'answered-by-newer': 'a newer version of the same order at that target answers it',
  'changed-meanwhile': 'somebody else changed it meanwhile',
  unaudited: 'the audit log cannot be written',
}

function answerOf(answer: ReplayAnswer): Answer {
  if (answer.kind === 'refused') {
    const suggestions =
      answer.reason === 'unknown'
        ? [{ toolName: 'find_failed_orders', arguments: {}, reason: 'Lists dead letters with their outbox_id.' }]
        : []
    const code = answer.reason === 'unaudited' ? 'audit-unavailable' : answer.reason
    return {
      kind: 'error',
      code,
      sentence: `Not replayed: ${REFUSED[answer.reason]}. Nothing was changed.`,
      suggestions,
      audited: true,
    }
  }
  const { outboxId, channel, before, state, operationId, recorded } = answer
  const now =
    state === 'pending' ? 'is pending again and due now' : 'is let out of its isolation; a look-up decides whether anything is sent'
  const data = {
    outbox_id: outboxId,
    state,
    channel,
    ...(before.cause === null ? {} : { cause_before: before.cause }),
    tries_before: before.tries,
    operation_id: operationId,
    sentence: `${outboxId} ${now}.${recorded ? '' : ' Its audit outcome could not be written and shows as unknown.'}`,
  }
  return {
    kind: 'answer',
    data,
    suggestions: [{ toolName: 'trace_order', arguments: { order_id: outboxId }, reason: 'Whether it was delivered this time.' }],
    audited: true,
  }
}
