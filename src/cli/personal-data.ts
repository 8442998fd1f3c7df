import { loggedIdentifier } from '../core/logged-text.ts'
import type { Desk } from '../desk.ts'
import { audited } from '../flows/audited.ts'
import { locateOrder } from '../flows/locate-order.ts'
import { type CliContext, CliError, conclude, type Register } from './context.ts'
import { ambiguousOrder, unknownOrder } from './named-order.ts'
import { writePrivately } from './private-file.ts'
import { operatorAtTerminal, recordedRead, withDesk } from './with-desk.ts'

/** `rosh personal-data`: what the hub holds of the person behind an order, and its erasure. Both are named in the audit log, without the data. */
export const registerPersonalData: Register = (program, context) => {
  const data = program.command('personal-data').description('personal data of one order: export it, erase it')
  data
    .command('export')
    .argument('<order>', 'any identifier of the order')
    .requiredOption('--out <file>', 'written anew, readable by you alone')
    .option('--json', 'print one JSON object')
    .description('write everything the hub holds of the buyer to a file')
    .action((order: string, options: { out: string; json?: boolean }) => exportOrder(context, order, options))
  data
    .command('erase')
    .argument('<order>', 'any identifier of the order')
    .option('--yes', 'really; it cannot be undone')
    .option('--reason <text>', 'kept in the audit log; name no person in it')
    .option('--json', 'print one JSON object')
    .description('delete the order’s key, and with it every copy of the buyer’s fields')
    .action((order: string, options: EraseOptions) => eraseOrder(context, order, options))
}

interface EraseOptions {
  yes?: boolean
  reason?: string
  json?: boolean
}

async function exportOrder(context: CliContext, order: string, { out, json }: { out: string; json?: boolean }): Promise<void> {
  const found = await withDesk(context, async (desk) => {
    const tool = 'rosh personal-data export'
    const orderId = await orderIdOf(desk, tool, order)
    return run(
      desk,
      { tool, orderId },
      () => desk.personalData.read(orderId),
      () => ({}),
    )
  })
  await writePrivately(out, `${JSON.stringify(found, null, 2)}\n`)
  conclude(context, json, { data: { written: out }, say: () => context.print(`written to ${out}`) })
}

async function eraseOrder(context: CliContext, order: string, { yes, reason, json }: EraseOptions): Promise<void> {
  if (!yes) throw new CliError('needs-yes', 'erasing cannot be undone: add --yes')
  const erased = await withDesk(context, async (desk) => {
    const tool = 'rosh personal-data erase'
    const orderId = await orderIdOf(desk, tool, order)
    const act = { tool, orderId, isNoted: true, ...(reason === undefined ? {} : { reason }) }
    return run(
      desk,
      act,
      (operationId) => desk.personalData.erase(orderId, operationId),
      (done) => ({ ...done }),
    )
  })
  const { keys, observations, requests, attempts } = erased
  const said = `erased: ${keys} keys, ${observations} observations, ${requests} raw requests, ${attempts} texts of other systems`
  conclude(context, json, { data: { ...erased }, say: () => context.print(said) })
}

// The ERP is not asked: what the hub does not know, it holds nothing of. Who asked in vain is on the record too.
async function orderIdOf(desk: Desk, tool: string, typed: string): Promise<string> {
  const located = await locateOrder(typed, { trace: desk.trace, erp: null })
  const id = located.kind === 'located' ? located.facts.order?.id : undefined
  if (id !== undefined) return id
  const isAmbiguous = located.kind === 'ambiguous'
  const failure = isAmbiguous
    ? ambiguousOrder(typed, located.candidates)
    : unknownOrder(typed, located.kind === 'located' ? located.facts.nearest : [])
  const params = { order_id: loggedIdentifier(typed, isAmbiguous) }
  await recordedRead(
    desk,
    () => Promise.resolve(failure),
    ({ code }) => ({ tool, scopeUsed: 'orders.pii', params, errorCode: code }),
  )
  throw failure
}

interface Act {
  tool: string
  orderId: string
  reason?: string
  isNoted?: boolean
}

async function run<T>(
  desk: Desk,
  act: Act,
  work: (operationId: string) => Promise<T | null>,
  effectOf: (value: T) => Record<string, unknown>,
): Promise<T> {
  const { tool, orderId, reason, isNoted = false } = act
  const done = await audited(desk, {
    intent: {
      principal: operatorAtTerminal(),
      tool,
      scopeUsed: 'orders.pii',
      params: { order_id: orderId },
      target: { kind: 'order', id: orderId },
      isNoted,
      ...(reason === undefined ? {} : { reason }),
    },
    run: work,
    outcomeOf: (value) => (value === null ? { result: 'error', errorCode: 'unknown-order' } : { result: 'ok', effect: effectOf(value) }),
  })
  if (!('value' in done)) throw new CliError('unaudited', 'the audit log cannot be written, so nothing was done')
  if (done.value === null) throw new CliError('unknown-order', 'the order is not there any more')
  return done.value
}
