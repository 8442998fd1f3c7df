import type { CollectPorts } from './collect-erp-orders.ts'
import { type CollectOutcome, holdCursor } from './hold-cursor.ts'

const STOCK_CURSOR = 'erp-stock'

/** Reads SKUs whose free quantity may have moved, and plans the new quantities; the first pass only sets the cursor back by the overlap. */
export async function collectStock(ports: CollectPorts, signal: AbortSignal): Promise<CollectOutcome> {
  return holdCursor(STOCK_CURSOR, ports, signal, async (ticket) => {
    const now = Date.parse(await ports.erp.serverTime(signal))
    const since = ticket.cursor ? Date.parse(ticket.cursor.watermark) - ports.overlapMs : now - ports.overlapMs
    const watermark = new Date(now).toISOString()
    const stock = await ports.erp.changedStock(new Date(since).toISOString(), watermark, signal)
    const planned = await ports.store.storeStock(STOCK_CURSOR, ticket, stock, { watermark })
    return { changed: stock.length, unchanged: 0, planned, quarantined: 0 }
  })
}
