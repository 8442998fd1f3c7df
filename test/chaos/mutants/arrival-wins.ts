import type { Pool } from '../../../src/drivers/postgres/pool.ts'
import type { Fetched } from '../../../src/ports/marketplace.ts'
import type { Applied, OrderStore } from '../../../src/ports/order-store.ts'

/** KNOWN BAD, kept to prove that the auditor sees it: what arrived last overwrites the projection, whatever version it has. */
export function withLastArrival(store: OrderStore, pool: Pool): OrderStore {
  const overwrite = async (applied: Applied, fetched: Fetched): Promise<Applied> => {
    if (!('orderId' in applied)) return applied
    for (const { payment, fulfilment, lifecycle } of fetched.fragments)
      await pool.query(
        `UPDATE silver_order SET payment = coalesce($2, payment), fulfilment = coalesce($3, fulfilment), lifecycle = coalesce($4, lifecycle),
           canonical = canonical || jsonb_strip_nulls(jsonb_build_object('payment', $2::text, 'fulfilment', $3::text, 'lifecycle', $4::text))
         WHERE id = $1`,
        [applied.orderId, payment ?? null, fulfilment ?? null, lifecycle ?? null],
      )
    return applied
  }
  return {
    ...store,
    applyEvent: async (claim, ticket, fetched) => overwrite(await store.applyEvent(claim, ticket, fetched), fetched),
    applyTold: async (ticket, fetched) => overwrite(await store.applyTold(ticket, fetched), fetched),
  }
}
