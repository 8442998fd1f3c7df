import { Option } from 'commander'
import type { Desk } from '../desk.ts'
import { audited } from '../flows/audited.ts'
import { letGo } from '../flows/let-go.ts'
import { RETENTION_CLASSES, type RetentionClass } from '../ports/retention.ts'
import { runningConfig } from './configuration.ts'
import { type CliContext, CliError, conclude, type Register } from './context.ts'
import { operatorAtTerminal, withDesk } from './with-desk.ts'

/** `rosh retention`: what has stood long enough, by class, and its going. The log keeps how many of what, and nothing of what they held. */
export const registerRetention: Register = (program, context) => {
  program
    .command('retention')
    .description('show what has stood longer than `retentionDays` of hub.yaml says, and let it go')
    .addOption(new Option('--class <name...>', 'only these').choices(RETENTION_CLASSES))
    .option('--yes', 'let it go; it cannot be undone')
    .option('--reason <text>', 'why, without names or contacts: kept in the audit log for good')
    .option('--json', 'print one JSON object')
    .action((options: Options) => retention(context, options))
}

/** Years of rows go window by window; ended before, it is simply run again. */
const LONGEST_RUN_MS = 86_400_000

interface Options {
  class?: RetentionClass[]
  yes?: boolean
  reason?: string
  json?: boolean
}

/** One class: how long it is kept (null: for ever), how much is due, and how much went. */
interface Line {
  class: RetentionClass
  days: number | null
  due: number
  gone: number
}

async function retention(context: CliContext, { class: only = [...RETENTION_CLASSES], yes, reason, json }: Options): Promise<void> {
  const { retentionDays } = runningConfig(context).file
  const lines = await withDesk(context, async (desk) => {
    const due: Line[] = []
    for (const name of only) due.push(await dueLine(desk, name, retentionDays[name]))
    return yes ? run(context, desk, due, reason) : due
  })
  const say = (): void => {
    context.print(`${'class'.padEnd(12)}${'kept'.padEnd(12)}${yes ? 'gone' : 'due'}`)
    for (const line of lines) context.print(textOf(line, yes ? line.gone : line.due))
    if (!yes && lines.some((line) => line.due > 0)) context.print('nothing was changed; with --yes it goes, for good')
  }
  conclude(context, json, { data: { done: yes ?? false, classes: lines }, say })
}

async function dueLine({ retention }: Desk, name: RetentionClass, days: number | null): Promise<Line> {
  const due = days === null ? null : await retention.due(name, days)
  return { class: name, days, due: due?.count ?? 0, gone: 0 }
}

function textOf({ class: name, days }: Line, count: number): string {
  return `${name.padEnd(12)}${(days === null ? 'for ever' : `${days} days`).padEnd(12)}${days === null ? '-' : count}`
}

/** Lets go class by class between one intent and its outcome. */
async function run(context: CliContext, desk: Desk, lines: readonly Line[], reason: string | undefined): Promise<Line[]> {
  const act = await audited(desk, {
    intent: {
      principal: operatorAtTerminal(),
      tool: 'rosh retention',
      scopeUsed: 'orders.pii',
      mayLastMs: LONGEST_RUN_MS,
      params: Object.fromEntries(lines.map((line) => [line.class, line.days])),
      ...(reason === undefined ? {} : { reason }),
    },
    async run() {
      const done: Line[] = []
      for (const line of lines) done.push({ ...line, gone: await goneOf(context, desk, line) })
      return done
    },
    outcomeOf: (done) => ({ result: 'ok', effect: Object.fromEntries(done.map((line) => [line.class, line.gone])) }),
  })
  if ('value' in act) return act.value
  throw new CliError('unaudited', 'the audit log cannot be written, so nothing was done')
}

async function goneOf({ progress, signal }: CliContext, { retention }: Desk, { class: of, days }: Line): Promise<number> {
  if (days === null) return 0
  return letGo(retention, { of, days }, { progress: (gone, due) => progress(`${of}: ${gone} of ${due}`), signal })
}
