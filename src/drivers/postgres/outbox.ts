import type { Channel } from '../../core/channel.ts'
import type { AttemptEnd, Claim, Outbox } from '../../ports/outbox.ts'
import type { Shown } from '../../ports/target.ts'
import { recordCopies } from './copies.ts'
import { type Group, grouped } from './group.ts'
import { channelsWithSuspects, claimDue, endPoison, type PersonalOfOrders } from './outbox-claim.ts'
import { bindRows, finishAll, type FinishItem } from './outbox-finish.ts'
import { endOrphans, endAttempts, intendAll, type IntentItem, intendLookUps, type LookUpItem } from './outbox-intent.ts'
import { type Pool, transaction } from './pool.ts'
import { retried } from './retry.ts'

export interface PostgresOutbox extends Outbox {
  /** Waits for grouped statements under way; call before the pool closes. */
  drain(): Promise<void>
}

const UNIQUE_VIOLATION = '23505'
const ORPHANS_EVERY_MS = 1_000
export const GROUP = { maxRows: 200, maxBytes: 1_000_000, maxWaitingRows: 5_000, sizeOf: () => 1 }

/** The outbox over PostgreSQL: many rows a statement, one lease, gate and fence each. */
export function postgresOutbox(pool: Pool, channels: readonly Channel[], personal: PersonalOfOrders): PostgresOutbox {
  const byId = new Map(channels.map((c) => [c.id, c]))
  const channelOf = (id: string): Channel => {
    const channel = byId.get(id)
    if (!channel) throw new Error(`no channel ${id} is configured`)
    return channel
  }
  const intents = grouped({ run: (items: IntentItem[]) => intendOrFence(pool, items), flights: 2, ...GROUP })
  const lookUps = grouped({ run: (items: LookUpItem[]) => retried(() => intendLookUps(pool, items)), flights: 2, ...GROUP })
  const ends = groupedEnds(pool)
  const finishes = grouped({ run: (items: FinishItem[]) => retried(() => finishAll(pool, items)), flights: 2, ...GROUP })
  const orphansDue = everySoOften(ORPHANS_EVERY_MS)
  return {
    async claim(channel, limit) {
      if (orphansDue(channel)) await endOrphans(pool, channel, channelOf(channel).timing.leaseMs)
      return claimDue(pool, channelOf(channel), { limit, suspects: false }, personal)
    },
    async suspects() {
      await endPoison(pool)
      return (await channelsWithSuspects(pool)).filter((id) => byId.has(id))
    },
    async claimSuspect(channel) {
      const [claim] = await claimDue(pool, channelOf(channel), { limit: 1, suspects: true }, personal)
      return claim ?? null
    },
    intend: (claim, operation) => intents.add({ claim, operation, channel: channelOf(claim.wanted.channel) }),
    intendLookUp: (claim, operation) => lookUps.add({ claim, operation, channel: channelOf(claim.wanted.channel) }),
    endLookUp: (_claim, end) => ends.add(end),
    bind: (claim, shown) => bind(pool, claim, shown),
    finish: (claim, finish) => finishes.add({ claim, finish, channel: channelOf(claim.wanted.channel) }),
    async drain() {
      await Promise.all([intents.drain(), lookUps.drain(), ends.drain(), finishes.drain()])
    },
  }
}

/** What is rare is looked for now and then, not at every claim. True when it is time, per channel. */
function everySoOften(everyMs: number): (channel: string) => boolean {
  const last = new Map<string, number>()
  return (channel) => {
    const now = performance.now()
    if (now - (last.get(channel) ?? Number.NEGATIVE_INFINITY) < everyMs) return false
    last.set(channel, now)
    return true
  }
}

/** Ends of reads, many a commit. */
export function groupedEnds(pool: Pool): Group<AttemptEnd, void> {
  const run = async (ends: AttemptEnd[]): Promise<void[]> => {
    await retried(() => endAttempts(pool, ends))
    return ends.map(() => undefined)
  }
  return grouped({ run, flights: 2, ...GROUP })
}

// Two versions of one binding can never both be in flight: the index says no, and this one stays behind.
async function intendOrFence(pool: Pool, items: IntentItem[]): ReturnType<typeof intendAll> {
  try {
    return await retried(() => intendAll(pool, items))
  } catch (error) {
    if (items.length === 1 && (error as { code?: string }).code === UNIQUE_VIOLATION) return [{ kind: 'fenced' }]
    throw error
  }
}

async function bind(pool: Pool, { bindingId }: Claim, shown: Shown & { kind: 'found' }): Promise<void> {
  await transaction(pool, async (client) => {
    await bindRows(client, [{ binding_id: bindingId, external_id: shown.externalId, shown: shown.content }])
    if (shown.copies) await recordCopies(client, [{ bindingId, ids: shown.copies }])
  })
}
