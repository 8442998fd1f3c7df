import type { Fulfilment, Lifecycle, Payment } from '../../core/order.ts'

/** What an order's own status says; an absent axis is not said. */
export interface OrderMeaning {
  payment?: Payment | undefined
  lifecycle?: Lifecycle | undefined
}

/** The maps are data: settings add to them and overwrite them. */
export interface StatusMap {
  order: Readonly<Record<string, OrderMeaning>>
  /**
   * By `status`, `status/substatus`, or `status/prefix*`; the closest entry wins, so an unknown substatus inherits its status.
   * Null: known, and says nothing of how fulfilment stands.
   */
  shipment: Readonly<Record<string, Fulfilment | null>>
  pack: Readonly<Record<string, Lifecycle>>
}

export const defaultStatusMap: StatusMap = {
  order: {
    confirmed: { payment: 'pending', lifecycle: 'open' },
    payment_required: { payment: 'pending', lifecycle: 'open' },
    payment_in_process: { payment: 'pending', lifecycle: 'open' },
    partially_paid: { payment: 'pending', lifecycle: 'open' },
    paid: { payment: 'paid', lifecycle: 'open' },
    partially_refunded: { payment: 'partially_refunded', lifecycle: 'open' },
    pending_cancel: { lifecycle: 'cancel_requested' },
    cancelled: { lifecycle: 'cancelled' },
    invalid: { lifecycle: 'cancelled' },
  },
  shipment: {
    to_be_agreed: 'to_prepare',
    not_specified: 'to_prepare',
    pending: 'to_prepare',
    handling: 'to_prepare',
    ready_to_ship: 'ready_to_ship',
    stale_ready_to_ship: 'ready_to_ship',
    shipped: 'shipped',
    stale_shipped: 'shipped',
    delivered: 'delivered',
    not_delivered: 'not_delivered',
    'not_delivered/returned*': 'returned',
    // No proof that the goods are back at the seller.
    'not_delivered/returned_to_hub': 'not_delivered',
    'not_delivered/returned_to_agency': 'not_delivered',
    // A split pack, a partial cancellation: the order and its new shipments say what follows.
    cancelled: null,
  },
  pack: { released: 'open', error: 'open', pending_cancel: 'cancel_requested', cancelled: 'cancelled' },
}

/** The hub's own map with these entries added, or in place of its own. */
export function statusMapWith(added: { [Part in keyof StatusMap]?: StatusMap[Part] | undefined }): StatusMap {
  return {
    order: { ...defaultStatusMap.order, ...added.order },
    shipment: { ...defaultStatusMap.shipment, ...added.shipment },
    pack: { ...defaultStatusMap.pack, ...added.pack },
  }
}

/** Handed over by the seller, although the status still says ready: only where the parcel goes through a hub. */
const HANDED_OVER = new Set(['picked_up', 'in_hub', 'dropped_off'])
const THROUGH_A_HUB = new Set(['cross_docking', 'xd_drop_off', 'drop_off'])

/** Undefined: the map does not know the status. */
export function fulfilmentOf(
  map: StatusMap,
  shipment: { status: string; substatus: string | null; logisticType: string | null },
): Fulfilment | null | undefined {
  const { status, substatus, logisticType } = shipment
  const byPair = substatus === null ? undefined : closest(map.shipment, status, substatus)
  if (byPair !== undefined) return byPair
  const isHandedOver = status === 'ready_to_ship' && HANDED_OVER.has(substatus ?? '') && THROUGH_A_HUB.has(logisticType ?? '')
  return isHandedOver ? 'shipped' : own(map.shipment, status)
}

export function orderMeaning(map: StatusMap, status: string): OrderMeaning | undefined {
  return own(map.order, status)
}

export function packLifecycle(map: StatusMap, status: string): Lifecycle | undefined {
  return own(map.pack, status)
}

function closest(map: StatusMap['shipment'], status: string, substatus: string): Fulfilment | null | undefined {
  const exact = own(map, `${status}/${substatus}`)
  if (exact !== undefined) return exact
  const patterns = Object.keys(map).filter((key) => key.endsWith('*') && `${status}/${substatus}`.startsWith(key.slice(0, -1)))
  const longest = patterns.sort((a, b) => b.length - a.length)[0]
  return longest === undefined ? undefined : own(map, longest)
}

// Status words come from outside: `constructor` must not find Object's.
function own<T>(map: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined
}
