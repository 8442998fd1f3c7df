import type { Desk } from '../desk.ts'
import { audited } from '../flows/audited.ts'
import { locateOrder } from '../flows/locate-order.ts'
import { type CliContext, CliError, EXIT, type Register } from './context.ts'
import { writePrivately } from './private-file.ts'
import { operatorAtTerminal, withDesk } from './with-desk.ts'

/** `rosh personal-data`: what the hub holds of the person behind an order, and its erasure. Both are named in the audit log, without the data. */
export const registerPersonalData: Register = (program, context) => {
  const data = program.command('personal-data').description('personal data of one order: export it, erase it')
  data
    .command('export')
    .argument('<order>', 'any identifier of the order')
    .requiredOption('--out <file>', 'written anew, readable by you alone')
    .description('write everything the hub holds of the buyer to a file')
    .action((order: string, options: { out: string }) => exportOrder(context, order, options.out))
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

async function exportOrder(context: CliContext, order: string, file: string): Promise<void> {
  const found = await withDesk(context, async (desk) => {
    const orderId = await orderIdOf(desk, order)
    return run(
      desk,
      { tool: 'rosh personal-data export', orderId },
      () => desk.personalData.read(orderId),
      () => ({}),
    )
  })
  await writePrivately(file, `${JSON.stringify(found, null, 2)}\n`)
  context.print(`written to ${file}`)
}

async function eraseOrder(context: CliContext, order: string, { yes, reason, json }: EraseOptions): Promise<void> {
  if (!yes) throw new CliError('needs-yes', 'erasing cannot be undone: add --yes', EXIT.badInput)
  const erased = await withDesk(context, async (desk) => {
    const orderId = await orderIdOf(desk, order)
    const act = { tool: 'rosh personal-data erase', orderId, ...(reason === undefined ? {} : { reason }) }
    return run(
      desk,
      act,
      () => desk.personalData.erase(orderId),
      (done) => ({ ...done }),
    )
  })
  context.print(
    json
      ? JSON.stringify(erased)
      : `erased: ${erased.keys} keys, ${erased.observations} observations, ${erased.requests} raw requests, ${erased.attempts} texts of other systems`,
  )
}

async function orderIdOf(desk: Desk, typed: string): Promise<string> {
  // The ERP is not asked: what the hub does not know, it holds nothing of.
  const located = await locateOrder(typed, { trace: desk.trace, erp: null })
  if (located.kind === 'ambiguous')
    throw new CliError('ambiguous', `"${typed}" names several orders: ${located.candidates.map((c) => c.known).join(', ')}`, EXIT.badInput)
  const id = located.kind === 'located' ? located.facts.order?.id : undefined
  if (id === undefined) throw new CliError('unknown-order', `no order "${typed}" is known`, EXIT.badInput)
  return id
}

interface Act {
  tool: string
  orderId: string
  reason?: string
}

async function run<T>(desk: Desk, act: Act, work: () => Promise<T | null>, effectOf: (value: T) => Record<string, unknown>): Promise<T> {
  const { tool, orderId, reason } = act
  const done = await audited(desk, {
    intent: {
      principal: operatorAtTerminal(),
      tool,
      scopeUsed: 'orders.pii',
      params: { order_id: orderId },
      target: { kind: 'order', id: orderId },
      ...(reason === undefined ? {} : { reason }),
    },
    run: work,
    outcomeOf: (value) => (value === null ? { result: 'error', errorCode: 'unknown-order' } : { result: 'ok', effect: effectOf(value) }),
  })
  if (!('value' in done)) throw new CliError('unaudited', 'the audit log cannot be written, so nothing was done')
  if (done.value === null) throw new CliError('unknown-order', 'the order is not there any more')
  return done.value
}
