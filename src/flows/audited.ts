import type { Audit, AuditIntent, AuditOutcome } from '../ports/audit.ts'
import type { Clock } from '../ports/clock.ts'

export interface AuditPorts {
  audit: Audit
  clock: Clock
}

/** How an act between an intent and an outcome ended. */
export type Audited<T> =
  | { kind: 'done'; value: T; operationId: string }
  /** The intent could not be written: nothing was changed. */
  | { kind: 'unaudited'; error: unknown }
  /** The effect stands, its outcome row does not: the log shows `unknown` until it is resolved from the target's state. */
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
  const value = await runOrRecord(audit, act, operationId, elapsedMs)
  try {
    await audit.complete(operationId, { ...act.outcomeOf(value), latencyMs: Math.round(elapsedMs()) })
    return { kind: 'done', value, operationId }
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

async function runOrRecord<T>(audit: Audit, act: Act<T>, operationId: string, elapsedMs: () => number): Promise<T> {
  try {
    return await act.run(operationId)
  } catch (error) {
    // Whether it took effect is not known: a connection may have been lost at COMMIT.
    await audit.complete(operationId, { result: 'unknown', errorCode: 'internal', latencyMs: Math.round(elapsedMs()) }).catch(() => {})
    throw error
  }
}
