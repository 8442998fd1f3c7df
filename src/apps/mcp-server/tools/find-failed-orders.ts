import { z } from 'zod'
import { codeWord, plainLine } from '../../../core/untrusted.ts'
import { findFailedOrders } from '../../../flows/find-failed-orders.ts'
import type { FailedOrder } from '../../../ports/failed-orders.ts'
import { badMarketplace, fitted, Marketplace, present, SinceWindow, Row } from '../answer.ts'
import { defineTool, type Suggestion } from '../tool.ts'

const output = z.object({
  returned: z.number(),
  total: z.number(),
  by_cause: z.record(z.string(), z.number()),
  sentence: z.string(),
  orders: z.array(Row),
})

/** Orders that should be somewhere and are not. */
export const findFailedOrdersTool = defineTool({
  name: 'find_failed_orders',
  title: 'Find failed orders',
  description:
    'Orders that should be in a marketplace or the ERP and are not: dead letters, late deliveries, quarantined ERP orders, orders that went missing; each with cause and outbox_id. Newest first. Then trace_order for one, or replay_dlq_message.',
  scope: 'metrics.read',
  effect: 'read',
  input: z.strictObject({
    since: SinceWindow,
    marketplace: Marketplace,
    limit: z.number().int().min(1).max(50).optional().describe('default 20'),
  }),
  output,
  async run({ since, marketplace, limit }, { ports }) {
    const found = await findFailedOrders({ since: since ?? null, marketplace: marketplace ?? null, limit: limit ?? 20 }, ports)
    if (found.kind === 'bad-since')
      return { kind: 'error', code: 'invalid-arguments', sentence: 'since: write 24h, 7d or an ISO time.', audited: false }
    if (found.kind === 'bad-marketplace') return badMarketplace(found)
    const data = fitted([...found.orders].reverse(), (rows) => ({
      returned: rows.length,
      total: found.total,
      by_cause: found.byCause,
      sentence:
        found.total === 0
          ? 'Nothing failed in this window. A wider since, or another marketplace, may show more.'
          : `${found.total} found, the newest ${rows.length} shown.`,
      orders: [...rows].reverse().map(orderRow),
    }))
    return { kind: 'answer', data, suggestions: next(found.orders[0]), audited: false }
  },
})

function orderRow(o: FailedOrder): Record<string, unknown> {
  const summary = plainLine(o.summary, 160)
  return present({
    order: codeWord(o.known),
    target: o.target,
    cause: o.cause,
    state: o.state,
    since: o.since,
    outbox_id: o.deadLetter,
    summary: summary === '' ? null : summary,
  })
}

function next(first: FailedOrder | undefined): Suggestion[] {
  if (!first) return []
  const trace: Suggestion = {
    toolName: 'trace_order',
    arguments: { order_id: codeWord(first.known) },
    reason: 'Cause and evidence of the newest one.',
  }
  return [trace, { toolName: 'get_dlq_depth', arguments: {}, reason: 'How the dead letters divide by target and cause.' }]
}
