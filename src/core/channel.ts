/** One marketplace account, or `odoo`. The account is part of the id, so it is part of every key: `mercadolibre:1001`, `paris:main`. */
export interface Channel {
  id: string
  marketplace: 'mercadolibre' | 'paris' | 'odoo'
  enabled: boolean
  capabilities: Capabilities
  /** Which system ships this channel's orders, and so says how fulfilment stands. */
  shipsFrom: 'marketplace' | 'odoo'
  timing: ChannelTiming
}

export interface Capabilities {
  createOrder: boolean
  updateOrder: boolean
  cancelOrder: boolean
  updateStock: boolean
  /** Takes word of a parcel that another system ships: shipped, delivered, its tracking number. */
  pushFulfilment: boolean
  /** Fractional quantities are taken as they are; else such an order is refused for this target only. */
  fractionalQuantity: boolean
  /** A repeated create with the same reference answers the first order, at any time. */
  idempotentCreate: boolean
}

export interface ChannelTiming {
  /** Hard limit of one request, milliseconds. */
  timeoutMs: number
  /** Longest time between an intent's commit and the first byte. */
  marginMs: number
  /** How long until a look-up can be trusted to show an order that was accepted late. */
  settleMs: number
  /** Lease of a claim; must exceed timeout + margin. */
  leaseMs: number
}

export const ODOO_CHANNEL = 'odoo'

/** A person connects the account by OAuth. The others bear a key, and their gate finds out by itself that it is taken again. */
export const isConnectedByOauth = (channel: string): boolean => channel.startsWith('mercadolibre:')

export function leaseProblem(timing: ChannelTiming): string | undefined {
  if (timing.leaseMs > timing.timeoutMs + timing.marginMs) return undefined
  return `leaseMs (${timing.leaseMs}) must exceed timeoutMs + marginMs (${timing.timeoutMs + timing.marginMs})`
}
