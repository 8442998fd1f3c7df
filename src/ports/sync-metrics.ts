/** Latency from planning to delivered, and success, of the deliveries that ended within a window. Seconds. */
export interface SlaRow {
  marketplace: string
  totalSynced: number
  dead: number
  avgSeconds: number | null
  p50Seconds: number | null
  p95Seconds: number | null
  p99Seconds: number | null
}

export interface SyncMetrics {
  /** Per marketplace (`odoo` included), and all of them together under `all`. `marketplace` null: every one. */
  sla(marketplace: string | null, windowMs: number): Promise<SlaRow[]>
}
