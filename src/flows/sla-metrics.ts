import { readSince } from '../core/since.ts'
import type { ChannelNames } from '../ports/channel-names.ts'
import type { SlaRow, SyncMetrics } from '../ports/sync-metrics.ts'
import { type BadMarketplace, marketplaceProblem } from './marketplace-filter.ts'

export interface SlaFigures {
  total_synced: number
  avg_sync_seconds: number | null
  p50_sync_seconds: number | null
  p95_sync_seconds: number | null
  p99_sync_seconds: number | null
  /** Delivered of all that ended, 0 to 1; null when nothing ended. */
  success_rate: number | null
  dead_letters: number
}

export type Sla =
  | ({
      kind: 'sla'
      source: 'operational'
      window: string
      marketplace: string
      byMarketplace: ({ marketplace: string } & SlaFigures)[]
    } & SlaFigures)
  | { kind: 'bad-window' }
  | BadMarketplace

export interface SlaPorts {
  metrics: SyncMetrics
  channels: ChannelNames
}

/** Sync latency (planned to delivered) and success over a window such as `24h` or `7d`, from the operational tables. */
export async function slaMetrics(
  { marketplace, window }: { marketplace: string | null; window: string },
  { metrics, channels }: SlaPorts,
): Promise<Sla> {
  const since = readSince(window)
  if (since?.kind !== 'window') return { kind: 'bad-window' }
  const problem = await marketplaceProblem(marketplace, channels)
  if (problem) return problem
  const rows = await metrics.sla(marketplace, since.ms)
  const all = rows.find((r) => r.marketplace === 'all')
  return {
    kind: 'sla',
    source: 'operational',
    window,
    marketplace: marketplace ?? 'all',
    ...figuresOf(all),
    byMarketplace: rows.filter((r) => r.marketplace !== 'all').map((r) => ({ marketplace: r.marketplace, ...figuresOf(r) })),
  }
}

function figuresOf(row: SlaRow | undefined): SlaFigures {
  const ended = (row?.totalSynced ?? 0) + (row?.dead ?? 0)
  return {
    total_synced: row?.totalSynced ?? 0,
    avg_sync_seconds: rounded(row?.avgSeconds),
    p50_sync_seconds: rounded(row?.p50Seconds),
    p95_sync_seconds: rounded(row?.p95Seconds),
    p99_sync_seconds: rounded(row?.p99Seconds),
    success_rate: ended === 0 ? null : Math.round(((row?.totalSynced ?? 0) / ended) * 10_000) / 10_000,
    dead_letters: row?.dead ?? 0,
  }
}

function rounded(seconds: number | null | undefined): number | null {
  return seconds === null || seconds === undefined ? null : Math.round(seconds * 1000) / 1000
}
