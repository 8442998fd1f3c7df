import type { TimelineEntry } from '../core/timeline.ts'
import { type CliContext, conclude, type Register } from './context.ts'
import { failureOf, locate, printDiagnosis, printNearest } from './located.ts'
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
      const { diagnosis, timeline, lookedIn, facts } = trace
      conclude(context, options.json, {
        data: { diagnosis, timeline, nearest: facts.nearest, lookedIn },
        say: () => {
          printDiagnosis(diagnosis, context)
          printNearest(trace, context)
          printTimeline(timeline, context)
        },
        failure: failureOf(trace),
      })
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
