import { ODOO_CHANNEL } from '../../core/channel.ts'
import type { ErpBatch, ErpOrder, ErpQuarantined } from '../../ports/erp.ts'
import type { PoolClient } from './pool.ts'

/**
 * Quarantines each order that bears the id of another one: an ERP that was restored to an earlier moment gives its ids again, and what a
 * marketplace holds under that id is the other order. Nothing is told apart where one side does not say when the order was created. The
 * caller holds the cursor's row, so nobody else learns of an ERP order between this and what it writes.
 */
export async function setReusedAside(client: PoolClient, batch: ErpBatch): Promise<ErpBatch> {
  const known = await knownCreations(client, batch.orders)
  const orders: ErpOrder[] = []
  const quarantined = [...batch.quarantined]
  for (const order of batch.orders) {
    const { orderKey, createdAt } = order.fragment
    const knownAt = known.get(orderKey)
    if (createdAt === undefined || knownAt === undefined || createdAt === knownAt) orders.push(order)
    else quarantined.push(reusedOf(order, createdAt, knownAt))
  }
  return { ...batch, orders, quarantined }
}

async function knownCreations(client: PoolClient, orders: readonly ErpOrder[]): Promise<Map<string, string>> {
  if (orders.length === 0) return new Map()
  const { rows } = await client.query<{ order_key: string; created_at: string }>(
    `SELECT order_key, canonical ->> 'createdAt' AS created_at FROM silver_order
     WHERE origin = $1 AND order_key = ANY($2::text[]) AND canonical ->> 'createdAt' IS NOT NULL`,
    [ODOO_CHANNEL, orders.map((order) => order.fragment.orderKey)],
  )
  return new Map(rows.map((row) => [row.order_key, row.created_at]))
}

// A diagnosis shows 160 characters of the problem.
function reusedOf({ fragment }: ErpOrder, createdAt: string, knownAt: string): ErpQuarantined {
  const [shown, held] = [createdAt, knownAt].map((iso) => iso.replace('.000Z', 'Z'))
  return {
    erpId: fragment.orderKey,
    erpName: fragment.identifiers.find((id) => id.kind === 'erp-name')?.value ?? '',
    field: 'create_date',
    problem: `another order of the ERP bears this id: created ${shown}, the one the hub knows ${held}; make it anew there, under an id of its own`,
    version: fragment.version ?? '',
  }
}
