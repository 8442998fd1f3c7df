import type { Channel } from '../core/channel.ts'
import {
  type GateEffect,
  type Operation,
  type RequestResult,
  type RetryPolicy,
  type Settlement,
  settleFailedLookUp,
  settleSend,
  type Step,
} from '../core/delivery.ts'
import { type AttemptOutcome, IntegrationError, outcomeOf, withoutPersonal } from '../core/integration-error.ts'
import type { AttemptLog } from '../ports/attempt-log.ts'
import type { Clock } from '../ports/clock.ts'
import type { OrderStore } from '../ports/order-store.ts'
import type { AttemptEnd, Claim, Finish, Outbox } from '../ports/outbox.ts'
import type { Random } from '../ports/random.ts'
import type { IsLate, Sent, Shown, Target } from '../ports/target.ts'
import { continueTrace, withSpan } from '../telemetry.ts'

export interface DeliverPorts {
  outbox: Outbox
  target: Target
  channel: Channel
  store: Pick<OrderStore, 'applyTold'>
  clock: Clock
  random: Random
  backoffScale: number
}

/** How one claim ended, for the worker's count; the truth stands in the database. */
export type DeliveryEnding = Settlement['state'] | 'fenced' | 'gate-shut'

/**
 * Delivers one claimed version: look up where something may have been sent or is bound, decide the next request from what the target
 * shows, commit its intent, send, finish; until nothing is left to send. The only `catch` of the journey is here.
 */
export async function deliverOrder(claim: Claim, ports: DeliverPorts, signal: AbortSignal): Promise<DeliveryEnding> {
  return continueTrace(claim.traceparent, () =>
    withSpan('delivery', { 'rosh.channel': claim.wanted.channel, 'rosh.delivery': claim.deliveryId }, () =>
      deliver({ ...claim }, ports, signal),
    ),
  )
}

/** A claim in this flow's hands. `isAnswered`: the target answered a look-up, so its channel works, whether or not anything is left to send. */
type Held = Claim & { isAnswered?: boolean }

// More requests than any target needs for one version; a driver whose `next` never ends is a bug, not a loop.
const MOST_REQUESTS = 12

async function deliver(claim: Held, ports: DeliverPorts, signal: AbortSignal): Promise<DeliveryEnding> {
  let shown = await shownAtFirst(claim, ports, signal)
  for (let sends = 0; sends < MOST_REQUESTS; sends++) {
    if (typeof shown === 'string') return shown
    const step = ports.target.next(claim.wanted, shown)
    const settled = settleWithoutSend(step, claim)
    if (settled) return finish(claim, ports, settled.settlement, { shown, summary: settled.summary })
    if (step.kind !== 'send') throw new Error(`a step ${step.kind} without a settlement`)
    const ending = await sendOne(claim, ports, { operation: step.operation, shown, onlySend: sends === 0 }, signal)
    if (typeof ending === 'string') return ending
    claim.claimedAs = 'pending' // the lease is kept; the next request of this version starts from here
    shown = ending.shown ?? (await lookUp(claim, ports, signal))
  }
  throw new Error(`a version of ${claim.wanted.reference} needs more than ${MOST_REQUESTS} requests at ${claim.wanted.channel}`)
}

async function shownAtFirst(claim: Held, ports: DeliverPorts, signal: AbortSignal): Promise<Shown | DeliveryEnding> {
  const { externalId, firstSentAt, desired } = claim.wanted
  const neverSent = claim.claimedAs === 'pending' && externalId === null && firstSentAt === null && desired.kind === 'order'
  return neverSent && !ports.target.looksFirst ? { kind: 'absent' } : lookUp(claim, ports, signal)
}

async function lookUp(claim: Held, ports: DeliverPorts, signal: AbortSignal): Promise<Shown | DeliveryEnding> {
  try {
    const shown = await ports.target.lookUp(claim.wanted, lookUpLog(claim, ports.outbox), signal)
    if (shown.kind === 'found' && (claim.wanted.externalId !== shown.externalId || shown.copies !== undefined)) {
      await ports.outbox.bind(claim, shown)
      claim.wanted.externalId = shown.externalId
    }
    return shown
  } catch (error) {
    if (error instanceof Fenced) return 'fenced'
    if (!(error instanceof IntegrationError)) throw error
    const settlement = settleFailedLookUp(claim.claimedAs, claim.tries, error, policyOf(claim, ports))
    return finish(claim, ports, settlement, { shown: null, summary: failureOf(error, claim).detail.summary ?? null })
  }
}

/** A lease that ran out under a look-up: another worker has the row. */
class Fenced extends Error {}

function lookUpLog(claim: Held, outbox: Outbox): AttemptLog {
  return {
    async read(operation, call) {
      const requestId = await outbox.intendLookUp(claim, operation)
      if (requestId === null) throw new Fenced()
      try {
        const answer = await call(requestId)
        await outbox.endLookUp(claim, endOf(requestId, { ok: true }))
        claim.isAnswered = true
        return answer
      } catch (error) {
        if (error instanceof IntegrationError) await outbox.endLookUp(claim, endOf(requestId, failureOf(error, claim)))
        throw error
      }
    },
  }
}

