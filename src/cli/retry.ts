import { type RetryAnswer, retryFailedSync } from '../flows/retry-failed-sync.ts'
import { EXIT, type Register } from './context.ts'
import { operatorAtTerminal, withDesk } from './with-desk.ts'

/** `rosh retry <order>`: puts an order's dead letters back, in either direction; named in the audit log. */
export const registerRetry: Register = (program, context) => {
  program
    .command('retry')
    .argument('<order>', 'any identifier of the order')
    .description(
      'put the newest dead letter of each of the order’s bindings back, plan what is owed and missing, fetch again what showed an unmapped status',
    )
    .option('--reason <text>', 'kept in the audit log')
    .option('--json', 'print one JSON object')
    .action(async (orderId: string, options: { reason?: string; json?: boolean }) => {
      const request = { principal: operatorAtTerminal(), orderId, reason: options.reason ?? null, tool: 'rosh retry' }
      const answer = await withDesk(context, (desk) => retryFailedSync(request, desk))
      context.print(options.json ? JSON.stringify(answer) : sentenceOf(answer, orderId))
      if (!('replayed' in answer) || answer.changed === 0) process.exitCode = EXIT.failed
    })
}

function sentenceOf(answer: RetryAnswer, orderId: string): string {
  switch (answer.kind) {
    case 'retried':
    case 'nothing-to-retry': {
      const left = answer.refused.map(({ outboxId, reason }) => `; ${outboxId} was left: ${reason}`).join('')
      const { healed, kept, failure } = answer.reread
      const stays = kept.map(
        ({ erpId, problem }) =>
          `; the ERP order ${erpId} stays in quarantine: ${failure === null ? problem : `not read again (${failure})`}`,
      )
      if (answer.changed === 0) return `nothing to retry; nothing changed${left}${stays.join('')}`
      const out = healed.map((erpId) => `the ERP order ${erpId} left quarantine`)
      const back = [...answer.replayed, ...out, ...(answer.planned > 0 ? [`${answer.planned} newly planned`] : [])].join(', ')
      const again = answer.refetched.length > 0 ? ['the order is fetched again'] : []
      return `${[...(back === '' ? [] : [`${back}: put back, delivery follows`]), ...again].join('; ')}${left}${stays.join('')}`
    }
    case 'ambiguous':
      return `"${orderId}" may mean several orders; name one of them: ${answer.candidates.map((c) => c.known).join(', ')}`
    case 'unknown':
      return `"${orderId}" is unknown to the hub; nothing changed${answer.nearest.length === 0 ? '' : `. Nearest known: ${answer.nearest.join(', ')}`}`
    case 'unaudited':
      return 'the audit log cannot be written, so nothing was changed'
  }
}
