import { packTime } from './vendor-time.ts'

/** `GET /packs/{id}`, key for key. The seller is ours: a pack can span sellers, and only the owner may read it. */
export interface Pack {
  id: number
  seller_id: number
  status: 'released' | 'error' | 'pending_cancel' | 'cancelled'
  status_detail: string | null
  order_ids: number[]
  shipment_id: number | null
  buyer_id: number
  created_ms: number
  updated_ms: number
}

export function packView(pack: Pack): Record<string, unknown> {
  return {
    shipment: { id: pack.shipment_id },
    orders: pack.order_ids.map((id) => ({ id })),
    id: pack.id,
    status: pack.status,
    status_detail: pack.status_detail,
    buyer: { id: pack.buyer_id },
    date_created: packTime(pack.created_ms),
    last_updated: packTime(pack.updated_ms),
  }
}
