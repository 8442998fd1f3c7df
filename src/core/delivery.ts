import { backoffMs } from './backoff.ts'
import type { CauseCode } from './cause-code.ts'
import type { IntegrationErrorCode, IntegrationErrorDetail } from './integration-error.ts'

/**
 *            plan                    intent                      ok, nothing more to send
 *   (none) ───────▶ pending ───────────────────▶ ambiguous ───────────────────────────▶ delivered
 *                    │  ▲                          │  │ ▲
 *        newer plan  │  │ not sent, asked to wait, │  │ │ no clear answer: settle, look up
 *                    ▼  │ one of several requests  │  └─┘
 *               superseded ◀──── newer waits ──────┤
 *                       ▲                          ▼
 *                       └──── (replay: pending) ─ dead
 */
export const DELIVERY_STATES = ['pending', 'ambiguous', 'delivered', 'superseded', 'dead'] as const
export type DeliveryState = (typeof DELIVERY_STATES)[number]

export type Operation = 'create' | 'update' | 'cancel' | 'confirm' | 'note' | 'track' | 'stock'

/** How one request ended: the answer, or the one code that decides policy. */
export type RequestResult = { ok: true } | { ok: false; code: IntegrationErrorCode; detail: IntegrationErrorDetail }

/** What a finished request does to the channel's gate, which every worker shares. */
export type GateEffect =
  | { kind: 'none' }
  | { kind: 'untested' } // no request was sent: the turn of a probe goes back
  | { kind: 'healthy' }
  | { kind: 'failure' } // feeds the circuit
  | { kind: 'limit'; forMs: number } // the account's bucket is empty until then
  | { kind: 'pause'; cause: CauseCode } // credentials refused

export type Settlement = { gate: GateEffect } & (
  | { state: 'delivered'; reason: DeliveredReason }
  | { state: 'continue' } // pending, the lease kept: this version needs another request
  | { state: 'pending'; delayMs: number; counted: boolean; cause: CauseCode }
  | { state: 'ambiguous'; delayMs: number }
  | { state: 'superseded' }
  | { state: 'dead'; cause: CauseCode; reason: IntegrationErrorCode | 'attempts-exhausted' | 'refused' }
)

export type DeliveredReason = 'sent' | 'already-there' | 'nothing-to-do'

export interface RetryPolicy {
  maxTries: number
  /** Shortens the whole schedule; 1 in production. */
  backoffScale: number
  /** A number in [0, 1) for the jitter. */
  random: number
}

const MOST_NOT_FOUND = 5
const DEFAULT_LIMIT_MS = 30_000
const LONGEST_LIMIT_MS = 6 * 3_600_000

/** What a send that ended so makes of its delivery. `tries` counts this one. Total over every code. */
export function settleSend(tries: number, result: RequestResult, policy: RetryPolicy): Settlement {
  if (result.ok) return { state: 'continue', gate: { kind: 'healthy' } }
  const { code, detail } = result
  const delayMs = backoffMs(tries, policy.random, policy.backoffScale)
  switch (code) {
    case 'unreachable':
      return { state: 'pending', delayMs, counted: false, cause: 'backing-off', gate: { kind: 'failure' } }
    case 'no-answer':
    case 'malformed-response':
      return { state: 'ambiguous', delayMs, gate: { kind: 'none' } }
    case 'unavailable':
      return { state: 'ambiguous', delayMs, gate: { kind: 'failure' } }
    case 'rate-limited':
      return {
        state: 'pending',
        delayMs: limitMs(detail),
        counted: false,
        cause: 'rate-limited',
        gate: { kind: 'limit', forMs: limitMs(detail) },
      }
    case 'unauthorized': {
      const cause = waitingCause(code, detail)
      return { state: 'pending', delayMs: detail.credentialRenewed ? 0 : delayMs, counted: false, cause, gate: gateOf(code, detail) }
    }
    case 'conflict': // stale version: the next try re-reads before it sends
      return tries >= policy.maxTries
        ? { state: 'dead', cause: detail.causeCode ?? 'rejected-by-target', reason: code, gate: { kind: 'healthy' } }
        : { state: 'pending', delayMs, counted: true, cause: 'backing-off', gate: { kind: 'healthy' } }
    case 'not-found':
    case 'rejected':
      return { state: 'dead', cause: detail.causeCode ?? 'rejected-by-target', reason: code, gate: { kind: 'healthy' } }
    case 'unsupported':
      return { state: 'dead', cause: 'unsupported-by-target', reason: code, gate: { kind: 'none' } }
  }
}

