import type { Capabilities } from '../../core/channel.ts'
import type { Desired } from '../../core/desired.ts'
import type { Marketplace } from '../../ports/marketplace.ts'
import type { Wanted } from '../../ports/target.ts'
import type { MeliClient } from './client.ts'
import { fetchSale, type Mapping } from './fetch-order.ts'
import { lookUpOrder, nextForOrder, type OrderTarget, sendOrder } from './order-target.ts'
import { defaultStatusMap, type StatusMap } from './status-map.ts'
import { lookUpStock, nextForStock, sendStock, type StockTarget } from './stock-target.ts'
import { changedOrders, missedOrderEvents } from './sweep.ts'

export interface MercadolibreParts {
  /** Channel id of the account: `mercadolibre:1001`. */
  channel: string
  account: {
    /** Decimal text. */
    userId: string
    /** Our client id: the application that the account is connected through. */
    appId: string
  }
  /** Of the configured mode: `capabilities.ts`. */
  capabilities: Capabilities
  client: MeliClient
  statuses?: StatusMap
  /** Of several warehouses, the one whose stock the hub writes. */
  warehouse?: { storeId: string; networkNodeId: string }
}

/** One MercadoLibre account. */
export function mercadolibreMarketplace(parts: MercadolibreParts): Marketplace {
  const { channel, account, capabilities, client } = parts
  const mapping: Mapping = { statuses: parts.statuses ?? defaultStatusMap, withReference: capabilities.createOrder }
  const orders: OrderTarget = { client, userId: account.userId, capabilities, mapping }
  const stock: StockTarget = {
    client,
    userId: account.userId,
    canUpdate: capabilities.updateStock,
    warehouse: parts.warehouse ?? null,
  }
  return {
    channel,
    capabilities,
    listsChanges: true,
    // Nobody but the hub creates orders with the hub's references.
    looksFirst: false,
    fetchOrder: (resource, log, signal) => fetchSale({ client, log, signal }, resource, mapping),
    listChanged: (sinceIso, page, signal) => changedOrders({ client, userId: account.userId }, { sinceIso, page }, signal),
    missedEvents: (signal) => missedOrderEvents(client, { channel, ...account }, signal),
    lookUp: (wanted, log, signal) => {
      const reads = { client, log, signal }
      return isOf(wanted, 'order') ? lookUpOrder(orders, wanted, reads) : lookUpStock(stock, asStock(wanted), reads)
    },
    next: (wanted, shown) =>
      isOf(wanted, 'order') ? nextForOrder(capabilities, wanted, shown) : nextForStock(stock, asStock(wanted), shown),
    // A promise even when it refuses before any call.
    send: async (...[wanted, operation, shown, requestId, signal, isLate]) =>
      isOf(wanted, 'order')
        ? await sendOrder(orders, { wanted, operation, shown, requestId, isLate }, signal)
        : await sendStock(stock, { wanted: asStock(wanted), shown, requestId, isLate }, signal),
  }
}

type Of<Kind extends Desired['kind']> = Wanted & { desired: Extract<Desired, { kind: Kind }> }

function isOf<Kind extends Desired['kind']>(wanted: Wanted, kind: Kind): wanted is Of<Kind> {
  return wanted.desired.kind === kind
}

function asStock(wanted: Wanted): Of<'stock'> {
  if (isOf(wanted, 'stock')) return wanted
  throw new Error(`MercadoLibre is asked for a ${wanted.desired.kind}`)
}
