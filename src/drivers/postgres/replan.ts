import type { CanonicalOrder } from '../../core/order.ts'
import { type ApplySettings, wishesFor } from './order-apply.ts'
import { planAll, wakeOutbox } from './plan.ts'
import { type Pool, transaction } from './pool.ts'

/** Plans what an order is owed and has no version of yet; content that stands as the newest version plans nothing. */
export async function replan(pool: Pool, orderId: string, settings: ApplySettings): Promise<number> {
  return transaction(pool, async (client) => {
    const { rows } = await client.query<{ canonical: CanonicalOrder }>(
      `SELECT canonical FROM silver_order WHERE id = $1 FOR NO KEY UPDATE`,
      [orderId],
    )
    const row = rows[0]
    if (!row) return 0
    const planned = await planAll(client, await wishesFor(client, [{ orderId, order: row.canonical, traceparent: null }], settings))
    await wakeOutbox(client, planned)
    return planned
  })
}
