import type { Command } from 'commander'
import { deadLetterDepth, listDeadLetters } from '../flows/dead-letters.ts'
import { drainDlq } from '../flows/drain-dlq.ts'
import { replayDeadLetter } from '../flows/replay-dead-letter.ts'
import { retryFailedSync } from '../flows/retry-failed-sync.ts'
import { type CliContext, CliError, EXIT, type Register } from './context.ts'
import { operatorAtTerminal, withDesk } from './with-desk.ts'

/** `rosh dlq` and `rosh retry`: what was given up on, and putting it back. Every change is named in the audit log. */
export const registerDlq: Register = (program, context) => {
  const dlq = program.command('dlq').description('dead letters: what was given up on, in either direction')
  registerList(dlq, context)
  registerReplay(dlq, context)
  registerDrain(dlq, context)
  program
    .command('retry')
    .argument('<order>', 'any identifier of the order')
    .description('put the newest dead letter of each of the order’s bindings back, and plan what is owed and missing')
    .option('--reason <text>', 'kept in the audit log')
    .option('--json', 'print one JSON object')
    .action(async (orderId: string, options: { reason?: string; json?: boolean }) => {
      const request = { principal: operatorAtTerminal(), orderId, reason: options.reason ?? null, tool: 'rosh retry' }
      const answer = await withDesk(context, (desk) => retryFailedSync(request, desk))
      if (options.json) context.print(JSON.stringify(answer))
      else if ('replayed' in answer)
        context.print(
          answer.changed === 0 ? 'nothing to retry; nothing changed' : `${answer.replayed.join(', ')} put back, ${answer.planned} planned`,
        )
      else context.print(JSON.stringify(answer))
      if (!('replayed' in answer) || answer.changed === 0) process.exitCode = EXIT.failed
    })
}

interface Filter {
  marketplace?: string
  cause?: string
  since?: string
  json?: boolean
}

const filtered = (command: Command): Command =>
  command
    .option('--marketplace <name>', 'mercadolibre, paris, odoo or a channel id')
    .option('--cause <code>', 'only this cause code')
    .option('--since <time>', '24h, 7d or an ISO time')
    .option('--json', 'print one JSON object')

const filterOf = (o: Filter) => ({ marketplace: o.marketplace ?? null, cause: o.cause ?? null, since: o.since ?? null })

function registerList(dlq: Command, context: CliContext): void {
  filtered(dlq.command('list').description('list dead letters, oldest first')).action(async (options: Filter) => {
    const [list, depth] = await withDesk(context, (desk) =>
      Promise.all([listDeadLetters(filterOf(options), 200, desk.deadLetters), deadLetterDepth(desk.deadLetters)]),
    )
    if (!list) throw new CliError('bad-input', `--since: "${options.since}" is no time; write 24h, 7d or an ISO time`, EXIT.badInput)
    if (options.json) return context.print(JSON.stringify({ depth, letters: list.letters, total: list.total }))
    context.print(`${depth.deadLetters} dead letters of ${depth.orders} orders`)
    for (const { table, id, known, channel, cause, summary, diedAt } of list.letters) {
      const name = `${table === 'delivery' ? 'outbox' : 'inbound'}-${id}`
      context.print(
        `  ${name.padEnd(14)} ${(known ?? '-').padEnd(20)} ${channel.padEnd(20)} ${cause.padEnd(22)} ${diedAt}  ${summary ?? ''}`,
      )
    }
  })
}

function registerReplay(dlq: Command, context: CliContext): void {
  dlq
    .command('replay')
    .argument('<id>', 'outbox-17 or inbound-9, as `rosh dlq list` names it')
    .description('put one dead letter back to pending')
    .option('--reason <text>', 'kept in the audit log')
    .option('--json', 'print one JSON object')
    .action(async (outboxId: string, options: { reason?: string; json?: boolean }) => {
      const request = { principal: operatorAtTerminal(), outboxId, reason: options.reason ?? null, tool: 'rosh dlq replay' }
      const answer = await withDesk(context, (desk) => replayDeadLetter(request, desk))
      if (options.json) context.print(JSON.stringify(answer))
      else
        context.print(
          answer.kind === 'replayed'
            ? `${answer.outboxId} is ${answer.state} again at ${answer.channel}`
            : `${answer.outboxId} was not replayed: ${answer.reason}; nothing changed`,
        )
      if (answer.kind !== 'replayed') process.exitCode = answer.reason === 'unknown' ? EXIT.badInput : EXIT.failed
    })
}

interface DrainOptions extends Filter {
  execute?: string
  expect?: string
  archive?: boolean
  reason?: string
}

function registerDrain(dlq: Command, context: CliContext): void {
  filtered(dlq.command('drain').description('list what a filter names and a plan token; with the token, replay or archive it'))
    .option('--execute <plan token>', 'the token that a first call printed')
    .option('--expect <count>', 'the count that it printed')
    .option('--archive', 'archive (restorable) instead of replaying')
    .option('--reason <text>', 'kept in the audit log')
    .action(async (options: DrainOptions) => {
      const expectedCount = options.expect === undefined ? null : Number(options.expect)
      if (expectedCount !== null && !Number.isInteger(expectedCount))
        throw new CliError('bad-input', `--expect: "${options.expect}" is no whole number`, EXIT.badInput)
      const answer = await withDesk(context, (desk) =>
        drainDlq(
          {
            principal: operatorAtTerminal(),
            ...filterOf(options),
            dryRun: options.execute === undefined,
            action: options.archive ? 'archive' : null,
            planToken: options.execute ?? null,
            expectedCount,
            reason: options.reason ?? null,
            tool: 'rosh dlq drain',
          },
          desk,
        ),
      )
      context.print(JSON.stringify(answer, null, options.json ? 0 : 2))
      if (answer.kind === 'refused') process.exitCode = EXIT.failed
    })
}