/**
 * What a look-up without a clear answer makes of its delivery: the row stays as it was claimed, due again by backoff.
 * An `ambiguous` one never becomes `pending` or `dead` by it.
 */
export function settleFailedLookUp(
  claimedAs: 'pending' | 'ambiguous',
  tries: number,
  failure: { code: IntegrationErrorCode; detail: IntegrationErrorDetail },
  policy: RetryPolicy,
): Settlement {
  const gate = gateOf(failure.code, failure.detail)
  const delayMs = readAgainMs(Math.max(tries, 1), failure.detail, { policy, gate })
  if (claimedAs === 'ambiguous') return { state: 'ambiguous', delayMs, gate }
  return { state: 'pending', delayMs, counted: false, cause: waitingCause(failure.code, failure.detail), gate }
}

/** What an inbound event's failed fetch makes of it. A fetch has no effect, so it is never ambiguous. */
export function settleFetch(
  tries: number,
  failure: { code: IntegrationErrorCode; detail: IntegrationErrorDetail },
  policy: RetryPolicy,
): { state: 'pending'; delayMs: number; counted: boolean; gate: GateEffect } | { state: 'dead'; cause: CauseCode; gate: GateEffect } {
  const gate = gateOf(failure.code, failure.detail)
  const delayMs = readAgainMs(tries, failure.detail, { policy, gate })
  const held = failure.code === 'unreachable' || failure.code === 'unauthorized' || failure.code === 'rate-limited'
  if (held) return { state: 'pending', delayMs, counted: false, gate }
  const permanent = failure.code === 'rejected' || failure.code === 'unsupported'
  // A 404 right after a notification is propagation (MercadoLibre: minutes), so it is tried again before it is given up on.
  const absent = failure.code === 'not-found' && tries >= MOST_NOT_FOUND
  if (permanent || absent || tries >= policy.maxTries) return { state: 'dead', cause: failure.detail.causeCode ?? 'inbound-dead', gate }
  return { state: 'pending', delayMs, counted: true, gate }
}

function readAgainMs(tries: number, detail: IntegrationErrorDetail, { policy, gate }: { policy: RetryPolicy; gate: GateEffect }): number {
  if (detail.credentialRenewed) return 0
  return Math.max(backoffMs(tries, policy.random, policy.backoffScale), gate.kind === 'limit' ? gate.forMs : 0)
}

export function gateOf(code: IntegrationErrorCode, detail: IntegrationErrorDetail): GateEffect {
  switch (code) {
    case 'unreachable':
    case 'unavailable':
      return { kind: 'failure' }
    case 'rate-limited':
      return { kind: 'limit', forMs: limitMs(detail) }
    case 'unauthorized':
      return detail.credentialRenewed ? { kind: 'none' } : { kind: 'pause', cause: 'credentials-rejected' }
    case 'no-answer':
    case 'malformed-response':
    case 'unsupported':
      return { kind: 'none' }
    case 'conflict':
    case 'not-found':
    case 'rejected':
      return { kind: 'healthy' }
  }
}

function limitMs(detail: IntegrationErrorDetail): number {
  const asked = detail.retryAfterMs ?? DEFAULT_LIMIT_MS
  return Number.isNaN(asked) ? DEFAULT_LIMIT_MS : Math.min(Math.max(asked, 0), LONGEST_LIMIT_MS)
}

function waitingCause(code: IntegrationErrorCode, detail: IntegrationErrorDetail): CauseCode {
  if (code === 'rate-limited') return 'rate-limited'
  if (code !== 'unauthorized') return 'backing-off'
  return detail.credentialRenewed ? 'queued' : 'credentials-rejected'
}

/** The next request that a version needs, decided from what the target shows; so a rerun from any point converges. */
export type Step =
  | { kind: 'send'; operation: Operation }
  | { kind: 'done'; reason: DeliveredReason }
  | { kind: 'unsupported'; operation: Operation }
  | { kind: 'refused'; cause: CauseCode; summary: string }
