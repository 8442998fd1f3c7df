import type { z } from 'zod'
import type { Ledger } from '../ledger.ts'

/** One value that survives a restart: each change is a `state` line of the ledger, the newest one holds. */
export interface KeptState<T> {
  get(): T
  set(value: T): Promise<void>
}

export function keepState<T>(ledger: Ledger, id: string, schema: z.ZodType<T>, initial: T): KeptState<T> {
  let current = initial
  for (const entry of ledger.entries()) {
    if (entry.kind === 'state' && entry.id === id) current = schema.parse(entry.state)
  }
  return {
    get: () => current,
    async set(value) {
      current = value
      await ledger.append({ kind: 'state', id, state: value })
    },
  }
}
