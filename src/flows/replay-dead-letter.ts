import { outboxIdOf, readIdentifier } from '../core/identifier.ts'
import { loggedIdentifier } from '../core/logged-text.ts'
import type { AuditIntent, Principal } from '../ports/audit.ts'
import type { DeadLetterRef, DeadLetters, Replay, ReplayRefusal } from '../ports/dead-letters.ts'
import { audited, type AuditPorts, recorded } from './audited.ts'

export interface ReplayPorts extends AuditPorts {
  deadLetters: DeadLetters
}

export interface ReplayRequest {
  principal: Principal
  /** `outbox-17`, `inbound-9`, or a bare number for a delivery. */
  outboxId: string
  reason: string | null
  /** Name the log gives the act. */
  tool: string
}

export type ReplayAnswer =
  | {
      kind: 'replayed'
      outboxId: string
      channel: string
      orderId: string | null
      before: { cause: string | null; tries: number }
      state: 'pending' | 'ambiguous'
      operationId: string
      recorded: boolean
    }
  | { kind: 'refused'; outboxId: string; reason: ReplayRefusal | 'unaudited' }

/** Puts one dead letter back to pending, due now, between an audit intent and its outcome. */
export async function replayDeadLetter(request: ReplayRequest, ports: ReplayPorts): Promise<ReplayAnswer> {
  const elapsedMs = ports.clock.stopwatch()
  const ref = readRef(request.outboxId)
  const seen = ref && (await ports.deadLetters.state(ref))
  if (!ref || !seen) {
    const outcome = { result: 'error', errorCode: 'unknown', latencyMs: Math.round(elapsedMs()) } as const
    const isRecorded = await recorded(ports, intentOf(request, loggedIdentifier(request.outboxId, false)), outcome)
    return { kind: 'refused', outboxId: request.outboxId, reason: isRecorded ? 'unknown' : 'unaudited' }
  }
  const outboxId = outboxIdOf(ref.table, ref.id)
  const result = await audited(ports, {
    intent: intentOf(request, outboxId, { kind: ref.table, id: ref.id, expectedVersion: String(seen.stateVersion) }),
    run: (operationId) => ports.deadLetters.replay(ref, seen.stateVersion, operationId),
    outcomeOf: (replay) =>
      replay.kind === 'replayed'
        ? {
            result: 'ok',
            effect: { before: { state: seen.state, ...replay.before }, after: { state: replay.state, state_version: replay.stateVersion } },
          }
        : { result: 'error', errorCode: replay.reason },
  })
  if (result.kind === 'unaudited') return { kind: 'refused', outboxId, reason: 'unaudited' }
  return answerOf(outboxId, result.value, { operationId: result.operationId, recorded: result.kind === 'done' })
}

function intentOf(request: ReplayRequest, outboxId: unknown, target?: AuditIntent['target']): AuditIntent {
  return {
    principal: request.principal,
    tool: request.tool,
    scopeUsed: 'dlq.replay',
    params: { outbox_id: outboxId },
    isNoted: true,
    ...(target && { target }),
    ...(request.reason === null ? {} : { reason: request.reason }),
  }
}

function answerOf(outboxId: string, replay: Replay, about: { operationId: string; recorded: boolean }): ReplayAnswer {
  if (replay.kind === 'refused') return { kind: 'refused', outboxId, reason: replay.reason }
  return {
    kind: 'replayed',
    outboxId,
    channel: replay.channel,
    orderId: replay.orderId,
    before: replay.before,
    state: replay.state,
    ...about,
  }
}

/** The row that an outbox id names; undefined for what is none. */
function readRef(outboxId: string): DeadLetterRef | undefined {
  const typed = readIdentifier(/^\s*\d+\s*$/.test(outboxId) ? `outbox-${outboxId.trim()}` : outboxId)
  if (typed.deliveryId !== null) return { table: 'delivery', id: typed.deliveryId }
  return typed.inboundId === null ? undefined : { table: 'inbound_event', id: typed.inboundId }
}
