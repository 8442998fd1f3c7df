import { OperationClosed } from '../core/operation-closed.ts'
import type { Audit, AuditIntent, AuditOutcome } from '../ports/audit.ts'
import type { Clock } from '../ports/clock.ts'

export interface AuditPorts {
  audit: Audit
  clock: Clock
}

/** How an act between an intent and an outcome ended. */
export type Audited<T> =
  | { kind: 'done'; value: T; operationId: string }
  /** The intent could not be written, or the hub closed it before the act took effect: nothing was changed. */
  | { kind: 'unaudited'; error: unknown }
  /** The effect stands, its outcome row does not: the log shows `unknown` until the hub closes the intent by what is stored (`closeIntents`). */
  | { kind: 'unrecorded'; value: T; operationId: string; error: unknown }

export interface Act<T> {
  intent: AuditIntent
  run(operationId: string): Promise<T>
  /** What the log keeps of the value. */
  outcomeOf(value: T): Omit<AuditOutcome, 'latencyMs'>
}

/** Runs an act between its committed intent and its outcome. No intent, no act; a throw of the act is recorded and thrown on. */
export async function audited<T>({ audit, clock }: AuditPorts, act: Act<T>): Promise<Audited<T>> {
  const elapsedMs = clock.stopwatch()
  let operationId: string
  try {
    operationId = await audit.intend(act.intent)
  } catch (error) {
    return { kind: 'unaudited', error }
  }
  const ran = await runOrRecord(audit, act, operationId, elapsedMs)
  if (ran.kind === 'closed') return { kind: 'unaudited', error: ran.error }
  const { value } = ran
  try {
    const isFirst = await audit.complete(operationId, { ...act.outcomeOf(value), latencyMs: Math.round(elapsedMs()) })
    // Too late, and yet told right: what the hub wrote of a noted act is what the note says, and after that the act could change nothing.
    if (isFirst || act.intent.isNoted) return { kind: 'done', value, operationId }
    return { kind: 'unrecorded', value, operationId, error: new Error('the hub closed the intent before the act ended') }
  } catch (error) {
    return { kind: 'unrecorded', value, operationId, error }
  }
}

/** Writes the one row of a read or a refusal, before it is answered. False when it cannot be written: then it must not be answered. */
export async function recorded({ audit }: Pick<AuditPorts, 'audit'>, intent: AuditIntent, outcome: AuditOutcome): Promise<boolean> {
  try {
    await audit.record(intent, outcome)
    return true
  } catch {
    return false
  }
}

type Ran<T> = { kind: 'ran'; value: T } | { kind: 'closed'; error: OperationClosed }

async function runOrRecord<T>(audit: Audit, act: Act<T>, operationId: string, elapsedMs: () => number): Promise<Ran<T>> {
  try {
    return { kind: 'ran', value: await act.run(operationId) }
  } catch (error) {
    if (error instanceof OperationClosed) return { kind: 'closed', error }
    // Whether it took effect is not known: a connection may have been lost at COMMIT.
    await audit.complete(operationId, { result: 'unknown', errorCode: 'internal', latencyMs: Math.round(elapsedMs()) }).catch(() => {})
    throw error
  }
}
