import { type RetryAnswer, retryFailedSync } from '../flows/retry-failed-sync.ts'
import { CliError, conclude, type Register } from './context.ts'
import { ambiguousOrder, unknownOrder } from './named-order.ts'
import { operatorAtTerminal, withDesk } from './with-desk.ts'

/** `rosh retry <order>`: puts an order's dead letters back, in either direction; named in the audit log. */
export const registerRetry: Register = (program, context) => {
  program
    .command('retry')
    .argument('<order>', 'any identifier of the order')
    .description(
      'put the newest dead letter of each of the order’s bindings back, plan what is owed and missing, fetch again what showed an unmapped status',
    )
    .option('--reason <text>', 'why, without names or contacts: kept in the audit log for good')
    .option('--json', 'print one JSON object')
    .action(async (orderId: string, options: { reason?: string; json?: boolean }) => {
      const request = { principal: operatorAtTerminal(), orderId, reason: options.reason ?? null, tool: 'rosh retry' }
      const answer = await withDesk(context, (desk) => retryFailedSync(request, desk))
      if (answer.kind === 'ambiguous') throw ambiguousOrder(orderId, answer.candidates)
      if (answer.kind === 'unknown') throw unknownOrder(orderId, answer.nearest)
      if (answer.kind === 'in-flight')
        throw new CliError('refused', 'a worker has the order in hand; nothing was changed, try again in a moment')
      if (answer.kind === 'unaudited') throw new CliError('unaudited', 'the audit log cannot be written, so nothing was changed')
      const message = sentenceOf(answer)
      const failure = answer.changed === 0 ? ({ code: 'nothing-to-retry', message } as const) : undefined
      conclude(context, options.json, { data: { ...answer }, say: () => context.print(message), failure })
    })
}

function sentenceOf(answer: RetryAnswer & { kind: 'retried' | 'nothing-to-retry' }): string {
  const left = answer.refused.map(({ outboxId, reason }) => `; ${outboxId} was left: ${reason}`).join('')
  const { healed, kept, failure } = answer.reread
  const stays = kept.map(
    ({ erpId, problem }) => `; the ERP order ${erpId} stays in quarantine: ${failure === null ? problem : `not read again (${failure})`}`,
  )
  if (answer.changed === 0) return `nothing to retry; nothing changed${left}${stays.join('')}`
  const out = healed.map((erpId) => `the ERP order ${erpId} left quarantine`)
  const back = [...answer.replayed, ...out, ...(answer.planned > 0 ? [`${answer.planned} newly planned`] : [])].join(', ')
  const again = answer.refetched.length > 0 ? ['the order is fetched again'] : []
  return `${[...(back === '' ? [] : [`${back}: put back, delivery follows`]), ...again].join('; ')}${left}${stays.join('')}`
}
