import { type GateEffect, settleFetch } from '../core/delivery.ts'
import { isOurReference } from '../core/desired.ts'
import { IntegrationError, type IntegrationErrorCode, withoutPersonal } from '../core/integration-error.ts'
import type { AttemptLog, FetchAttempts } from '../ports/attempt-log.ts'
import type { ClaimedEvent, Inbox } from '../ports/inbox.ts'
import type { Fetched, Marketplace } from '../ports/marketplace.ts'
import type { FetchTicket, OrderStore } from '../ports/order-store.ts'
import type { Random } from '../ports/random.ts'
import { continueTrace, withSpan } from '../telemetry.ts'
import { endOf } from './deliver-order.ts'

export interface ApplyPorts {
  inbox: Inbox
  attempts: FetchAttempts
  store: OrderStore
  marketplace: Marketplace
  random: Random
  maxTries: number
  /** Most requests for one read within one claim. */
  maxReads: number
  backoffScale: number
  leaseMs: number
}

export type EventOutcome = 'applied' | 'stale' | 'unchanged' | 'waiting' | 'dead' | 'fenced'

/** Applies one claimed event: the event is a hint, so the order is fetched with the hub's own credentials, then folded in. */
export async function applyInboundEvent(claim: ClaimedEvent, ports: ApplyPorts, signal: AbortSignal): Promise<EventOutcome> {
  return continueTrace(claim.traceparent, () =>
    withSpan('inbound event', { 'rosh.channel': claim.channel, 'rosh.event': claim.eventId }, () => apply(claim, ports, signal)),
  )
}

async function apply(claim: ClaimedEvent, ports: ApplyPorts, signal: AbortSignal): Promise<EventOutcome> {
  const ticket = await ports.store.drawFetch(claim.channel, claim.resource, ports.leaseMs)
  if (ticket === null) return wait(claim, ports, { delayMs: 500, gate: { kind: 'untested' } }) // another process fetches the same thing; its answer may be older than this event
  const fetched = await fetch(claim, ticket, ports, signal)
  if (typeof fetched === 'string') return fetched
  const forgottenForMs = await forgotten(claim, fetched, ports)
  if (forgottenForMs !== null) {
    await ports.store.releaseFetch(ticket)
    return wait(claim, ports, { delayMs: forgottenForMs, gate: { kind: 'healthy' } })
  }
  const applied = await ports.store.applyEvent(claim, ticket, fetched)
  if (applied.kind === 'refetch') return wait(claim, ports, { delayMs: 0, gate: { kind: 'healthy' } })
  return applied.kind
}

// After a restore the marketplace may show what the hub made of an ERP order that it has not read again: taken for a sale it would go into the ERP once more.
async function forgotten({ channel }: ClaimedEvent, { fragments }: Fetched, { store }: ApplyPorts): Promise<number | null> {
  const named = fragments.flatMap(({ identifiers }) =>
    identifiers.filter(({ kind, value }) => kind === 'reference' && isOurReference(value)),
  )
  if (named.length === 0) return null
  return store.forgottenForMs(
    channel,
    named.map(({ value }) => value),
  )
}

async function fetch(claim: ClaimedEvent, ticket: FetchTicket, ports: ApplyPorts, signal: AbortSignal): Promise<Fetched | EventOutcome> {
  try {
    return await ports.marketplace.fetchOrder(claim.resource, fetchLog(claim, ports), signal)
  } catch (error) {
    await ports.store.releaseFetch(ticket)
    if (error instanceof Fenced) return 'fenced'
    if (!(error instanceof IntegrationError)) throw error
    return settle(claim, error, ports)
  }
}

async function settle(claim: ClaimedEvent, error: IntegrationError, ports: ApplyPorts): Promise<EventOutcome> {
  const policy = { maxTries: ports.maxTries, backoffScale: ports.backoffScale, random: ports.random.next() }
  const settled = settleFetch(claim.tries + 1, error, policy)
  const ending = settled.state === 'dead' ? settled : { ...settled, cause: 'inbound-failing' as const }
  if (!(await ports.inbox.end(claim, ending))) return 'fenced'
  return settled.state === 'dead' ? 'dead' : 'waiting'
}

async function wait(claim: ClaimedEvent, ports: ApplyPorts, how: { delayMs: number; gate: GateEffect }): Promise<EventOutcome> {
  const ended = await ports.inbox.end(claim, {
    state: 'pending',
    ...how,
    counted: false,
    cause: 'inbound-waiting',
  })
  return ended ? 'waiting' : 'fenced'
}

/** The lease ran out under a fetch: another worker has the event. */
class Fenced extends Error {}

// Reads have no effect, so a lost answer is simply asked again; only a few times, since a lease is being held.
const WORTH_ANOTHER_READ: readonly IntegrationErrorCode[] = ['no-answer', 'unavailable', 'malformed-response']

function fetchLog(claim: ClaimedEvent, ports: ApplyPorts): AttemptLog {
  return {
    async read(operation, call) {
      for (let reads = 1; ; reads++) {
        const requestId = await ports.attempts.intend(claim, operation)
        if (requestId === null) throw new Fenced()
        try {
          const answer = await call(requestId)
          await ports.attempts.end(endOf(requestId, { ok: true }))
          return answer
        } catch (error) {
          if (!(error instanceof IntegrationError)) throw error
          // A read sends nothing of a buyer, and drivers keep only the reason that an answer gives.
          await ports.attempts.end(endOf(requestId, { ok: false, code: error.code, detail: withoutPersonal(error.detail, []) }))
          const isWorthAnother = WORTH_ANOTHER_READ.includes(error.code) || error.detail.credentialRenewed === true
          if (reads >= ports.maxReads || !isWorthAnother) throw error
        }
      }
    },
  }
}
