import { expect, test } from 'vitest'
import { IntegrationError } from '../core/integration-error.ts'
import { memoryErp } from '../drivers/memory/erp.ts'
import { memoryErpBook } from '../drivers/memory/erp-book.ts'
import type { CollectTicket, OrderStore } from '../ports/order-store.ts'
import { collectErpOrders, type CollectPorts } from './collect-erp-orders.ts'
import { collectStock } from './collect-stock.ts'

/** Only the cursor of the store: what these tests are about. */
function aCursor(): { store: OrderStore; ended: ({ code: string } | null)[] } {
  const ended: ({ code: string } | null)[] = []
  const store = {
    beginCollect: (): Promise<CollectTicket> => Promise.resolve({ fetchNo: 1, leaseMs: 60_000, cursor: null }),
    endCollect: (_name: string, _ticket: CollectTicket, failure: { code: string } | null) => {
      ended.push(failure)
      return Promise.resolve()
    },
  }
  return { store: store as unknown as OrderStore, ended }
}

const flows = { orders: collectErpOrders, stock: collectStock }

for (const [name, collect] of Object.entries(flows)) {
  const portsOf = (store: OrderStore, fail: () => never): CollectPorts => {
    const erp = { ...memoryErp(memoryErpBook()), serverTime: () => Promise.resolve().then(fail) }
    return { erp, store, since: '1970-01-01T00:00:00.000Z', overlapMs: 1_000, chunk: 10, leaseMs: 60_000 }
  }

  test(`${name}: an ERP that does not answer is recorded on the cursor, and its lease given back`, async () => {
    const { store, ended } = aCursor()
    const down = portsOf(store, () => {
      throw new IntegrationError('unreachable')
    })
    expect(await collect(down, new AbortController().signal)).toMatchObject({ kind: 'failed', code: 'unreachable' })
    expect(ended).toMatchObject([{ code: 'unreachable' }])
  })

  test(`${name}: a bug gives the lease back too, and goes on`, async () => {
    const { store, ended } = aCursor()
    const broken = portsOf(store, () => {
      throw new TypeError('a bug')
    })
    await expect(collect(broken, new AbortController().signal)).rejects.toThrow('a bug')
    expect(ended).toEqual([null])
  })

  test(`${name}: a stop gives the lease back and says nothing of the ERP`, async () => {
    const { store, ended } = aCursor()
    const stop = new AbortController()
    const stopping = portsOf(store, () => {
      stop.abort()
      throw new IntegrationError('no-answer')
    })
    expect(await collect(stopping, stop.signal)).toEqual({ kind: 'busy' })
    expect(ended).toEqual([null])
  })
}
