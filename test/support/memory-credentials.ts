import type { CredentialStore, TokenPair } from '../../src/ports/credential-store.ts'

/** The one row of such a store, for a test to look at and to spoil. */
export interface Row {
  pair: TokenPair | null
  lease: string | null
  exchangeAt: boolean
  reconnect: string | null
  calls: string[]
  /** How many of the next saves fail. */
  failSaves: number
}

/** The promises of the CredentialStore port over one row in memory, so that two token sources can share it as two processes do. */
export function memoryCredentials(pair: TokenPair | null): CredentialStore & { row: Row } {
  const row: Row = {
    pair,
    lease: null,
    exchangeAt: false,
    reconnect: null,
    calls: [],
    failSaves: 0,
  }
  let leases = 0
  const free = (lease: string) => {
    if (row.lease === lease) Object.assign(row, { lease: null, exchangeAt: false })
  }
  return {
    row,
    read: () => Promise.resolve(row.pair),
    leaseRefresh(_channel, seenVersion) {
      if (row.reconnect !== null) return Promise.resolve({ kind: 'reconnect-required', since: 'then' })
      if (!row.pair) throw new Error('no pair')
      if (row.pair.version > seenVersion) return Promise.resolve({ kind: 'advanced', current: row.pair })
      if (row.lease !== null) return Promise.resolve({ kind: 'busy' })
      row.lease = `lease-${++leases}`
      return Promise.resolve({ kind: 'leased', lease: row.lease, current: row.pair })
    },
    markExchange(_channel, lease) {
      row.exchangeAt = row.lease === lease
      row.calls.push('mark')
      return Promise.resolve(row.exchangeAt)
    },
    saveRefreshed(_channel, lease, pair) {
      if (row.failSaves-- > 0) return Promise.reject(new Error('the database is away'))
      row.calls.push('save')
      row.pair = { ...pair, version: (row.pair?.version ?? 0) + 1 }
      free(lease)
      return Promise.resolve(row.pair)
    },
    releaseRefresh(_channel, lease) {
      row.calls.push('release')
      free(lease)
      return Promise.resolve()
    },
    requireReconnect(_channel, lease, reason) {
      row.calls.push('reconnect')
      row.reconnect = reason
      if (lease !== null) free(lease)
      return Promise.resolve()
    },
    connect(_channel, granted) {
      row.pair = { ...granted, version: (row.pair?.version ?? 0) + 1 }
      row.reconnect = null
      return Promise.resolve(row.pair)
    },
  }
}
