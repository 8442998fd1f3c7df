import { z } from 'zod'
import { deadLetterDepth } from '../../../flows/dead-letters.ts'
import { Row } from '../answer.ts'
import { defineTool, type Suggestion } from '../tool.ts'

const output = z.object({
  dead_letters: z.number(),
  orders: z.number(),
  oldest_at: z.string().optional(),
  oldest_age_seconds: z.number().optional(),
  by_target: z.array(Row),
  by_cause: z.array(Row),
})

/** How much was given up on. */
export const getDlqDepth = defineTool({
  name: 'get_dlq_depth',
  title: 'Dead-letter depth',
  description:
    'How many dead letters and orders were given up on, in both directions: in total, by target, by cause, and the oldest age. A cheap first look; then find_failed_orders for the orders.',
  scope: 'metrics.read',
  effect: 'read',
  input: z.strictObject({}),
  output,
  async run(_args, { ports }) {
    const depth = await deadLetterDepth(ports.deadLetters)
    const oldest =
      depth.oldestAt === null
        ? {}
        : {
            oldest_at: depth.oldestAt,
            oldest_age_seconds: Math.max(0, Math.round((Date.parse(depth.at) - Date.parse(depth.oldestAt)) / 1000)),
          }
    const data = {
      dead_letters: depth.deadLetters,
      orders: depth.orders,
      ...oldest,
      by_target: depth.byTarget.map(({ target, count, orders, oldestAt }) => ({ target, count, orders, oldest_at: oldestAt })),
      by_cause: depth.byCause.map(({ cause, count, oldestAt }) => ({ cause, count, oldest_at: oldestAt })),
    }
    return { kind: 'answer', data, suggestions: depth.deadLetters > 0 ? next(depth.byCause[0]?.cause) : [], audited: false }
  },
})

function next(topCause: string | undefined): Suggestion[] {
  const list: Suggestion = {
    toolName: 'find_failed_orders',
    arguments: { since: '7d' },
    reason: 'The orders behind these numbers, with their causes.',
  }
  if (topCause === undefined) return [list]
  return [
    list,
    {
      toolName: 'drain_dlq',
      arguments: { dry_run: true, cause: topCause },
      reason: 'Plan a bulk replay of the largest group; it lists and changes nothing.',
    },
  ]
}
