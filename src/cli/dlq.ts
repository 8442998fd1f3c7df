import { type Command, Option } from 'commander'
import { CAUSE_CODES } from '../core/cause-code.ts'
import { outboxIdOf } from '../core/identifier.ts'
import { loggedWords } from '../core/logged-text.ts'
import { plainLine } from '../core/untrusted.ts'
import { deadLetterDepth, listDeadLetters, MOST_LISTED } from '../flows/dead-letters.ts'
import { type DrainAnswer, drainDlq, type DrainRefusal, type DrainRequest } from '../flows/drain-dlq.ts'
import type { DeadLetter } from '../ports/dead-letters.ts'
import type { BadMarketplace } from '../flows/marketplace-filter.ts'
import { replayDeadLetter } from '../flows/replay-dead-letter.ts'
import { countFrom } from './count.ts'
import { type CliContext, CliError, conclude, type Failure, type Outcome, type Register } from './context.ts'
import { type Separator, spreadsheetOf } from './spreadsheet.ts'
import { operatorAtTerminal, recordedRead, withDesk } from './with-desk.ts'
import { printWrapped } from './wrapped.ts'

/** `rosh dlq`: what was given up on, and putting it back. Every change is named in the audit log. */
export const registerDlq: Register = (program, context) => {
  const dlq = program.command('dlq').description('dead letters: what was given up on, in either direction')
  registerList(dlq, context)
  registerReplay(dlq, context)
  registerDrain(dlq, context)
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

/** What a filter names must exist: a misspelt cause would match nothing and look like good news. Marketplaces are looked up in the database. */
function filterOf({ marketplace, cause, since }: Filter): { marketplace: string | null; cause: string | null; since: string | null } {
  if (cause !== undefined && !CAUSE_CODES.some((code) => code === cause))
    throw new CliError('bad-input', `--cause: "${cause}" is no cause code; there are ${CAUSE_CODES.join(', ')}`)
  return { marketplace: marketplace ?? null, cause: cause ?? null, since: since ?? null }
}

function registerList(dlq: Command, context: CliContext): void {
  const command = filtered(dlq.command('list').description('list dead letters, oldest first'))
  const csv = new Option('--csv [separator]', 'print them for a spreadsheet').choices(Object.keys(SEPARATORS)).preset('comma')
  command.addOption(csv).action(async (options: Filter & { csv?: keyof typeof SEPARATORS }) => {
    if (options.csv && options.json) throw new CliError('bad-input', '--csv and --json exclude each other')
    const filter = filterOf(options)
    const most = options.csv ? MOST_LISTED : MOST_SHOWN
    const [list, depth] = await withDesk(context, (desk) =>
      recordedRead(
        desk,
        () => Promise.all([listDeadLetters(filter, most, desk), deadLetterDepth(desk.deadLetters)]),
        ([listed]) => ({
          tool: 'rosh dlq list',
          scopeUsed: 'metrics.read',
          params: loggedWords(filter),
          ...(listed.kind === 'listed' ? {} : { errorCode: 'invalid-arguments' }),
        }),
      ),
    )
    if (list.kind !== 'listed') throw badFilter(list, options)
    if (options.csv) return printSpreadsheet(list, SEPARATORS[options.csv], context)
    const data = { depth, letters: list.letters, total: list.total }
    const isFiltered = Object.values(filter).some((value) => value !== null)
    conclude(context, options.json, {
      data,
      say: () => {
        context.print(`${depth.deadLetters} dead letters of ${depth.orders} orders${isFiltered ? `, ${list.total} of them match` : ''}`)
        printLetters(list.letters, context)
        if (list.total > list.letters.length)
          context.print(`the oldest ${list.letters.length} are shown; --json, --cause, --marketplace and --since narrow it`)
        if (list.letters.length > 0)
          context.print('why: `rosh trace <order>`; put one back: `rosh dlq replay <id>`; many: `rosh dlq drain`')
      },
    })
  })
}

const MOST_SHOWN = 200
/** Excel splits by what the country writes: a semicolon where the comma is for decimals. */
const SEPARATORS = { comma: ',', semicolon: ';' } as const

function printSpreadsheet(
  { letters, total }: { letters: readonly DeadLetter[]; total: number },
  separator: Separator,
  context: CliContext,
): void {
  const rows = letters.map(({ table, id, known, channel, cause, tries, diedAt, summary }) => ({
    id: outboxIdOf(table, id),
    order: known,
    channel,
    cause,
    died_at: diedAt,
    tries,
    summary,
  }))
  const text = spreadsheetOf(['id', 'order', 'channel', 'cause', 'died_at', 'tries', 'summary'], rows, separator)
  context.print(text.slice(0, -1)) // its last line end is CRLF, of which printing adds the second half
  if (total > letters.length)
    context.progress(`the oldest ${letters.length} of ${total} are in it; --cause, --marketplace and --since narrow it`)
}

function printLetters(letters: readonly DeadLetter[], context: CliContext): void {
  for (const { table, id, known, channel, cause, summary, diedAt } of letters) {
    const died = `${diedAt.slice(0, 16).replace('T', ' ')}Z`
    context.print(`  ${outboxIdOf(table, id).padEnd(13)} ${(plainLine(known) || 'unknown order').padEnd(20)} ${cause.padEnd(22)} ${died}`)
    printWrapped(context, ' '.repeat(16), `${channel}: ${plainLine(summary) || 'no summary'}`)
  }
}

function badFilter(bad: { kind: 'bad-since' } | BadMarketplace, { since, marketplace }: Filter): CliError {
  return new CliError(
    'bad-input',
    bad.kind === 'bad-since'
      ? `--since: "${since}" is no time; write 24h, 7d or an ISO time`
      : `--marketplace: "${marketplace}" is none; there are ${bad.known.join(', ')}`,
  )
}

function registerReplay(dlq: Command, context: CliContext): void {
  dlq
    .command('replay')
    .argument('<id>', 'outbox-17 or inbound-9, as `rosh dlq list` names it')
    .description('put one dead letter back to pending')
    .option('--reason <text>', 'why, without names or contacts: kept in the audit log for good')
    .option('--json', 'print one JSON object')
    .action(async (outboxId: string, options: { reason?: string; json?: boolean }) => {
      const request = { principal: operatorAtTerminal(), outboxId, reason: options.reason ?? null, tool: 'rosh dlq replay' }
      const answer = await withDesk(context, (desk) => replayDeadLetter(request, desk))
      const message =
        answer.kind === 'replayed'
          ? `${answer.outboxId} is ${answer.state} again at ${answer.channel}`
          : `${answer.outboxId} was not replayed: ${answer.reason}; nothing changed`
      const failure = answer.kind === 'replayed' ? undefined : { code: REPLAY_CODES[answer.reason] ?? 'refused', message }
      conclude(context, options.json, { data: { ...answer }, say: () => context.print(message), failure })
    })
}

const MOST_EXPECTED = 1_000_000

const REPLAY_CODES: Partial<Record<string, Outcome>> = { unknown: 'unknown-dead-letter', unaudited: 'unaudited' }

interface DrainOptions extends Filter {
  execute?: string
  expect?: string
  archive?: boolean
  reason?: string
}

function registerDrain(dlq: Command, context: CliContext): void {
  filtered(dlq.command('drain').description('list what a filter names and a plan token; with the token, replay or archive it'))
    .option('--execute <plan token>', 'the token that a first call printed: good for ten minutes, once')
    .option('--expect <count>', 'the count that it printed')
    .option('--archive', 'archive (restorable) instead of replaying')
    .option('--reason <text>', 'why, without names or contacts: kept in the audit log for good')
    .action(async (options: DrainOptions) => {
      const request = drainRequest(options)
      const answer = await withDesk(context, (desk) => drainDlq(request, desk))
      if (answer.kind === 'bad-marketplace') throw badFilter(answer, options)
      if (answer.kind === 'refused' && answer.reason === 'bad-since') throw badFilter({ kind: 'bad-since' }, options)
      conclude(context, options.json, {
        data: { ...answer },
        say: () => printDrain(answer, options, context),
        failure: answer.kind === 'refused' ? drainFailure(answer.reason) : undefined,
      })
    })
}

function drainRequest(options: DrainOptions): DrainRequest {
  const expectedCount = options.expect === undefined ? null : countFrom('--expect', options.expect, [0, MOST_EXPECTED])
  if ((options.execute === undefined) !== (expectedCount === null))
    throw new CliError('bad-input', '--execute and --expect go together, as the first call printed them')
  return {
    principal: operatorAtTerminal(),
    ...filterOf(options),
    dryRun: options.execute === undefined,
    action: options.archive ? 'archive' : null,
    planToken: options.execute ?? null,
    expectedCount,
    reason: options.reason ?? null,
    tool: 'rosh dlq drain',
  }
}

const REFUSED: Record<Exclude<DrainRefusal, 'bad-since'>, string> = {
  'plan-invalid': '--execute: this plan token is unknown, or it is of another person',
  'plan-expired': '--execute: this plan is older than ten minutes',
  'plan-differs': 'the options are not those of the plan',
  'count-differs': '--expect: this is not the count of the plan',
  'plan-used': '--execute: this plan was used before',
  'plan-stale': 'the dead letters changed since the plan was made',
  'in-flight': 'a worker has one of them in hand',
  unaudited: 'the audit log cannot be written',
}

function drainFailure(reason: DrainRefusal): Failure {
  const why = reason === 'bad-since' ? '--since: this is no time' : REFUSED[reason]
  const code = reason === 'unaudited' ? 'unaudited' : 'refused'
  return { code, message: `${why}. Nothing changed; make a new plan with \`rosh dlq drain\`.` }
}

function printDrain(answer: Exclude<DrainAnswer, BadMarketplace>, options: DrainOptions, context: CliContext): void {
  const { print } = context
  if (answer.kind === 'refused') {
    return print(drainFailure(answer.reason).message)
  }
  const done = (action: string): string => (action === 'archive' ? 'archived' : 'put back')
  if (answer.kind === 'drained') {
    const left = answer.refused === 0 ? '' : `; ${answer.refused} left as they are, a newer version answers them`
    return print(`${answer.changed.length} ${done(answer.action)}: ${answer.changed.join(', ')}${left}`)
  }
  if (answer.planToken === null) return print('no dead letter matches; nothing to drain')
  print(`${answer.count} of ${answer.total} matching dead letters would be ${done(answer.action)}; nothing changed yet`)
  print(`  by cause   ${counted(answer.byCause)}`)
  print(`  by channel ${counted(answer.byTarget)}`)
  printLetters(answer.sample, context)
  if (answer.count > answer.sample.length) print(`  ... and ${answer.count - answer.sample.length} more`)
  print(`To do it, once, until ${answer.expiresAt}:`)
  const filters = (['marketplace', 'cause', 'since'] as const).flatMap((name) =>
    options[name] === undefined ? [] : [`--${name} ${options[name]}`],
  )
  const words = [
    'rosh dlq drain',
    ...filters,
    ...(options.archive ? ['--archive'] : []),
    `--expect ${answer.count}`,
    `--execute ${answer.planToken}`,
  ]
  print(`  ${words.join(' ')}`)
}

function counted(counts: Record<string, number>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')
}
