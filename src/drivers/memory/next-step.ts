import type { Capabilities } from '../../core/channel.ts'
import type { Step } from '../../core/delivery.ts'
import type { DesiredOrder } from '../../core/desired.ts'
import { compareOrder } from '../../core/drift.ts'
import { isPositive, isWholePositive } from '../../core/money.ts'
import type { Shown, ShownContent, Wanted } from '../../ports/target.ts'

/** The next request to the marketplace in memory, from what it shows. */
export function nextStep(wanted: Wanted, shown: Shown, capabilities: Capabilities): Step {
  if (wanted.desired.kind === 'stock') return { kind: 'unsupported', operation: 'stock' }
  const { desired } = wanted
  const cancelled = desired.lifecycle === 'cancelled'
  if (shown.kind === 'absent') {
    if (cancelled) return { kind: 'done', reason: 'nothing-to-do' }
    // It was there once: only a person may decide to make it anew.
    if (wanted.externalId !== null)
      return { kind: 'refused', cause: 'delivered-then-missing', summary: `order ${wanted.externalId} is not there any more` }
    if (!capabilities.createOrder) return { kind: 'unsupported', operation: 'create' }
    return refusalOf(desired, capabilities) ?? { kind: 'send', operation: 'create' }
  }
  if (compareOrder(desired, shown.content).length === 0)
    return reportStep(desired, shown.content, capabilities) ?? { kind: 'done', reason: 'already-there' }
  if (cancelled) return capabilities.cancelOrder ? { kind: 'send', operation: 'cancel' } : { kind: 'unsupported', operation: 'cancel' }
  if (!capabilities.updateOrder) return { kind: 'unsupported', operation: 'update' }
  return refusalOf(desired, capabilities) ?? { kind: 'send', operation: 'update' }
}

function reportStep(desired: DesiredOrder, { fulfilment, extra }: ShownContent, { pushFulfilment }: Capabilities): Step | undefined {
  if (desired.fulfilment === null || (desired.fulfilment === fulfilment && desired.tracking === extra.tracking)) return undefined
  if (fulfilment === 'delivered' || fulfilment === 'not_delivered') {
    if (fulfilment === desired.fulfilment || desired.fulfilment === 'shipped') return undefined
    return { kind: 'refused', cause: 'unsupported-by-target', summary: `it is ${fulfilment} there for ever` }
  }
  return pushFulfilment ? { kind: 'send', operation: 'track' } : { kind: 'unsupported', operation: 'track' }
}

function refusalOf(desired: DesiredOrder, { fractionalQuantity }: Capabilities): Step | undefined {
  const odd = desired.lines.find((line) => !(fractionalQuantity ? isPositive : isWholePositive)(line.quantity))
  return odd && { kind: 'refused', cause: 'unsupported-by-target', summary: `quantity ${odd.quantity} of ${odd.sku} is not taken` }
}
