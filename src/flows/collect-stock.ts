import { IntegrationError } from '../core/integration-error.ts'
import type { CollectOutcome, CollectPorts } from './collect-erp-orders.ts'

const STOCK_CURSOR = 'erp-stock'

/** Reads SKUs whose free quantity may have moved, and plans the new quantities; the first pass only sets the cursor back by the overlap. */
export async function collectStock(ports: CollectPorts, signal: AbortSignal): Promise<CollectOutcome> {
  const ticket = await ports.store.beginCollect(STOCK_CURSOR, ports.leaseMs)
  if (ticket === null) return { kind: 'busy' }
  try {
    const now = Date.parse(await ports.erp.serverTime(signal))
    const since = ticket.cursor ? Date.parse(ticket.cursor.watermark) - ports.overlapMs : now - ports.overlapMs
    const stock = await ports.erp.changedStock(new Date(since).toISOString(), new Date(now).toISOString(), signal)
    const planned = await ports.store.storeStock(STOCK_CURSOR, ticket, stock, { watermark: new Date(now).toISOString() })
    await ports.store.endCollect(STOCK_CURSOR, ticket, null)
    return { kind: 'collected', changed: stock.length, unchanged: 0, planned, quarantined: 0 }
  } catch (error) {
    if (!(error instanceof IntegrationError)) throw error
    await ports.store.endCollect(STOCK_CURSOR, ticket, { code: error.code, summary: error.detail.summary ?? error.code })
    return { kind: 'failed', code: error.code }
  }
}