function settleWithoutSend(step: Step, claim: Held): { settlement: Settlement; summary: string | null } | undefined {
  const gate: GateEffect = { kind: claim.isAnswered ? 'healthy' : 'untested' }
  switch (step.kind) {
    case 'done':
      return { settlement: { state: 'delivered', reason: step.reason, gate }, summary: null }
    case 'unsupported':
      return {
        settlement: { state: 'dead', cause: 'unsupported-by-target', reason: 'unsupported', gate },
        summary: `the target takes no ${step.operation}`,
      }
    case 'refused':
      return { settlement: { state: 'dead', cause: step.cause, reason: 'refused', gate }, summary: step.summary }
    case 'send':
      if (claim.tries < claim.maxTries || claim.claimedAs === 'pending') return undefined
      return {
        settlement: { state: 'dead', cause: 'attempts-exhausted', reason: 'attempts-exhausted', gate },
        summary: `not there after ${claim.tries} sends`,
      }
  }
}

/** Steps 3 to 5 of one request. Answers what the target shows now when this version needs more. */
async function sendOne(
  claim: Claim,
  ports: DeliverPorts,
  { operation, shown, onlySend }: { operation: Operation; shown: Shown; onlySend: boolean },
  signal: AbortSignal,
): Promise<{ shown: Shown | null } | DeliveryEnding> {
  const elapsedMs = ports.clock.stopwatch()
  const intent = await ports.outbox.intend(claim, operation)
  if (intent.kind !== 'intended') return intent.kind
  const { requestId } = intent
  let forbidden = false
  const isLate: IsLate = () => (forbidden ||= elapsedMs() > ports.channel.timing.marginMs)
  if (isLate()) return drop(claim, ports, requestId, onlySend)
  const { result, sent } = await attempt(claim, () => ports.target.send(claim.wanted, operation, shown, requestId, signal, isLate))
  // The driver asked again before the first byte and was told no: that nothing left says nothing of the target. A slow connection that
  // failed is another thing: its driver never came to ask.
  if (!result.ok && result.code === 'unreachable' && forbidden) return drop(claim, ports, requestId, onlySend)
  if (onlySend) claim.tries += 1
  if (sent?.externalId) claim.wanted.externalId = sent.externalId
  const last = sent?.shown ? settleWithoutSend(ports.target.next(claim.wanted, sent.shown), { ...claim, claimedAs: 'pending' }) : undefined
  const settlement =
    result.ok && last?.settlement.state === 'delivered'
      ? { ...last.settlement, reason: 'sent' as const, gate: { kind: 'healthy' as const } }
      : settleSend(claim.tries, result, policyOf(claim, ports))
  const ending = await finish(claim, ports, settlement, {
    attempt: endOf(requestId, result),
    externalId: sent?.externalId ?? null,
    shown: sent?.shown ?? null,
    summary: result.ok ? null : (result.detail.summary ?? null),
    onlySend,
  })
  // After the finish, which binds the id; what is lost here by a crash the reconciler reads later.
  if (sent?.told && ending !== 'fenced')
    await ports.store.applyTold({ channel: claim.wanted.channel, resource: sent.told.resource, fetchNo: intent.fetchNo }, sent.told.fetched)
  return ending === 'continue' ? { shown: sent?.shown ?? null } : ending
}

/** Too late after its intent, which another worker may take for lost any moment: nothing was sent. */
function drop(claim: Claim, ports: DeliverPorts, requestId: string, onlySend: boolean): Promise<DeliveryEnding> {
  const settlement: Settlement = { state: 'pending', delayMs: 0, counted: false, cause: 'queued', gate: { kind: 'untested' } }
  return finish(claim, ports, settlement, {
    attempt: { ...endOf(requestId, { ok: true }), outcome: 'not-sent' },
    summary: 'dropped: too late after its intent',
    onlySend,
  })
}

async function attempt(claim: Claim, send: () => Promise<Sent>): Promise<{ result: RequestResult; sent: Sent | null }> {
  try {
    return { result: { ok: true }, sent: await send() }
  } catch (error) {
    if (!(error instanceof IntegrationError)) throw error
    return { result: failureOf(error, claim), sent: null }
  }
}

/** A failed request, as it may be kept. */
function failureOf({ code, detail }: IntegrationError, { wanted }: Claim): RequestResult & { ok: false } {
  return { ok: false, code, detail: withoutPersonal(detail, Object.values(wanted.personal ?? {})) }
}

interface Ended {
  shown?: Shown | null
  attempt?: AttemptEnd
  externalId?: string | null
  summary: string | null
  onlySend?: boolean
}

async function finish(claim: Claim, ports: DeliverPorts, settlement: Settlement, ended: Ended): Promise<DeliveryEnding> {
  const found = ended.shown?.kind === 'found' ? ended.shown : null
  const record: Finish = {
    settlement,
    attempt: ended.attempt ?? null,
    externalId: ended.externalId ?? found?.externalId ?? null,
    shown: found?.content ?? null,
    summary: ended.summary,
    onlySend: ended.onlySend ?? false,
  }
  return (await ports.outbox.finish(claim, record)) === 'finished' ? settlement.state : 'fenced'
}

/** The attempt row's end of a request that ended so. */
export function endOf(requestId: string, result: RequestResult): AttemptEnd {
  const outcome: AttemptOutcome = result.ok ? 'ok' : outcomeOf(result.code)
  const detail = result.ok ? {} : result.detail
  return {
    requestId,
    outcome,
    code: result.ok ? null : result.code,
    httpStatus: detail.httpStatus ?? null,
    summary: detail.summary ?? null,
    theirText: detail.theirText ?? null,
  }
}

function policyOf(claim: Claim, ports: DeliverPorts): RetryPolicy {
  return { maxTries: claim.maxTries, backoffScale: ports.backoffScale, random: ports.random.next() }
}
