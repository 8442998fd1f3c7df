import type { Hub } from '../../../src/assembly.ts'
import type { Mutant } from '../plan.ts'
import { withoutFence } from './no-fence.ts'
import { withoutSettle } from './no-settle.ts'
import { withDedupeFirst } from './dedup-before-enqueue.ts'
import { withRetries } from './retry-4xx.ts'
import { withLastArrival } from './arrival-wins.ts'

/** The hub with one planted mistake; what `ref-batch-txn` and `swallow-audit` replace is no port of the hub. */
export function mutated(hub: Hub, mutant: Mutant | null): Hub {
  switch (mutant) {
    case 'no-settle':
      return { ...hub, outbox: withoutSettle(hub.outbox, hub.pools.worker) }
    case 'no-fence':
      return { ...hub, outbox: withoutFence(hub.outbox, hub.pools.worker) }
    case 'retry-4xx':
      return { ...hub, outbox: withRetries(hub.outbox) }
    case 'dedup-before-enqueue':
      return { ...hub, inbox: withDedupeFirst(hub.inbox, hub.pools.ingest) }
    case 'arrival-wins':
      return { ...hub, store: withLastArrival(hub.store, hub.pools.worker) }
    case 'ref-batch-txn':
    case 'swallow-audit':
    case null:
      return hub
  }
}
