import { outboxIdOf, readIdentifier } from '../core/identifier.ts'
import { loggedIdentifier } from '../core/logged-text.ts'
import type { AuditIntent, Principal } from '../ports/audit.ts'
import type { DeadLetterRef, DeadLetters, LetterState, Replay } from '../ports/dead-letters.ts'
import type { OrderStore, QuarantineOf } from '../ports/order-store.ts'
import type { Candidate, OrderTrace, Resolved } from '../ports/order-trace.ts'
import { audited, type AuditPorts, recorded } from './audited.ts'
import { type RefetchPorts, refetchUnmapped } from './refetch-unmapped.ts'
import { NOT_IN_QUARANTINE, type Reread } from './reread-quarantined.ts'

export interface RetryPorts extends AuditPorts, RefetchPorts {
  trace: OrderTrace
  deadLetters: DeadLetters
  orders: Pick<OrderStore, 'replan'>
  /** Reads what is in quarantine of the order again, at once. */
  reread(of: QuarantineOf): Promise<Reread>
}

export interface RetryRequest {
  principal: Principal
  orderId: string
  reason: string | null
  tool: string
}

/** How one delivery or event of the order stands after the call. */
export interface Standing {
  outboxId: string
  channel: string
  state: string
  cause: string | null
}

export type RetryAnswer =
  | {
      kind: 'retried' | 'nothing-to-retry'
      changed: number
      replayed: string[]
      planned: number
      /** What reading the ERP order again changed, for one in quarantine. */
      reread: Reread
      /** Ids of the events that have the order fetched again, since a status was not understood. */
      refetched: string[]
      refused: { outboxId: string; reason: string }[]
      now: Standing[]
      operationId: string
      recorded: boolean
    }
  | { kind: 'ambiguous'; candidates: Candidate[] }
  | { kind: 'unknown'; nearest: string[] }
  /** A worker has the order in hand: nothing was changed. */
  | { kind: 'in-flight' }
  /** The intent could not be written: nothing was changed. */
  | { kind: 'unaudited' }

/**
 * The newest dead letter of each of the order's bindings and its dead inbound events go back to pending, an ERP order in quarantine is read again,
 * what is owed and was never planned is planned, and what shows a status that no map knew is fetched again. Answers what really changed: nothing
 * changed is no success.
 */
export async function retryFailedSync(request: RetryRequest, ports: RetryPorts): Promise<RetryAnswer> {
  const elapsedMs = ports.clock.stopwatch()
  const answer = await retry(request, ports)
  if (answer.kind !== 'ambiguous' && answer.kind !== 'unknown') return answer
  const outcome = { result: 'error', errorCode: answer.kind === 'ambiguous' ? 'ambiguous' : 'not-found-anywhere' } as const
  const intent = intentOf(request, answer.kind === 'ambiguous')
  return (await recorded(ports, intent, { ...outcome, latencyMs: Math.round(elapsedMs()) })) ? answer : { kind: 'unaudited' }
}

async function retry(request: RetryRequest, ports: RetryPorts): Promise<RetryAnswer> {
  const resolved = await ports.trace.resolve(readIdentifier(request.orderId))
  if (resolved.kind === 'ambiguous') return { kind: 'ambiguous', candidates: resolved.candidates }
  if (resolved.kind === 'unknown') return { kind: 'unknown', nearest: resolved.nearest }
  if (resolved.kind === 'unapplied')
    return resolved.unapplied.quarantineIds.length > 0
      ? retryQuarantined(request, resolved.unapplied.quarantineIds, ports)
      : retryLetters(request, lettersOf(resolved), ports)
  const { orderId } = resolved
  const result = await audited(ports, {
    intent: intentOf(request, true, { kind: 'order', id: orderId }),
    run: async (operationId) => {
      const replays = await ports.deadLetters.replayOrder(orderId, operationId)
      if (replays === 'in-flight') return replays
      const reread = await ports.reread({ orderId })
      const planned = reread.planned + (await ports.orders.replan(orderId))
      return { replays, reread, planned, refetched: await refetchUnmapped(orderId, operationId, ports) }
    },
    outcomeOf: (done) => (done === 'in-flight' ? { result: 'error', errorCode: done } : outcomeOf(done)),
  })
  if (result.kind === 'unaudited') return { kind: 'unaudited' }
  if (result.value === 'in-flight') return { kind: 'in-flight' }
  const now = await ports.deadLetters.statesOfOrder(orderId)
  return answerOf(result.value, now, { operationId: result.operationId, recorded: result.kind === 'done' })
}

