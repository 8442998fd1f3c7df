import { z } from 'zod'
import type { Fragment } from '../../core/order.ts'
import { shortened } from '../../core/storable-text.ts'
import { NumericId } from './lossless-json.ts'
import { instantOf, packIdentifiers } from './order.ts'
import { packLifecycle, type StatusMap } from './status-map.ts'

/** `GET /packs/{id}`: the orders of one cart, siblings of other sellers included. */
export const MeliPack = z.object({
  id: NumericId,
  status: z.string(),
  last_updated: z.string(),
  orders: z.array(z.object({ id: NumericId })),
  shipment: z.object({ id: NumericId.nullish() }).nullish(),
})
export type MeliPack = z.infer<typeof MeliPack>

export function packFragment(pack: MeliPack, statuses: StatusMap): Fragment {
  const lifecycle = packLifecycle(statuses, pack.status)
  return {
    entity: 'pack',
    externalId: pack.id,
    orderKey: pack.id,
    version: instantOf(pack.last_updated, 'pack.last_updated'),
    identifiers: packIdentifiers(pack.id),
    ...(lifecycle === undefined ? {} : { lifecycle }),
    flags: lifecycle === undefined ? ['unknown_status'] : [],
    rawStatus: shortened(`pack ${pack.status}`, 120),
  }
}
