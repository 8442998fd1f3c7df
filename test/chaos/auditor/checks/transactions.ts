import { awakeMs, freezesOf } from '../awake.ts'
import { type Breach, breach } from '../breach.ts'
import { samplesOf } from '../sample-file.ts'
import type { World } from '../world.ts'

/** PostgreSQL's own, and what tests and people open by hand. */
const HUB = /^(rosh|order-sync-hub)/
/** Field of a breach that is about how long, not about what was done meanwhile. */
export const DURATION = 'transaction.duration'

/** I8, as far as a sampler saw it: no transaction as old as that, and none open while another system is called. */
export function transactionsAreShort(world: World): Breach[] {
  const old = openTransactions(world).filter((one) => one.transactionMs >= world.longestTransactionMs)
  // One breach a session: its longest.
  const longest = [...Map.groupBy(old, (one) => `${one.application} pid ${one.pid}`)].flatMap(
    ([key, seen]) => seen.toSorted((a, b) => b.transactionMs - a.transactionMs).map((one) => ({ ...one, key }))[0] ?? [],
  )
  return [
    ...longest.map(({ at, key, transactionMs, state, query }) =>
      breach('I8', key, `a transaction was open for ${Math.round(transactionMs)} ms at ${at}, ${state ?? 'unknown'}: ${query}`, {
        field: DURATION,
        at: Date.parse(at),
      }),
    ),
    ...samplesOf(world.samples, 'call')
      .filter((call) => call.openTransactions > 0)
      .map((call) =>
        breach('I8', call.request, `${call.openTransactions} transactions were open while ${call.system} was called at ${call.at}`, {
          field: 'call.openTransactions',
          at: Date.parse(call.at),
        }),
      ),
  ]
}

/** Milliseconds of the oldest transaction that a sampler saw, but for nodes that were frozen; null without a sampler. */
export function longestTransaction(world: World): number | null {
  if (samplesOf(world.samples, 'sessions').length === 0) return null
  return Math.round(openTransactions(world).reduce((most, one) => Math.max(most, one.transactionMs), 0))
}

// What a frozen node held open is held through no fault of the hub's: the time of its freeze does not count, whichever node a session is of.
function openTransactions({ samples }: Pick<World, 'samples'>) {
  const freezes = freezesOf(samples)
  return samplesOf(samples, 'sessions').flatMap(({ at, sessions }) =>
    sessions
      // An idle listener has one of its own while PostgreSQL hands it a notification; the hub began none.
      .filter(({ application, state }) => HUB.test(application) && state !== 'idle')
      .map((session) => ({ at, ...session, transactionMs: awakeMs(Date.parse(at), session.transactionMs, freezes) })),
  )
}
