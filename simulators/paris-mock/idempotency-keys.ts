import type { Ledger } from '../ledger.ts'

/** Which order each `Idempotency-Key` made; lines of the ledger, so a restart remembers. */
export interface IdempotencyKeys {
  find(key: string): string | null
  /** Known at once; resolves when the ledger has it. */
  remember(key: string, orderId: string): Promise<void>
}

const prefix = 'idempotency-key:'

export function createIdempotencyKeys(ledger: Ledger): IdempotencyKeys {
  const orderIds = new Map<string, string>()
  for (const entry of ledger.entries()) {
    if (entry.kind === 'state' && entry.id.startsWith(prefix)) orderIds.set(entry.id.slice(prefix.length), String(entry.state))
  }
  return {
    find: (key) => orderIds.get(key) ?? null,
    async remember(key, orderId) {
      orderIds.set(key, orderId)
      await ledger.append({ kind: 'state', id: `${prefix}${key}`, state: orderId })
    },
  }
}
