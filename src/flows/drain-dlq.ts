import { outboxIdOf } from '../core/identifier.ts'
import { loggedWords } from '../core/logged-text.ts'
import { readSince } from '../core/since.ts'
import type { AuditIntent, AuditOutcome, Principal } from '../ports/audit.ts'
import type { ChannelNames } from '../ports/channel-names.ts'
import type { DeadLetter, DeadLetterFilter, DeadLetters } from '../ports/dead-letters.ts'
import type { DrainPlan, PlanSeal } from '../ports/plan-seal.ts'
import { audited, type AuditPorts, recorded } from './audited.ts'
import { type BadMarketplace, marketplaceProblem } from './marketplace-filter.ts'

export interface DrainPorts extends AuditPorts {
  deadLetters: DeadLetters
  channels: ChannelNames
  seal: PlanSeal
}

export interface DrainRequest {
  principal: Principal
  dryRun: boolean
  marketplace: string | null
  cause: string | null
  since: string | null
  /** Null: whatever the plan says, else replay. */
  action: 'replay' | 'archive' | null
  planToken: string | null
  expectedCount: number | null
  reason: string | null
  tool: string
}

export type DrainRefusal =
  | 'bad-since'
  | 'plan-invalid'
  | 'plan-expired'
  | 'plan-differs'
  | 'count-differs'
  | 'plan-used'
  | 'plan-stale'
  | 'in-flight'
  | 'unaudited'

export interface PlannedDrain {
  kind: 'planned'
  action: 'replay' | 'archive'
  count: number
  total: number
  oldestAt: string | null
  byCause: Record<string, number>
  byTarget: Record<string, number>
  sample: DeadLetter[]
  /** Null when there is nothing to drain. */
  planToken: string | null
  expiresAt: string | null
  /** The exact arguments of the second call; null when there is nothing to drain. */
  secondCall: Record<string, string | number | boolean> | null
}

export type DrainAnswer =
  | PlannedDrain
  | { kind: 'drained'; action: 'replay' | 'archive'; changed: string[]; refused: number; operationId: string; recorded: boolean }
  | { kind: 'refused'; reason: DrainRefusal }
  | BadMarketplace

/** Most dead letters that one call acts on; a larger set takes several plans. */
const MOST_DRAINED = 200
const SAMPLE = 20

/**
 * Without a plan token it only lists, and answers the exact second call. With one it acts on exactly what the plan showed: bound to the principal, the
 * filters and the rows' versions, for 10 minutes, once. Every answer is on the record, or is `unaudited`.
 */
export async function drainDlq(request: DrainRequest, ports: DrainPorts): Promise<DrainAnswer> {
  const elapsedMs = ports.clock.stopwatch()
  const { dryRun, planToken, expectedCount } = request
  const checked =
    dryRun || planToken === null || expectedCount === null ? await plan(request, ports) : openPlan(request, planToken, ports.seal)
  if (checked.kind === 'opened') return act(request, checked.plan, ports)
  return (await recorded(ports, planIntent(request), { ...planOutcome(checked), latencyMs: Math.round(elapsedMs()) }))
    ? checked
    : refuse('unaudited')
}

function openPlan(request: DrainRequest, planToken: string, seal: PlanSeal): DrainAnswer | { kind: 'opened'; plan: DrainPlan } {
  const opened = seal.open(planToken)
  // Another principal's token is as good as an unknown one.
  if (opened.kind === 'invalid' || (opened.kind === 'open' && opened.plan.principal !== request.principal.id)) return refuse('plan-invalid')
  if (opened.kind === 'expired') return refuse('plan-expired')
  if (differs(request, opened.plan)) return refuse('plan-differs')
  if (opened.plan.count !== request.expectedCount) return refuse('count-differs')
  return { kind: 'opened', plan: opened.plan }
}

