import type { Diagnosis } from '../core/diagnosis.ts'
import { loggedIdentifier } from '../core/logged-text.ts'
import { isHeld } from '../core/order-facts.ts'
import { type Trace, traceOrder } from '../flows/trace-order.ts'
import { type CliContext, CliError, EXIT } from './context.ts'
import { recordedRead, withDesk } from './with-desk.ts'
import { printWrapped } from './wrapped.ts'

export type Located = Exclude<Trace, { kind: 'unreadable' }>

/** Traces what a person typed, named in the audit log as the command that asked. */
export async function locate(context: CliContext, command: 'rosh trace' | 'rosh diagnose', typed: string): Promise<Located> {
  const trace = await withDesk(context, (desk) =>
    recordedRead(
      desk,
      () => traceOrder(typed, desk),
      (answer) => ({ tool: command, scopeUsed: 'orders.read', ...loggedTrace(typed, answer) }),
    ),
  )
  if (trace.kind !== 'unreadable') return trace
  throw new CliError(
    'bad-input',
    `<order>: "${typed}" is no identifier; give an order's reference, name or id, such as ML-98345, S00042 or odoo-42`,
    EXIT.badInput,
  )
}

function loggedTrace(typed: string, trace: Trace): { params: Record<string, unknown>; errorCode?: string } {
  const held = trace.kind === 'ambiguous' || (trace.kind === 'traced' && isHeld(trace.facts))
  const params = { order_id: loggedIdentifier(typed, held) }
  return trace.kind === 'unreadable' ? { params, errorCode: 'invalid-arguments' } : { params }
}

/** Nearest known names of an order that nobody knows. */
export function printNearest({ facts }: Extract<Located, { kind: 'traced' }>, context: CliContext): void {
  if (facts.nearest.length > 0) printWrapped(context, 'nearest known: ', facts.nearest.join(', '))
}

/** Candidates, for a person to name one of them. */
export function printCandidates({ typed, candidates }: Extract<Located, { kind: 'ambiguous' }>, { print }: CliContext): void {
  print(`"${typed}" may mean several orders; name one of them:`)
  for (const c of candidates) print(`  ${c.known.padEnd(24)} ${c.kind.padEnd(18)} ${c.channel}`)
}

export function printDiagnosis({ cause, certainty, sentence, nextStep, alsoFound, evidence }: Diagnosis, context: CliContext): void {
  context.print(`${cause} (${certainty})`)
  printWrapped(context, '  ', sentence)
  printWrapped(context, '  next: ', nextStep.sentence)
  for (const other of alsoFound)
    printWrapped(context, '  also: ', `${other.cause}${other.target ? ` at ${other.target}` : ''}: ${other.sentence}`)
  context.print('evidence')
  if (evidence.length === 0) context.print('  no row: what is missing is what tells')
  for (const row of evidence) printWrapped(context, '  ', `${row.table} ${row.id}: ${row.says}`)
}
