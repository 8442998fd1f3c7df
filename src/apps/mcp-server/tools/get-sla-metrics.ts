import { z } from 'zod'
import { slaMetrics } from '../../../flows/sla-metrics.ts'
import { badMarketplace, Marketplace, present, Row } from '../answer.ts'
import { defineTool } from '../tool.ts'

const figures = {
  total_synced: z.number(),
  success_rate: z.number().optional(),
  avg_sync_seconds: z.number().optional(),
  p50_sync_seconds: z.number().optional(),
  p95_sync_seconds: z.number().optional(),
  p99_sync_seconds: z.number().optional(),
  dead_letters: z.number(),
}
const output = z.object({
  source: z.string(),
  window: z.string(),
  marketplace: z.string(),
  ...figures,
  by_marketplace: z.array(Row),
})

/** Latency and success of syncs. */
export const getSlaMetrics = defineTool({
  name: 'get_sla_metrics',
  title: 'SLA metrics',
  description:
    'Sync latency (average, p50, p95, p99 seconds from planned to delivered) and success rate over a window, in all and per marketplace. For the orders that failed, use find_failed_orders next.',
  scope: 'metrics.read',
  effect: 'read',
  input: z.strictObject({ marketplace: Marketplace, window: z.string().max(10).optional().describe('7d, 24h (default), 90m') }),
  output,
  async run({ marketplace, window }, { ports }) {
    const sla = await slaMetrics({ marketplace: marketplace ?? null, window: window ?? '24h' }, ports)
    if (sla.kind === 'bad-window')
      return {
        kind: 'error',
        code: 'invalid-arguments',
        sentence: 'window: write a number and m, h, d or w, such as 24h or 7d.',
        audited: false,
      }
    if (sla.kind === 'bad-marketplace') return badMarketplace(sla)
    const { kind: _kind, byMarketplace, ...all } = sla
    const data = { ...present(all), by_marketplace: byMarketplace.map((row) => present({ ...row })) }
    return {
      kind: 'answer',
      data,
      suggestions:
        sla.dead_letters > 0 ? [{ toolName: 'find_failed_orders', arguments: {}, reason: 'The orders that were not delivered.' }] : [],
      audited: false,
    }
  },
})
