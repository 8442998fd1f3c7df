/** An order as odoo-sim answers that it made it. */
export interface ErpMade {
  id: number
  name: string
}

/** A purchase as meli-sim answers that it made it. */
export interface Bought {
  order_ids: number[]
  pack_id: number | null
  shipment_id: number
}
