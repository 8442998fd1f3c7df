import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Pool, PoolClient } from '../../src/drivers/postgres/pool.ts'

/** The transaction that the present flow of calls began. */
const present = new AsyncLocalStorage<{ isOpen: boolean }>()

/** A pool whose transactions are known to whoever asks in the same flow of calls; those of other flows are none of its business. */
export function knownTransactions(pool: Pool): Pool {
  pool.on('connect', noteTransactions)
  return pool
}

function noteTransactions(client: PoolClient): void {
  const query = client.query.bind(client) as (...given: unknown[]) => unknown
  let own = { isOpen: false }
  const noting = (...given: unknown[]): unknown => {
    if (given[0] === 'BEGIN') present.enterWith((own = { isOpen: true }))
    if (given[0] === 'COMMIT' || given[0] === 'ROLLBACK') own.isOpen = false
    return query(...given)
  }
  Object.assign(client, { query: noting })
}

export interface WatchedCall {
  /** Origin of the system that was called. */
  system: string
  /** Its request id, or its path. */
  request: string
  openTransactions: 0 | 1
}

/**
 * Tells of every HTTP request of this process as it is made, until what it answers is called; those of simulators and of the harness in it too. A
 * request that waited for a connection is made in the flow of whoever freed it: what held a transaction open while it waited is not told.
 */
export function watchCalls(tell: (call: WatchedCall) => void): () => void {
  const onRequest = (message: unknown): void => {
    const { request } = message as { request: { origin: string | URL; path: string; headers: string[] | string } }
    const headers = [request.headers].flat().join('\n')
    const id = /x-request-id[:\n]\s*([^\r\n]+)/i.exec(headers)?.[1]
    tell({ system: String(request.origin), request: id ?? request.path, openTransactions: present.getStore()?.isOpen ? 1 : 0 })
  }
  subscribe('undici:request:create', onRequest)
  return () => void unsubscribe('undici:request:create', onRequest)
}
