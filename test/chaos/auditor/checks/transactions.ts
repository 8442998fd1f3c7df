import { type Breach, breach } from '../breach.ts'
import { samplesOf } from '../sample-file.ts'
import type { World } from '../world.ts'

const LONGEST_MS = 250
/** PostgreSQL's own, and what tests and people open by hand. */
const HUB = /^(rosh|order-sync-hub)/

/** I8, as far as a sampler saw it: no transaction as old as that, and none open while another system is called. */
export function transactionsAreShort({ samples }: World): Breach[] {
  const old = samplesOf(samples, 'sessions').flatMap(({ at, sessions }) =>
    sessions
      .filter((one) => one.transactionMs >= LONGEST_MS && HUB.test(one.application))
      .map((one) => ({ at, key: `${one.application} pid ${one.pid}`, session: one })),
  )
  // One breach a session: its longest.
  const longest = [...Map.groupBy(old, (one) => one.key).values()].flatMap(
    (seen) => seen.toSorted((a, b) => b.session.transactionMs - a.session.transactionMs)[0] ?? [],
  )
  return [
    ...longest.map(({ at, key, session }) =>
      breach(
        'I8',
        key,
        `a transaction was open for ${Math.round(session.transactionMs)} ms at ${at}, ${session.state ?? 'unknown'}: ${session.query}`,
        { field: 'pg_stat_activity', at: Date.parse(at) },
      ),
    ),
    ...samplesOf(samples, 'call')
      .filter((call) => call.openTransactions > 0)
      .map((call) =>
        breach('I8', call.request, `${call.openTransactions} transactions were open while ${call.system} was called at ${call.at}`, {
          field: 'call',
          at: Date.parse(call.at),
        }),
      ),
  ]
}
