import type { Diagnosis } from '../core/diagnosis.ts'
import { loggedIdentifier } from '../core/logged-text.ts'
import { isHeld } from '../core/order-facts.ts'
import { plainLine } from '../core/untrusted.ts'
import { type Trace, traceOrder } from '../flows/trace-order.ts'
import { type CliContext, CliError, type Failure } from './context.ts'
import { ambiguousOrder, unknownOrder } from './named-order.ts'
import { recordedRead, withDesk } from './with-desk.ts'
import { printWrapped } from './wrapped.ts'

export type Located = Extract<Trace, { kind: 'traced' }>

/** Traces what a person typed, named in the audit log as the command that asked. */
export async function locate(context: CliContext, command: 'rosh trace' | 'rosh diagnose', typed: string): Promise<Located> {
  const trace = await withDesk(context, (desk) =>
    recordedRead(
      desk,
      () => traceOrder(typed, desk),
      (answer) => ({ tool: command, scopeUsed: 'orders.read', ...loggedTrace(typed, answer) }),
    ),
  )
  if (trace.kind === 'traced') return trace
  if (trace.kind === 'ambiguous') throw ambiguousOrder(trace.typed, trace.candidates)
  throw new CliError(
    'bad-input',
    `<order>: "${typed}" is no identifier; give an order's reference, name or id, such as ML-98345, S00042 or odoo-42`,
  )
}

function loggedTrace(typed: string, trace: Trace): { params: Record<string, unknown>; errorCode?: string } {
  const held = trace.kind === 'ambiguous' || (trace.kind === 'traced' && isHeld(trace.facts))
  const params = { order_id: loggedIdentifier(typed, held) }
  return trace.kind === 'unreadable' ? { params, errorCode: 'invalid-arguments' } : { params }
}

/** Set when nobody knows what was typed: the answer says where we looked all the same. */
export function failureOf({ facts, diagnosis }: Located): Failure | undefined {
  return diagnosis.cause === 'not-found-anywhere' ? unknownOrder(facts.typed, facts.nearest) : undefined
}

/** Nearest known names of an order that nobody knows. */
export function printNearest({ facts }: Located, context: CliContext): void {
  if (facts.nearest.length > 0) printWrapped(context, 'nearest known: ', facts.nearest.map((known) => plainLine(known)).join(', '))
}

export function printDiagnosis({ cause, certainty, sentence, nextStep, alsoFound, evidence }: Diagnosis, context: CliContext): void {
  context.print(`${cause} (${certainty})`)
  printWrapped(context, '  ', sentence)
  printWrapped(context, '  next: ', nextStep.sentence)
  for (const other of alsoFound)
    printWrapped(context, '  also: ', `${other.cause}${other.target ? ` at ${other.target}` : ''}: ${other.sentence}`)
  context.print('evidence')
  if (evidence.length === 0) context.print('  no row: what is missing is what tells')
  for (const row of evidence) printWrapped(context, '  ', `${row.table} ${row.id}: ${plainLine(row.says)}`)
}
