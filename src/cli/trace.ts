import type { TimelineEntry } from '../core/timeline.ts'
import type { CliContext, Register } from './context.ts'
import { locate, printCandidates, printDiagnosis, printNearest } from './located.ts'
import { printWrapped } from './wrapped.ts'

/** `rosh trace <order>`: the whole story of an order and why it is not where it should be. */
export const registerTrace: Register = (program, context) => {
  program
    .command('trace')
    .argument('<order>', 'any identifier: ML-98345, S00042, odoo-42, a marketplace or pack id, outbox-17 ...')
    .description('the whole story of an order: cause, evidence, next safe step, timeline')
    .option('--json', 'print one JSON object')
    .action(async (typed: string, options: { json?: boolean }) => {
      const trace = await locate(context, 'rosh trace', typed)
      if (options.json && trace.kind === 'traced')
        context.print(JSON.stringify({ diagnosis: trace.diagnosis, timeline: trace.timeline, lookedIn: trace.lookedIn }))
      else if (options.json) context.print(JSON.stringify(trace))
      else if (trace.kind === 'ambiguous') printCandidates(trace, context)
      else {
        printDiagnosis(trace.diagnosis, context)
        printNearest(trace, context)
        printTimeline(trace.timeline, context)
      }
    })
}

function printTimeline(timeline: readonly TimelineEntry[], context: CliContext): void {
  if (timeline.length === 0) return
  context.print('timeline (UTC)')
  let day = ''
  for (const { at, source, channel, what, ref } of timeline) {
    if (at.slice(0, 10) !== day) {
      day = at.slice(0, 10)
      context.print(`  ${day}`)
    }
    printWrapped(context, `  ${at.slice(11, 23)}  ${source.padEnd(9)} `, `${channel ? `${channel}: ` : ''}${what}  [${ref}]`)
  }
}
