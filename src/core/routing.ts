import type { Channel } from './channel.ts'
import type { CanonicalOrder } from './order.ts'

/** A rule matches when every condition it names holds; the first matching rule decides. */
export interface RoutingRule {
  name: string
  when: { team?: string; tag?: string; pricelist?: string; company?: string; field?: { name: string; value: string } }
  /** Marketplace names or channel ids; an empty list sends the order nowhere. */
  to: string[]
}

export interface Route {
  /** Name of the deciding rule, `default` when none matched. */
  rule: string
  channels: string[]
  skipped: { channel: string; reason: 'rule' | 'channel-disabled' | 'target-cannot-create-orders' }[]
}

/** Where an order that was born in the ERP goes. The default is every enabled marketplace that can create orders. */
export function routeOrder(order: Pick<CanonicalOrder, 'erp'>, rules: readonly RoutingRule[], channels: readonly Channel[]): Route {
  const rule = rules.find((r) => matches(r, order))
  const route: Route = { rule: rule?.name ?? 'default', channels: [], skipped: [] }
  for (const channel of channels) {
    if (channel.marketplace === 'odoo') continue
    const reason = whyNot(channel, rule)
    if (reason) route.skipped.push({ channel: channel.id, reason })
    else route.channels.push(channel.id)
  }
  return route
}

function whyNot(channel: Channel, rule: RoutingRule | undefined): Route['skipped'][number]['reason'] | undefined {
  if (rule && !rule.to.includes(channel.id) && !rule.to.includes(channel.marketplace)) return 'rule'
  if (!channel.enabled) return 'channel-disabled'
  return channel.capabilities.createOrder ? undefined : 'target-cannot-create-orders'
}

function matches({ when }: RoutingRule, { erp }: Pick<CanonicalOrder, 'erp'>): boolean {
  if (!erp) return false
  const { team, tag, pricelist, company, field } = when
  return (
    (team === undefined || erp.team === team) &&
    (tag === undefined || erp.tags.includes(tag)) &&
    (pricelist === undefined || erp.pricelist === pricelist) &&
    (company === undefined || erp.company === company) &&
    (field === undefined || erp.fields[field.name] === field.value)
  )
}
