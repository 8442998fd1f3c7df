import { z } from 'zod'
import type { Ledger } from '../ledger.ts'
import { decide, readJson, requestIdOf } from '../server.ts'
import type { Simulator } from '../server.ts'
import { problemsOf, unknownSkuProblem } from './order.ts'

export interface ParisStock {
  sku: string
  quantity: number
  updated_at: string
}

const stockLevel = z.object({ quantity: z.number().min(0) })

/** An addition of ours: absolute stock per SKU, `PUT` and `GET /stock/{sku}`. The contract has none. */
export function addStockRoutes(app: Simulator['app'], ledger: Ledger, isUnknownSku: (sku: string) => boolean): void {
  const levels = new Map<string, ParisStock>()
  for (const entry of ledger.entries()) {
    if (entry.kind === 'stock') levels.set(entry.sku, entry.stock as ParisStock)
  }
  app.put<{ Params: { sku: string } }>('/stock/:sku', async (request, reply) => {
    const body = stockLevel.safeParse(readJson(request))
    if (!body.success) return reply.code(422).send(problemsOf(body.error, 'body'))
    const { sku } = request.params
    if (isUnknownSku(sku)) {
      decide(request, 'sku-unknown', { detail: { skus: [sku] } })
      return reply.code(422).send(unknownSkuProblem(['path', 'sku']))
    }
    const stock: ParisStock = { sku, quantity: body.data.quantity, updated_at: new Date().toISOString() }
    levels.set(sku, stock)
    await ledger.append({ kind: 'stock', sku, requestId: requestIdOf(request), by: 'client', stock })
    decide(request, 'stock-set')
    return stock
  })
  app.get<{ Params: { sku: string } }>('/stock/:sku', async (request, reply) => {
    const stock = levels.get(request.params.sku)
    if (stock !== undefined) return stock
    decide(request, 'not-found')
    return reply.code(404).send({ detail: 'no stock was set for this sku' })
  })
}
