import { createHmac, randomBytes } from 'node:crypto'
import { uuidv7 } from 'uuidv7'
import { canonicalJson } from '../../core/canonical-json.ts'
import { storableText } from '../../core/storable-text.ts'
import { PersonalText } from '../../core/logged-text.ts'
import { withoutContacts } from '../../core/masked-text.ts'
import type { Audit, AuditIntent, AuditOutcome } from '../../ports/audit.ts'
import { grouped } from './group.ts'
import type { Pool } from './pool.ts'
import { sqlstateOf } from './sqlstate.ts'

interface AuditRow {
  actor: string
  body: string
}

const MAX_WAITING_ROWS = 10_000

/**
 * The audit chain over PostgreSQL: rows are committed by themselves, a crowd of them in one commit, and an error reaches whoever wrote. Nothing is
 * written twice: after a commit whose outcome is unknown the caller is told that it failed. Needs the role rosh_operator. `textKey` keys the
 * digests of texts that may be of a person: without it nobody finds a phone or a RUT by trying them all. Not given: a key of this object alone.
 */
export function postgresAudit(pool: Pool, textKey: Uint8Array = randomBytes(32)): Audit & { drain(): Promise<void> } {
  const bodyOf = (fields: Record<string, unknown>): string => canonicalJson(readable(fields, textKey))
  const group = grouped<AuditRow, undefined>({
    run: (batch) => insertRows(pool, batch),
    flights: 1, // the chain's head is one row: a second flight would only wait for it
    maxRows: 200,
    maxBytes: 1024 * 1024,
    maxWaitingRows: MAX_WAITING_ROWS,
    sizeOf: (row) => row.body.length,
  })
  return {
    intend: async (intent) => {
      const operationId = uuidv7()
      await group.add({ actor: intent.principal.id, body: bodyOf({ phase: 'intent', operation_id: operationId, ...intentFields(intent) }) })
      return operationId
    },
    complete: async (operationId, outcome) => {
      const row = { actor: 'hub', body: bodyOf({ phase: 'outcome', operation_id: operationId, ...outcomeFields(outcome) }) }
      return group.add(row).then(() => true, falseForSecond)
    },
    record: async (intent, outcome) => {
      const fields = { phase: 'single', operation_id: uuidv7(), ...intentFields(intent), ...outcomeFields(outcome) }
      await group.add({ actor: intent.principal.id, body: bodyOf(fields) })
    },
    drain: () => group.drain(),
  }
}

// Number, time, previous hash and hash are the trigger's alone.
async function insertRows(pool: Pool, batch: AuditRow[]): Promise<undefined[]> {
  await pool.query({
    name: 'audit-insert',
    text: `INSERT INTO audit (actor, body)
           SELECT actor, body FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS r(actor, body, place) ORDER BY place`,
    values: [batch.map((row) => row.actor), batch.map((row) => row.body)],
  })
  return batch.map(() => undefined)
}

/** Whether the database refused an outcome since the operation has one. */
export function isSecondOutcome(error: unknown): boolean {
  return sqlstateOf(error) === '23505' && (error as { constraint?: string }).constraint === 'audit_phase_once'
}

function falseForSecond(error: unknown): false {
  if (isSecondOutcome(error)) return false
  throw error
}

function intentFields({ principal, tool, scopeUsed, params, target, reason, isNoted, mayLastMs }: AuditIntent): Record<string, unknown> {
  return {
    via: principal.via,
    tool,
    scope_used: scopeUsed,
    params,
    ...(target && {
      target: {
        kind: target.kind,
        id: target.id,
        ...(target.expectedVersion !== undefined && { expected_version: target.expectedVersion }),
      },
    }),
    // People read it later, so it stays; the log is for ever, so nobody can be reached by it.
    ...(reason !== undefined && { reason: withoutContacts(reason) }),
    ...(isNoted && { noted: true }),
    ...(mayLastMs !== undefined && { may_last_ms: mayLastMs }),
  }
}

function outcomeFields({ result, errorCode, latencyMs, effect }: AuditOutcome): Record<string, unknown> {
  return { result, latency_ms: latencyMs, ...(errorCode !== undefined && { error_code: errorCode }), ...(effect && { effect }) }
}

/** What PostgreSQL can read: a NUL or half a surrogate pair in a parameter must not keep its call out of the chain. */
function readable(value: unknown, textKey: Uint8Array): unknown {
  if (value instanceof PersonalText) return digestOf(value, textKey)
  if (typeof value === 'string') return storableText(value)
  if (Array.isArray(value)) return value.map((one) => readable(one, textKey))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [storableText(key), readable(inner, textKey)]))
}

function digestOf(value: PersonalText, textKey: Uint8Array): string {
  return `hmac:${createHmac('sha256', textKey).update(value.reveal()).digest('hex').slice(0, 16)}`
}
