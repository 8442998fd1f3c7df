import { z } from 'zod'
import { isHeld, type OrderFacts } from '../../../core/order-facts.ts'
import { codeWord, untrustedText } from '../../../core/untrusted.ts'
import { type Trace, traceOrder } from '../../../flows/trace-order.ts'
import { ambiguousAnswer, fitted, OrderId, present, ResponseFormat, suggestionsOf, unreadableAnswer, Row } from '../answer.ts'
import { defineTool } from '../tool.ts'

const CONCISE = 25
const DETAILED = 120

const output = z.object({
  order_id: z.string(),
  found: z.boolean(),
  cause: z.string().optional(),
  certainty: z.string().optional(),
  sentence: z.string(),
  next_step: Row.optional(),
  dead_letter: z.string().optional(),
  evidence: z.array(Row).optional(),
  ruled_out: z.array(Row).optional(),
  targets: z.array(Row).optional(),
  also_found: z.array(Row).optional(),
  timeline: z.array(Row).optional(),
  timeline_total: z.number().optional(),
  candidates: z.array(Row).optional(),
  nearest: z.array(z.string()).optional(),
  looked_in: z.array(z.string()).optional(),
  untrusted: Row.optional(),
})

/** The whole story of one order, and its diagnosis. */
export const traceOrderTool = defineTool({
  name: 'trace_order',
  title: 'Trace an order',
  description:
    'Why an order is or is not in a system: cause code, evidence rows, what was ruled out, next safe step, and the timeline of ERP, webhooks, deliveries, attempts and operators. Start here; then retry_failed_sync or replay_dlq_message.',
  scope: 'orders.read',
  effect: 'read',
  input: z.strictObject({ order_id: OrderId, response_format: ResponseFormat }),
  output,
  async run({ order_id, response_format }, { ports }) {
    const trace = await traceOrder(order_id, ports)
    if (trace.kind === 'unreadable') return unreadableAnswer()
    if (trace.kind === 'ambiguous') return ambiguousAnswer(trace.typed, trace.candidates)
    const data = dataOf(trace, response_format === 'detailed' ? DETAILED : CONCISE)
    const suggestions = suggestionsOf(trace.diagnosis, trace.facts.typed, 'trace_order')
    return { kind: 'answer', data, suggestions, audited: false, held: isHeld(trace.facts) }
  },
})

function dataOf({ facts, diagnosis, timeline, lookedIn }: Trace & { kind: 'traced' }, most: number): Record<string, unknown> {
  return fitted(timeline.slice(-most), (rows) =>
    present({
      order_id: codeWord(facts.typed, 200),
      found: facts.order !== null,
      cause: diagnosis.cause,
      certainty: diagnosis.certainty,
      sentence: diagnosis.sentence,
      next_step: { kind: diagnosis.nextStep.kind, sentence: diagnosis.nextStep.sentence },
      dead_letter: diagnosis.deadLetter,
      evidence: diagnosis.evidence,
      ruled_out: diagnosis.ruledOut,
      targets: diagnosis.perTarget.map(({ target, cause, sentence }) => ({ target, cause, sentence })),
      also_found: diagnosis.alsoFound.map(({ cause, sentence }) => ({ cause, sentence })),
      timeline: rows.map(({ channel, ...row }) => (channel === null ? row : { ...row, channel })),
      timeline_total: totalOf(facts, timeline.length),
      nearest: facts.nearest.map((n) => codeWord(n)),
      looked_in: facts.order ? [] : lookedIn,
      untrusted: untrustedOf(facts),
    }),
  )
}

// Attempts beyond the newest 50 of a delivery are counted, not read.
function totalOf(facts: OrderFacts, shown: number): number {
  const attempts = [...facts.deliveries, ...facts.inbound].reduce((sum, d) => sum + d.attemptsTotal, 0)
  return shown + Math.max(0, attempts - facts.attempts.length)
}

const MOST_TEXTS = 5

/** What other systems said in their answers: shown, marked, and never a part of a sentence of ours. */
function untrustedOf(facts: OrderFacts): Record<string, unknown> | null {
  const texts = facts.attempts.flatMap((a) => {
    const text = untrustedText(a.theirText)
    return text ? [{ ref: `attempt/${a.id}`, ...text }] : []
  })
  return texts.length > 0 ? { answers: texts.slice(0, MOST_TEXTS) } : null
}