// An ERP order that never left quarantine has no silver order, so no binding and no dead letter.
async function retryQuarantined(request: RetryRequest, quarantineIds: readonly string[], ports: RetryPorts): Promise<RetryAnswer> {
  const result = await audited(ports, {
    intent: intentOf(request, true, { kind: 'erp_quarantine', id: quarantineIds.join(', ') }),
    run: async () => {
      const reread = await ports.reread({ quarantineIds })
      return { ...NOTHING, reread, planned: reread.planned }
    },
    outcomeOf,
  })
  if (result.kind === 'unaudited') return { kind: 'unaudited' }
  return answerOf(result.value, [], { operationId: result.operationId, recorded: result.kind === 'done' })
}

function lettersOf({ unapplied, focus }: Resolved & { kind: 'unapplied' }): DeadLetterRef[] {
  if (focus?.table === 'delivery') return [focus]
  return unapplied.inboundIds.slice(0, 20).map((id) => ({ table: 'inbound_event', id }))
}

// Stock, or events that were never tied to an order: the newest one alone says what the marketplace wanted to say.
async function retryLetters(request: RetryRequest, letters: readonly DeadLetterRef[], ports: RetryPorts): Promise<RetryAnswer> {
  const states = await Promise.all(letters.map((ref) => ports.deadLetters.state(ref)))
  const dead = states.find((s) => s?.state === 'dead')
  if (!dead) return { kind: 'unknown', nearest: [] }
  const result = await audited(ports, {
    intent: {
      ...intentOf(request, true, { kind: dead.ref.table, id: dead.ref.id, expectedVersion: String(dead.stateVersion) }),
      isNoted: true,
    },
    run: async (operationId) => ({ ...NOTHING, replays: [await ports.deadLetters.replay(dead.ref, dead.stateVersion, operationId)] }),
    outcomeOf,
  })
  if (result.kind === 'unaudited') return { kind: 'unaudited' }
  const now = await ports.deadLetters.state(dead.ref)
  return answerOf(result.value, now ? [now] : [], { operationId: result.operationId, recorded: result.kind === 'done' })
}

function intentOf(request: RetryRequest, held: boolean, target?: AuditIntent['target']): AuditIntent {
  return {
    principal: request.principal,
    tool: request.tool,
    scopeUsed: 'outbox.retry',
    params: { order_id: loggedIdentifier(request.orderId, held) },
    ...(target && { target }),
    ...(request.reason === null ? {} : { reason: request.reason }),
  }
}

/** What the call did. */
interface Done {
  replays: readonly Replay[]
  reread: Reread
  planned: number
  refetched: string[]
}

const NOTHING: Done = { replays: [], reread: NOT_IN_QUARANTINE, planned: 0, refetched: [] }

const replayedBy = ({ replays }: Done): string[] => replays.filter((r) => r.kind === 'replayed').map(idOf)
const changedBy = (done: Done): number => replayedBy(done).length + done.planned + done.reread.healed.length + done.refetched.length

function outcomeOf(done: Done): { result: 'ok' | 'error'; errorCode?: string; effect: Record<string, unknown> } {
  const { reread, planned, refetched } = done
  const effect = {
    replayed: replayedBy(done),
    planned,
    ...(reread.healed.length > 0 ? { left_quarantine: reread.healed } : {}),
    ...(refetched.length > 0 ? { refetched } : {}),
  }
  return changedBy(done) > 0 ? { result: 'ok', effect } : { result: 'error', errorCode: 'nothing-to-retry', effect }
}

function answerOf(done: Done, now: readonly LetterState[], about: { operationId: string; recorded: boolean }): RetryAnswer {
  const changed = changedBy(done)
  return {
    kind: changed > 0 ? 'retried' : 'nothing-to-retry',
    changed,
    replayed: replayedBy(done),
    planned: done.planned,
    reread: done.reread,
    refetched: done.refetched,
    refused: done.replays.flatMap((r) => (r.kind === 'refused' ? [{ outboxId: idOf(r), reason: r.reason }] : [])),
    now: now.map((s) => ({ outboxId: outboxIdOf(s.ref.table, s.ref.id), channel: s.channel, state: s.state, cause: s.cause })),
    ...about,
  }
}

const idOf = (replay: Replay): string => outboxIdOf(replay.ref.table, replay.ref.id)
