import type { CliContext } from './context.ts'
import { CliError, EXIT, type Register } from './context.ts'
import { operatorAtTerminal, withDesk } from './with-desk.ts'
import { type Trace, traceOrder } from '../flows/trace-order.ts'

/** `rosh trace <order>`: the whole story of an order and why it is not where it should be. */
export const registerTrace: Register = (program, context) => {
  program
    .command('trace')
    .argument('<order>', 'any identifier: ML-98345, S00042, odoo-42, a marketplace or pack id, outbox-17 ...')
    .description('the whole story of an order: cause, evidence, next safe step, timeline')
    .option('--json', 'print one JSON object')
    .action(async (typed: string, options: { json?: boolean }) => {
      const trace = await withDesk(context, async (desk) => {
        const elapsedMs = desk.clock.stopwatch()
        const answer = await traceOrder(typed, desk)
        const intent = {
          principal: operatorAtTerminal(),
          tool: 'rosh trace',
          scopeUsed: 'orders.read' as const,
          params: { order: typed.slice(0, 200) },
        }
        await desk.audit.record(intent, { result: 'ok', latencyMs: Math.round(elapsedMs()) })
        return answer
      })
      if (trace.kind === 'unreadable')
        throw new CliError('bad-input', `"${typed}" is no identifier; give an order's reference, name or id`, EXIT.badInput)
      if (options.json)
        context.print(
          JSON.stringify(
            trace.kind === 'traced' ? { diagnosis: trace.diagnosis, timeline: trace.timeline, lookedIn: trace.lookedIn } : trace,
          ),
        )
      else printTrace(trace, context)
    })
}

function printTrace(trace: Exclude<Trace, { kind: 'unreadable' }>, { print }: CliContext): void {
  if (trace.kind === 'ambiguous') {
    print(`"${trace.typed}" may mean several orders; name one of them:`)
    for (const c of trace.candidates) print(`  ${c.known.padEnd(24)} ${c.kind.padEnd(18)} ${c.channel}`)
    return
  }
  const { diagnosis, timeline } = trace
  print(`${diagnosis.cause} (${diagnosis.certainty})`)
  print(`  ${diagnosis.sentence}`)
  print(`  next: ${diagnosis.nextStep.sentence}`)
  for (const other of diagnosis.alsoFound) print(`  also: ${other.cause}${other.target ? ` at ${other.target}` : ''}: ${other.sentence}`)
  print('evidence')
  for (const row of diagnosis.evidence) print(`  ${row.table} ${row.id}: ${row.says}`)
  print('timeline')
  for (const entry of timeline)
    print(`  ${entry.at}  ${entry.source.padEnd(9)} ${entry.channel ? `${entry.channel}: ` : ''}${entry.what}  [${entry.ref}]`)
}
