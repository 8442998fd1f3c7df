import { z } from 'zod'
import { codeWord, plainLine } from '../../../core/untrusted.ts'
import type { Reread } from '../../../flows/reread-quarantined.ts'
import { type RetryAnswer, retryFailedSync } from '../../../flows/retry-failed-sync.ts'
import { ambiguousRefusal, OrderId, Reason, Row } from '../answer.ts'
import { type Answer, defineTool } from '../tool.ts'

const output = z.object({
  order_id: z.string(),
  changed: z.number().optional(),
  replayed: z.array(z.string()).optional(),
  planned: z.number().optional(),
  left_quarantine: z.array(z.string()).optional(),
  refetched: z.array(z.string()).optional(),
  refused: z.array(Row).optional(),
  now: z.array(Row).optional(),
  operation_id: z.string().optional(),
  sentence: z.string(),
})

/** An order's dead letters back to pending, and what is owed planned. */
export const retryFailedSyncTool = defineTool({
  name: 'retry_failed_sync',
  title: 'Retry an order',
  description:
    'Puts the newest dead letter of each target of one order, and its inbound ones, back to pending, reads a quarantined ERP order again, plans owed deliveries that are missing, and fetches again what showed an unmapped status. Audited; answers what really changed. Remove the cause first (trace_order names it).',
  scope: 'outbox.retry',
  effect: 'write',
  input: z.strictObject({ order_id: OrderId, reason: Reason }),
  output,
  async run({ order_id, reason }, { principal, ports }) {
    const answer = await retryFailedSync({ principal, orderId: order_id, reason: reason ?? null, tool: 'retry_failed_sync' }, ports)
    return answerOf(order_id, answer)
  },
})

function answerOf(orderId: string, answer: RetryAnswer): Answer {
  const trace = [{ toolName: 'trace_order', arguments: { order_id: orderId }, reason: 'How it stands now, with evidence.' }]
  switch (answer.kind) {
    case 'ambiguous':
      return ambiguousRefusal('retry_failed_sync', answer.candidates)
    case 'unknown': {
      const near = answer.nearest.length > 0 ? ` Nearest: ${answer.nearest.map((n) => codeWord(n)).join(', ')}.` : ''
      return {
        kind: 'error',
        code: 'not-found-anywhere',
        sentence: `The hub holds nothing to retry under this identifier.${near} Nothing was changed.`,
        suggestions: trace,
        audited: true,
      }
    }
    case 'in-flight':
      return {
        kind: 'error',
        code: 'in-flight',
        sentence: 'A worker has the order in hand. Nothing was changed.',
        suggestions: trace,
        audited: true,
      }
    case 'unaudited':
      return { kind: 'error', code: 'audit-unavailable', sentence: 'The audit log cannot be written. Nothing was changed.', audited: true }
    case 'nothing-to-retry': {
      const states = answer.now.map((s) => `${s.outboxId} at ${s.channel} is ${s.state}`).join('; ')
      const refused = answer.refused.map((r) => `${r.outboxId} ${r.reason}`).join('; ')
      const why = [refused, states, quarantineWords(answer.reread)].filter((t) => t !== '').join('; ')
      return {
        kind: 'error',
        code: 'nothing-to-retry',
        sentence: `Nothing of this order could be retried${why ? `: ${why}` : ''}. Nothing was changed.`,
        suggestions: trace,
        audited: true,
      }
    }
    case 'retried':
      return { kind: 'answer', data: dataOf(orderId, answer), suggestions: trace, audited: true }
  }
}

function dataOf(orderId: string, answer: RetryAnswer & { kind: 'retried' | 'nothing-to-retry' }): Record<string, unknown> {
  const { healed } = answer.reread
  const left = healed.length > 0 ? `, the ERP order ${healed.join(', ')} left quarantine` : ''
  const again = answer.refetched.length > 0 ? `, ${answer.refetched.length} fetched again` : ''
  const kept = quarantineWords(answer.reread)
  return {
    order_id: codeWord(orderId, 200),
    changed: answer.changed,
    replayed: answer.replayed,
    planned: answer.planned,
    ...(answer.reread.healed.length > 0 ? { left_quarantine: answer.reread.healed } : {}),
    ...(answer.refetched.length > 0 ? { refetched: answer.refetched } : {}),
    refused: answer.refused.map((r) => ({ outbox_id: r.outboxId, reason: r.reason })),
    now: answer.now.map(({ outboxId, channel, state }) => ({ outbox_id: outboxId, channel, state })),
    operation_id: answer.operationId,
    sentence: `${answer.replayed.length} put back, ${answer.planned} newly planned${left}${again}; the rest follows by itself.${kept === '' ? '' : ` ${kept}.`}${answer.recorded ? '' : ' The audit outcome could not be written and shows as unknown.'}`,
  }
}

/** Why an ERP order stays in quarantine; empty when none does. */
function quarantineWords({ kept, failure }: Reread): string {
  const [first] = kept
  if (!first) return ''
  if (failure !== null) return `the ERP order ${first.erpId} is in quarantine and was not read again (${failure})`
  return `the ERP order ${first.erpId} was read again and stays in quarantine: ${codeWord(first.field)}, ${plainLine(first.problem, 160)}`
}
