import { z } from 'zod'
import { CAUSE_CODES } from '../../../core/cause-code.ts'
import { outboxIdOf } from '../../../core/identifier.ts'
import { codeWord } from '../../../core/untrusted.ts'
import { type DrainAnswer, drainDlq, type DrainRefusal, type PlannedDrain } from '../../../flows/drain-dlq.ts'
import { badMarketplace, Marketplace, present, Reason, Row } from '../answer.ts'
import { type Answer, defineTool } from '../tool.ts'

const output = z.object({
  dry_run: z.boolean(),
  action: z.string(),
  count: z.number(),
  total: z.number().optional(),
  oldest_at: z.string().optional(),
  by_cause: z.record(z.string(), z.number()).optional(),
  by_target: z.record(z.string(), z.number()).optional(),
  sample: z.array(Row).optional(),
  second_call: Row.optional(),
  expires_at: z.string().optional(),
  changed: z.array(z.string()).optional(),
  operation_id: z.string().optional(),
  sentence: z.string(),
})

/** Dead letters in bulk, by a plan that was shown before. */
export const drainDlqTool = defineTool({
  name: 'drain_dlq',
  title: 'Drain dead letters',
  description:
    'Bulk replay (or restorable archive) of dead letters in two calls: dry_run true lists and answers second_call; then exactly that, once, within 10 minutes. Show the plan to a person first. Audited.',
  scope: 'dlq.admin',
  effect: 'bulk',
  input: z.strictObject({
    dry_run: z.boolean().default(true),
    marketplace: Marketplace,
    cause: z.string().max(40).optional(),
    since: z.string().max(40).optional(),
    action: z.enum(['replay', 'archive']).optional(),
    plan_token: z.string().max(4000).optional(),
    expected_count: z.number().int().min(0).optional(),
    reason: Reason,
  }),
  output,
  async run(args, { principal, ports }) {
    if (!ports.seal)
      return {
        kind: 'error',
        code: 'no-plan-key',
        sentence: 'No key to seal plans with is configured. Nothing was drained.',
        audited: false,
      }
    if (args.cause !== undefined && !CAUSE_CODES.some((code) => code === args.cause))
      return {
        kind: 'error',
        code: 'invalid-arguments',
        sentence: 'cause: no such cause code; get_dlq_depth lists those in use. Nothing was drained.',
        audited: false,
      }
    const request = {
      principal,
      dryRun: args.dry_run,
      marketplace: args.marketplace ?? null,
      cause: args.cause ?? null,
      since: args.since ?? null,
      action: args.action ?? null,
      planToken: args.plan_token ?? null,
      expectedCount: args.expected_count ?? null,
      reason: args.reason ?? null,
      tool: 'drain_dlq',
    }
    return answerOf(await drainDlq(request, { ...ports, seal: ports.seal }))
  },
})

const REFUSED: Record<DrainRefusal, string> = {
  'bad-since': 'since: write 24h, 7d or an ISO time',
  'plan-invalid': 'the plan token is unknown',
  'plan-expired': 'the plan token is older than 10 minutes',
  'plan-differs': 'the arguments are not those of the plan',
  'count-differs': 'expected_count is not the count of the plan',
  'plan-used': 'the plan token was used before',
  'plan-stale': 'the dead letters changed since the plan was made',
  'in-flight': 'a worker has one of them in hand',
  unaudited: 'the audit log cannot be written',
}

function answerOf(answer: DrainAnswer): Answer {
  if (answer.kind === 'bad-marketplace') return { ...badMarketplace(answer), audited: true }
  if (answer.kind === 'refused') {
    const code = answer.reason === 'unaudited' ? 'audit-unavailable' : answer.reason === 'bad-since' ? 'invalid-arguments' : answer.reason
    const suggestions = [{ toolName: 'drain_dlq', arguments: { dry_run: true }, reason: 'Make a new plan.' }]
    return {
      kind: 'error',
      code,
      sentence: `${REFUSED[answer.reason]}. Nothing was drained.`,
      suggestions,
      audited: true,
    }
  }
  if (answer.kind === 'planned') return { kind: 'answer', data: planData(answer), suggestions: [], audited: true }
  const { action, changed, refused, operationId, recorded } = answer
  const sentence = `${changed.length} ${action === 'archive' ? 'archived' : 'put back'}, ${refused} left as they are (a newer version answers them).${recorded ? '' : ' The audit outcome could not be written and shows as unknown.'}`
  const data = {
    dry_run: false,
    action,
    count: changed.length,
    changed: changed.slice(0, 200),
    refused,
    operation_id: operationId,
    sentence,
  }
  return { kind: 'answer', data, suggestions: [{ toolName: 'get_dlq_depth', arguments: {}, reason: 'What is left.' }], audited: true }
}

function planData(plan: PlannedDrain): Record<string, unknown> {
  return present({
    dry_run: true,
    action: plan.action,
    count: plan.count,
    total: plan.total,
    oldest_at: plan.oldestAt,
    by_cause: plan.byCause,
    by_target: plan.byTarget,
    sample: plan.sample.map((l) =>
      present({
        outbox_id: outboxIdOf(l.table, l.id),
        order: l.known === null ? null : codeWord(l.known),
        channel: l.channel,
        cause: l.cause,
        died_at: l.diedAt,
      }),
    ),
    second_call: plan.secondCall,
    expires_at: plan.expiresAt,
    sentence:
      plan.count === 0
        ? 'No dead letter matches. Nothing was drained.'
        : `${plan.count} of ${plan.total} would be ${plan.action === 'archive' ? 'archived' : 'put back'}. Nothing was drained; call again with second_call to do it.`,
  })
}
