import type { RunningHub } from './running-hub.ts'

export interface ErpOrder {
  id: number
  name: string
}

/** A person makes an order in Odoo: one piece for a MercadoLibre buyer, confirmed, unless said otherwise. */
export async function newErpOrder(running: RunningHub, body: Record<string, unknown> = {}): Promise<ErpOrder> {
  const answer = (await running.odoo('POST', '/admin/orders', {
    state: 'sale',
    partner: 'María Pérez',
    team: 'MercadoLibre',
    lines: [{ sku: 'SKU-001', quantity: 1, price: 10_000 }],
    ...body,
  })) as { orders: ErpOrder[] }
  const [order] = answer.orders
  if (!order) throw new Error('odoo-sim made no order')
  return order
}

export interface DeliveryRow {
  id: string
  channel: string
  state: string
  cause: string | null
  external_id: string | null
  state_version: string
  tries: number
}

/** The newest delivery under a reference at one channel. */
export async function deliveryOf(running: RunningHub, reference: string, channel: string): Promise<DeliveryRow | undefined> {
  const { rows } = await running.owner.query<DeliveryRow>(
    `SELECT d.id, d.channel, d.state, d.cause, b.external_id, d.state_version, d.tries FROM binding b JOIN delivery d ON d.binding_id = b.id
     WHERE b.reference = $1 AND b.channel = $2 ORDER BY d.version DESC LIMIT 1`,
    [reference, channel],
  )
  return rows[0]
}
