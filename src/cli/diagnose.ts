import { type CliContext, conclude, type Register } from './context.ts'
import { failureOf, type Located, locate, printDiagnosis, printNearest } from './located.ts'
import { printWrapped } from './wrapped.ts'

/** `rosh diagnose <order>`: the cause, what it stands on, what it is not, and the next safe step. */
export const registerDiagnose: Register = (program, context) => {
  program
    .command('diagnose')
    .argument('<order>', 'any identifier, as for `rosh trace`')
    .description('why an order is not where it should be: cause, evidence, what was ruled out, next safe step')
    .option('--json', 'print one JSON object')
    .action(async (typed: string, options: { json?: boolean }) => {
      const found = await locate(context, 'rosh diagnose', typed)
      const { diagnosis, lookedIn, facts } = found
      conclude(context, options.json, {
        data: { diagnosis, nearest: facts.nearest, lookedIn },
        say: () => say(found, context),
        failure: failureOf(found),
      })
    })
}

function say(found: Located, context: CliContext): void {
  const { diagnosis, lookedIn } = found
  printDiagnosis(diagnosis, context)
  printNearest(found, context)
  context.print('ruled out')
  if (diagnosis.ruledOut.length === 0) context.print('  nothing')
  for (const { cause, because } of diagnosis.ruledOut) printWrapped(context, `  ${cause.padEnd(22)} `, because)
  printWrapped(context, 'looked in ', lookedIn.join(', '))
}
