export interface Principal {
  /** Opaque; never a part of a token. */
  id: string
  scopes: ReadonlySet<Scope>
  via: 'mcp-stdio' | 'mcp-http' | 'cli' | 'console'
}

export const SCOPES = ['orders.read', 'metrics.read', 'outbox.retry', 'dlq.replay', 'dlq.admin', 'orders.pii'] as const
export type Scope = (typeof SCOPES)[number]

export interface AuditIntent {
  principal: Principal
  tool: string
  scopeUsed: Scope | null
  /** Redacted parameters; no secret, and personal data only as a `PersonalText`, of which a digest is kept. */
  params: Record<string, unknown>
  target?: { kind: string; id: string; expectedVersion?: string }
  reason?: string
}

export interface AuditOutcome {
  result: 'ok' | 'denied' | 'error' | 'unknown'
  errorCode?: string
  latencyMs: number
  /** Ids changed, before and after, counts. */
  effect?: Record<string, unknown>
}

/** Append-only, hash-chained. An intent that cannot be written throws, and then nothing may be changed. */
export interface Audit {
  /** Commits the intent row; its operation id ties the outcome to it. */
  intend(intent: AuditIntent): Promise<string>
  complete(operationId: string, outcome: AuditOutcome): Promise<void>
  /** A read or a refusal: one row, before the answer. */
  record(intent: AuditIntent, outcome: AuditOutcome): Promise<void>
}
