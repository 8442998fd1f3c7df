import { ODOO_CHANNEL } from '../core/channel.ts'
import { type GateEffect, settleFetch } from '../core/delivery.ts'
import type { ClaimedEvent, EventEnding } from '../ports/inbox.ts'
import type { ApplyPorts } from './apply-inbound-event.ts'
import { collectErpOrders, type CollectPorts, recollectErpOrders } from './collect-erp-orders.ts'
import type { CollectOutcome } from './hold-cursor.ts'

export interface HintPorts extends Pick<ApplyPorts, 'inbox' | 'random' | 'maxTries' | 'backoffScale' | 'leaseMs'> {
  collect: CollectPorts
}

const MOST_HINTS = 50
/** How soon a hint asks again for the cursor that another process holds, milliseconds. */
const BUSY_MS = 500

/**
 * Odoo's webhooks say only that a record changed: the orders they name are read again by id. Events of other models wake the collector,
 * whose window finds what moved. A read that fails is settled like any fetch of an event. Answers how many events were applied.
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
  await Promise.all(claims.map((claim, at) => ports.inbox.end(claim, endingOf(claim, outcome, { ports, isFirst: at === 0 }))))
  return outcome.kind === 'collected' ? claims.length : 0
}

function endingOf(
  { tries }: ClaimedEvent,
  outcome: CollectOutcome,
  { ports, isFirst }: { ports: HintPorts; isFirst: boolean },
): Exclude<EventEnding, { state: 'ignored' }> {
  // One read stands for all of them: it counts once in the channel's gate.
  const once = (gate: GateEffect): GateEffect => (isFirst ? gate : { kind: 'none' })
  if (outcome.kind === 'collected') return { state: 'applied', orderId: null, gate: once({ kind: 'healthy' }) }
  if (outcome.kind === 'busy')
    return { state: 'pending', delayMs: BUSY_MS, counted: false, cause: 'inbound-waiting', gate: once({ kind: 'untested' }) }
  const policy = { maxTries: ports.maxTries, backoffScale: ports.backoffScale, random: ports.random.next() }
  const settled = settleFetch(tries + 1, outcome, policy)
  const gate = once(settled.gate)
  return settled.state === 'dead' ? { ...settled, gate } : { ...settled, cause: 'erp-unreachable', gate }
}

function orderIdIn(claim: ClaimedEvent): string | undefined {
  return /^\/sale\.order\/(\d+)$/.exec(claim.resource)?.[1]
}
