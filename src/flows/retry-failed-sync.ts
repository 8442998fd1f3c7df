import { outboxIdOf, readIdentifier } from '../core/identifier.ts'
import { loggedIdentifier } from '../core/logged-text.ts'
import type { AuditIntent, Principal } from '../ports/audit.ts'
import type { DeadLetterRef, DeadLetters, LetterState, Replay } from '../ports/dead-letters.ts'
import type { OrderStore, QuarantineOf } from '../ports/order-store.ts'
import type { Candidate, OrderTrace, Resolved } from '../ports/order-trace.ts'
import { audited, type AuditPorts, recorded } from './audited.ts'
import { NOT_IN_QUARANTINE, type Reread } from './reread-quarantined.ts'

export interface RetryPorts extends AuditPorts {
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
      refused: { outboxId: string; reason: string }[]
      now: Standing[]
      operationId: string
      recorded: boolean
    }
  | { kind: 'ambiguous'; candidates: Candidate[] }
  | { kind: 'unknown'; nearest: string[] }
  /** The intent could not be written: nothing was changed. */
  | { kind: 'unaudited' }

/**
 * The newest dead letter of each of the order's bindings and its dead inbound events go back to pending, an ERP order in quarantine is read again,
 * and what is owed and was never planned is planned. Answers what really changed: nothing changed is no success.
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
    run: async () => {
      const replays = await ports.deadLetters.replayOrder(orderId)
      const reread = await ports.reread({ orderId })
      return { replays, reread, planned: reread.planned + (await ports.orders.replan(orderId)) }
    },
    outcomeOf,
  })
  if (result.kind === 'unaudited') return { kind: 'unaudited' }
  const now = await ports.deadLetters.statesOfOrder(orderId)
  return answerOf(result.value, now, { operationId: result.operationId, recorded: result.kind === 'done' })
}

// An ERP order that never left quarantine has no silver order, so no binding and no dead letter.
async function retryQuarantined(request: RetryRequest, quarantineIds: readonly string[], ports: RetryPorts): Promise<RetryAnswer> {
  const result = await audited(ports, {
    intent: intentOf(request, true, { kind: 'erp_quarantine', id: quarantineIds.join(', ') }),
    run: async () => {
      const reread = await ports.reread({ quarantineIds })
      return { replays: [], reread, planned: reread.planned }
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
    intent: intentOf(request, true, { kind: dead.ref.table, id: dead.ref.id, expectedVersion: String(dead.stateVersion) }),
    run: async () => ({ replays: [await ports.deadLetters.replay(dead.ref, dead.stateVersion)], reread: NOT_IN_QUARANTINE, planned: 0 }),
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
}

function outcomeOf({ replays, reread, planned }: Done): { result: 'ok' | 'error'; errorCode?: string; effect: Record<string, unknown> } {
  const replayed = replays.filter((r) => r.kind === 'replayed').map(idOf)
  const effect = { replayed, planned, ...(reread.healed.length > 0 ? { left_quarantine: reread.healed } : {}) }
  const changed = replayed.length + planned + reread.healed.length
  return changed > 0 ? { result: 'ok', effect } : { result: 'error', errorCode: 'nothing-to-retry', effect }
}

function answerOf(
  { replays, reread, planned }: Done,
  now: readonly LetterState[],
  about: { operationId: string; recorded: boolean },
): RetryAnswer {
  const replayed = replays.filter((r) => r.kind === 'replayed').map(idOf)
  const changed = replayed.length + planned + reread.healed.length
  return {
    kind: changed > 0 ? 'retried' : 'nothing-to-retry',
    changed,
    replayed,
    planned,
    reread,
    refused: replays.flatMap((r) => (r.kind === 'refused' ? [{ outboxId: idOf(r), reason: r.reason }] : [])),
    now: now.map((s) => ({ outboxId: outboxIdOf(s.ref.table, s.ref.id), channel: s.channel, state: s.state, cause: s.cause })),
    ...about,
  }
}

const idOf = (replay: Replay): string => outboxIdOf(replay.ref.table, replay.ref.id)