async function plan(request: DrainRequest, ports: DrainPorts): Promise<DrainAnswer> {
  const since = request.since === null ? null : readSince(request.since)
  if (since === undefined) return refuse('bad-since')
  const { marketplace, cause } = request
  const problem = await marketplaceProblem(marketplace, ports.channels)
  if (problem) return problem
  const list = await ports.deadLetters.list({ marketplace, cause, since }, MOST_DRAINED)
  // A window moves on with time: the plan keeps its bound as an instant.
  const filter: DeadLetterFilter = { marketplace, cause, since: list.sinceIso === null ? since : { kind: 'instant', iso: list.sinceIso } }
  const count = list.letters.length
  const action = request.action ?? 'replay'
  const sealed =
    count === 0
      ? null
      : ports.seal.seal({
          principal: request.principal.id,
          action: request.action,
          filter,
          typed: typedOf(request),
          snapshot: list.snapshot,
          count,
        })
  return {
    kind: 'planned',
    action,
    count,
    total: list.total,
    oldestAt: list.letters[0]?.diedAt ?? null,
    byCause: countBy(list.letters, (l) => l.cause),
    byTarget: countBy(list.letters, (l) => l.channel),
    sample: list.letters.slice(0, SAMPLE),
    planToken: sealed?.token ?? null,
    expiresAt: sealed?.expiresAt ?? null,
    secondCall: sealed && { dry_run: false, ...present(typedOf(request)), action, plan_token: sealed.token, expected_count: count },
  }
}

function planIntent(request: DrainRequest): AuditIntent {
  return {
    principal: request.principal,
    tool: request.tool,
    scopeUsed: 'dlq.admin',
    params: { ...loggedWords({ ...typedOf(request), action: request.action }), dry_run: request.dryRun },
    ...(request.reason === null ? {} : { reason: request.reason }),
  }
}

function planOutcome(answer: DrainAnswer): Omit<AuditOutcome, 'latencyMs'> {
  if (answer.kind === 'planned') return { result: 'ok', effect: { planned: answer.count, total: answer.total } }
  const reason = answer.kind === 'refused' ? answer.reason : answer.kind
  return reason.startsWith('bad-') ? { result: 'error', errorCode: 'invalid-arguments' } : { result: 'denied', errorCode: reason }
}

async function act(
  request: DrainRequest,
  { tokenId, action: planned, filter, snapshot, count }: DrainPlan,
  ports: DrainPorts,
): Promise<DrainAnswer> {
  const action = request.action ?? planned ?? 'replay'
  const intent: AuditIntent = {
    principal: request.principal,
    tool: request.tool,
    scopeUsed: 'dlq.admin',
    params: { ...present(typedOf(request)), action, expected_count: count, confirmation_method: 'plan_token' },
    target: { kind: 'dead_letters', id: snapshot },
    isNoted: true,
    ...(request.reason === null ? {} : { reason: request.reason }),
  }
  const result = await audited(ports, {
    intent,
    run: (operationId) => ports.deadLetters.drain({ operationId, tokenId, action, filter, limit: MOST_DRAINED, snapshot }),
    outcomeOf: (drained) =>
      drained.kind === 'drained'
        ? { result: 'ok', effect: { action, changed: drained.changed.map((r) => outboxIdOf(r.table, r.id)), refused: drained.refused } }
        : { result: 'denied', errorCode: drained.kind },
  })
  if (result.kind === 'unaudited') return refuse('unaudited')
  const { value } = result
  if (value.kind === 'token-used') return refuse('plan-used')
  if (value.kind === 'stale') return refuse('plan-stale')
  if (value.kind === 'in-flight') return refuse('in-flight')
  const changed = value.changed.map((r) => outboxIdOf(r.table, r.id))
  return { kind: 'drained', action, changed, refused: value.refused, operationId: result.operationId, recorded: result.kind === 'done' }
}

const refuse = (reason: DrainRefusal): DrainAnswer => ({ kind: 'refused', reason })

// Filters may be left out in the second call; what is said must be what was planned.
function differs(request: DrainRequest, { typed, action }: DrainPlan): boolean {
  const { marketplace, cause, since } = request
  return (
    (marketplace !== null && marketplace !== typed.marketplace) ||
    (cause !== null && cause !== typed.cause) ||
    (since !== null && since !== typed.since) ||
    (request.action !== null && action !== null && request.action !== action)
  )
}

function typedOf({ marketplace, cause, since }: DrainRequest): DrainPlan['typed'] {
  return { marketplace, cause, since }
}

function present(typed: DrainPlan['typed']): Record<string, string> {
  return Object.fromEntries(Object.entries(typed).filter((entry): entry is [string, string] => entry[1] !== null))
}

function countBy(letters: readonly DeadLetter[], key: (letter: DeadLetter) => string): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const letter of letters) counts[key(letter)] = (counts[key(letter)] ?? 0) + 1
  return counts
}
