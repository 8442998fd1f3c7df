import { z } from 'zod'
import type { Flag, Fragment } from '../../core/order.ts'
import { shortened } from '../../core/storable-text.ts'
import type { Personal } from '../../ports/target.ts'
import { NumericId } from './lossless-json.ts'
import { instantOf } from './order.ts'
import { fulfilmentOf, type StatusMap } from './status-map.ts'

const Address = z
  .object({
    address_line: z.string().nullish(),
    zip_code: z.string().nullish(),
    city: z.object({ name: z.string().nullish() }).nullish(),
    state: z.object({ name: z.string().nullish() }).nullish(),
  })
  .nullish()

/** `GET /shipments/{id}`, in the shape of `x-format-new: true` and in the flat one that answers a call without it. */
export const MeliShipment = z.object({
  id: NumericId,
  status: z.string(),
  substatus: z.string().nullish(),
  last_updated: z.string(),
  tracking_number: z.string().nullish(),
  logistic: z.object({ type: z.string().nullish(), direction: z.string().nullish(), mode: z.string().nullish() }).nullish(),
  mode: z.string().nullish(),
  logistic_type: z.string().nullish(),
  type: z.string().nullish(),
  order_id: NumericId.nullish(),
  destination: z.object({ receiver_name: z.string().nullish(), receiver_phone: z.string().nullish(), shipping_address: Address }).nullish(),
  receiver_address: z
    .object({ receiver_name: z.string().nullish(), receiver_phone: z.string().nullish() })
    .and(Address.unwrap().unwrap())
    .nullish(),
})
export type MeliShipment = z.infer<typeof MeliShipment>

/** One shipment as a fragment of the order it carries. A parcel that comes back says nothing of how the way out stands. */
export function shipmentFragment(shipment: MeliShipment, orderKey: string, statuses: StatusMap): Fragment {
  const logisticType = shipment.logistic?.type ?? shipment.logistic_type ?? null
  const substatus = shipment.substatus ?? null
  const isForward = isForwardShipment(shipment)
  const fulfilment = fulfilmentOf(statuses, { status: shipment.status, substatus, logisticType })
  const flags: Flag[] = []
  if (logisticType === 'fulfillment') flags.push('marketplace_fulfilled')
  if (fulfilment === undefined) flags.push('unknown_status')
  const state = substatus === null ? shipment.status : `${shipment.status}/${substatus}`
  return {
    entity: 'shipment',
    externalId: shipment.id,
    orderKey,
    version: instantOf(shipment.last_updated, 'shipment.last_updated'),
    identifiers: [{ kind: 'shipment', value: shipment.id }],
    ...(isForward && fulfilment ? { fulfilment } : {}),
    flags,
    ...(isForward && shipment.tracking_number ? { tracking: shortened(shipment.tracking_number, 120) } : {}),
    rawStatus: shortened(isForward ? state : `return ${state}`, 120),
  }
}

/** Where it goes. Hidden by the marketplace until the payment is confirmed; the phone is shown for ME1 only. */
export function receiverOf(shipment: MeliShipment): Personal {
  if (!isForwardShipment(shipment)) return {}
  const name = shipment.destination?.receiver_name ?? shipment.receiver_address?.receiver_name
  const phone = shipment.destination?.receiver_phone ?? shipment.receiver_address?.receiver_phone
  const at = shipment.destination?.shipping_address ?? shipment.receiver_address
  const address = [at?.address_line, at?.zip_code, at?.city?.name, at?.state?.name].filter(Boolean).join(', ')
  return { ...(name ? { buyerName: name } : {}), ...(phone ? { phone } : {}), ...(address === '' ? {} : { address }) }
}

function isForwardShipment(shipment: MeliShipment): boolean {
  const direction = shipment.logistic?.direction ?? shipment.type ?? 'forward'
  return !direction.startsWith('return')
}
