import type { Clock } from '../ports/clock.ts'
import type { InQuarantine, QuarantineOf } from '../ports/order-store.ts'
import { type RecollectPorts, recollectErpOrders } from './collect-erp-orders.ts'
import type { CollectOutcome } from './hold-cursor.ts'

export interface RereadPorts extends RecollectPorts {
  clock: Clock
}

export interface Reread {
  /** ERP ids that left quarantine. */
  healed: string[]
  kept: InQuarantine[]
  /** Deliveries planned by it. */
  planned: number
  /** Why the ERP was not read: the code of its failure, or `busy` while another process collects. */
  failure: string | null
}

export const NOT_IN_QUARANTINE: Reread = { healed: [], kept: [], planned: 0, failure: null }

/** Reads quarantined ERP orders again, at once: their fix may lie on a product, which moves no version of the order. */
export async function rereadQuarantined(of: QuarantineOf, ports: RereadPorts, signal: AbortSignal): Promise<Reread> {
  const before = await ports.store.quarantined(of)
  if (before.length === 0) return NOT_IN_QUARANTINE
  const erpIds = before.map((row) => row.erpId)
  const outcome = await recollectInTurn(erpIds, ports, signal)
  const kept = await ports.store.quarantined(of)
  return {
    healed: erpIds.filter((erpId) => !kept.some((row) => row.erpId === erpId)),
    kept,
    planned: outcome.kind === 'collected' ? outcome.planned : 0,
    failure: outcome.kind === 'failed' ? outcome.code : outcome.kind === 'busy' ? 'busy' : null,
  }
}

const TURN_MS = 250

// The collector holds the cursor for moments only; whoever asked is waiting, until the signal ends it.
async function recollectInTurn(erpIds: readonly string[], ports: RereadPorts, signal: AbortSignal): Promise<CollectOutcome> {
  for (;;) {
    const outcome = await recollectErpOrders(erpIds, ports, signal)
    if (outcome.kind !== 'busy' || signal.aborted) return outcome
    await ports.clock.wait(TURN_MS, signal)
  }
}
