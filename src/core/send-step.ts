import type { Capabilities } from './channel.ts'
import type { Operation, Step } from './delivery.ts'
import type { DesiredOrder } from './desired.ts'
import { isPositive, isWholePositive } from './money.ts'

/** The step where a target's capabilities decide: the request, or that it cannot be made. */
export function stepIfAble(isAble: boolean, operation: Operation): Step {
  return isAble ? { kind: 'send', operation } : { kind: 'unsupported', operation }
}

/** Why no marketplace takes these lines; undefined when nothing stands against them. */
export function refusedLines(
  capabilities: Pick<Capabilities, 'fractionalQuantity'>,
  { lines }: Pick<DesiredOrder, 'lines'>,
): Step | undefined {
  const isTaken = capabilities.fractionalQuantity ? isPositive : isWholePositive
  const odd = lines.find((line) => !isTaken(line.quantity))
  if (odd) {
    return {
      kind: 'refused',
      cause: 'unsupported-by-target',
      summary: `quantity ${odd.quantity} of ${odd.sku}: only whole pieces are taken`,
    }
  }
  return lines.length === 0 ? { kind: 'refused', cause: 'erp-order-invalid', summary: 'the order has no lines' } : undefined
}

interface Keyed {
  channel: string
  desired: Pick<DesiredOrder, 'origin' | 'orderKey'>
  generation: number
  version: number
}

/** Create: account, order, generation; so any version of a create repeats it. Anything else: plus version. */
export function idempotencyKey({ channel, desired, generation, version }: Keyed, operation: Operation): string {
  const create = `${channel}/${desired.origin}/${desired.orderKey}/g${generation}`
  return operation === 'create' ? create : `${create}/${operation}/v${version}`
}
