import { ODOO_CHANNEL } from '../core/channel.ts'
import type { ClaimedEvent, EventEnding, Inbox } from '../ports/inbox.ts'
import { collectErpOrders, type CollectPorts, recollectErpOrders } from './collect-erp-orders.ts'

export interface HintPorts {
  inbox: Inbox
  collect: CollectPorts
  leaseMs: number
}

const MOST_HINTS = 50
/** Odoo 17 and 18 post before their commit: a record that is not readable yet is looked for by the collector's own window. */
const BUSY_MS = 500

/**
 * Odoo's webhooks say only that a record changed: the orders they name are read again by id. Events of other models wake the collector,
 * whose window finds what moved. Answers how many events ended.
 */
export async function applyErpHints(ports: HintPorts, signal: AbortSignal): Promise<number> {
  const claims = await ports.inbox.claim(ODOO_CHANNEL, MOST_HINTS, ports.leaseMs)
  return claims.length === 0 ? 0 : applyClaims(claims, ports, signal)
}

/** One suspect hint; the caller has nothing else in hand. */
export async function applySuspectHint(ports: HintPorts, signal: AbortSignal): Promise<number> {
  const claim = await ports.inbox.claimSuspect(ODOO_CHANNEL, ports.leaseMs)
  return claim === null ? 0 : applyClaims([claim], ports, signal)
}

async function applyClaims(claims: readonly ClaimedEvent[], ports: HintPorts, signal: AbortSignal): Promise<number> {
  const named = [...new Set(claims.flatMap((claim) => orderIdIn(claim) ?? []))]
  const outcome = named.length > 0 ? await recollectErpOrders(named, ports.collect, signal) : await collectErpOrders(ports.collect, signal)
  const ending: EventEnding =
    outcome.kind === 'collected'
      ? { state: 'applied', orderId: null }
      : {
          state: 'pending',
          delayMs: BUSY_MS,
          counted: false,
          cause: outcome.kind === 'busy' ? 'inbound-waiting' : 'erp-unreachable',
          gate: { kind: 'none' },
        }
  await Promise.all(claims.map((claim) => ports.inbox.end(claim, ending)))
  return ending.state === 'applied' ? claims.length : 0
}

function orderIdIn(claim: ClaimedEvent): string | undefined {
  return /^\/sale\.order\/(\d+)$/.exec(claim.resource)?.[1]
}
