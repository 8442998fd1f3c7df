import { plainLine } from '../core/untrusted.ts'
import type { Candidate } from '../ports/order-trace.ts'
import { CliError } from './context.ts'

/** What was typed names several orders: they are listed under names of which each is one order's alone. */
export function ambiguousOrder(typed: string, candidates: readonly Candidate[]): CliError {
  const named = candidates.map(({ orderId, ...rest }) => ({ order: `hub-${orderId}`, ...rest }))
  const lines = named.map(
    ({ order, known, kind, channel }) => `  ${order.padEnd(12)} ${plainLine(known).padEnd(24)} ${kind.padEnd(18)} ${channel}`,
  )
  return new CliError('ambiguous', [`"${typed}" may mean several orders; name one of them:`, ...lines].join('\n'), { candidates: named })
}

/** Nobody knows what was typed; `nearest` is what the hub knows that looks alike. */
export function unknownOrder(typed: string, nearest: readonly string[]): CliError {
  const near = nearest.length === 0 ? '' : `; nearest known: ${nearest.map((known) => plainLine(known)).join(', ')}`
  return new CliError('unknown-order', `no order "${typed}" is known${near}`, { nearest })
}
