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
  /** All that the act changes commits together with a note of its operation id: by it alone the hub can tell how the act ended. */
  isNoted?: boolean
  /** For an act that may last longer than any other: while it may, the hub leaves its intent open. */
  mayLastMs?: number
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
  /** False: the operation has its outcome already. The hub wrote it, by what is stored, when the act had lasted longer than it may. */
  complete(operationId: string, outcome: AuditOutcome): Promise<boolean>
  /** A read or a refusal: one row, before the answer. */
  record(intent: AuditIntent, outcome: AuditOutcome): Promise<void>
}
