import type { Capabilities, ChannelTiming } from '../../core/channel.ts'
import type { DesiredOrder } from '../../core/desired.ts'
import { IntegrationError } from '../../core/integration-error.ts'
import type { AttemptLog } from '../../ports/attempt-log.ts'
import type { Fetched, Marketplace } from '../../ports/marketplace.ts'
import type { Wanted } from '../../ports/target.ts'
import type { ParisClient } from './client.ts'
import { createdOrders } from './list.ts'
import { fetchedOf, PARIS_STATUSES, ParisOrder, type ParisStatusMap } from './order.ts'
import { lookUpOrder, nextForOrder, type OrderTarget, sendOrder } from './order-target.ts'

export interface ParisParts {
  /** Channel id of the account: `paris:main`. */
  channel: string
  client: ParisClient
  /** Of the configured mode. `idempotentCreate` where a repeated reference answers the first order. */
  capabilities: Capabilities
  timing: ChannelTiming
  /** The server filters `GET /orders` by `external_ref`, which the contract does not promise; false unless told. */
  lookUpByQuery?: boolean
  statuses?: ParisStatusMap
}

/** A Paris account by its mock contract: orders without prices, currency or version, and no stock. */
export function parisMarketplace({
  channel,
  client,
  capabilities,
  timing,
  lookUpByQuery = false,
  statuses = PARIS_STATUSES,
}: ParisParts): Marketplace {
  const limited: ParisClient = { call: (schema, request) => client.call(schema, { timeoutMs: timing.timeoutMs, ...request }) }
  const target: OrderTarget = { client: limited, capabilities, lookUpByQuery, statuses }
  return {
    channel,
    capabilities,
    listsChanges: false,
    looksFirst: false, // nobody but the hub creates orders with the hub's references
    lookUp: (wanted, log, signal) => lookUpOrder(target, wanted, log, signal),
    next: (wanted, shown) => (isOrder(wanted) ? nextForOrder(capabilities, wanted, shown) : { kind: 'unsupported', operation: 'stock' }),
    send: async (...[wanted, operation, , requestId, signal, isLate]) => {
      if (!isOrder(wanted)) throw new IntegrationError('unsupported', { summary: 'Paris takes no stock by this contract' })
      return sendOrder(target, { wanted, operation, requestId, isLate }, signal)
    },
    fetchOrder: (resource, log, signal) => fetchOrder(target, resource, log, signal),
    listChanged: (sinceIso, page, signal) => createdOrders(limited, { sinceIso, page }, signal),
    missedEvents: () => Promise.resolve({ kind: 'events', events: [] }), // Paris keeps no list of what it could not deliver
  }
}

const isOrder = (wanted: Wanted): wanted is Wanted & { desired: DesiredOrder } => wanted.desired.kind === 'order'

async function fetchOrder({ client, statuses }: OrderTarget, resource: string, log: AttemptLog, signal: AbortSignal): Promise<Fetched> {
  const path = `/orders/${idIn(resource)}`
  const order = await log.read('fetch order', (requestId) => client.call(ParisOrder, { method: 'GET', path, requestId, signal }))
  return fetchedOf(order, statuses)
}

// Built from a whitelist, never from the pointer's text.
function idIn(resource: string): string {
  const id = /^\/orders\/([A-Za-z0-9_-]{1,80})$/.exec(resource)?.[1]
  if (id === undefined) throw new IntegrationError('rejected', { causeCode: 'webhook-refused', summary: 'the resource is no Paris order' })
  return id
}
