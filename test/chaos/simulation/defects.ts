import { withoutSettle } from '../mutants/no-settle.ts'
import type { Inbox } from '../../../src/ports/inbox.ts'
import type { OrderStore } from '../../../src/ports/order-store.ts'
import type { Outbox } from '../../../src/ports/outbox.ts'
import type { World } from './world.ts'

/** Ports of a hub that does it wrong. `outbox` and `store` are wrapped inside a turn, `inbox` outside, so that a crash can come in between. */
export interface Defect {
  outbox?: (outbox: Outbox, world: World) => Outbox
  store?: (store: OrderStore, world: World) => OrderStore
  inbox?: (inbox: Inbox, world: World) => Inbox
}

/** KNOWN BAD, each kept to prove that the simulation sees it. `none` is the hub as it is. */
export const DEFECTS = {
  none: {},
  /** An unknown outcome is looked up at once. */
  'no-settle': { outbox: (outbox, { owner }) => withoutSettle(outbox, owner) },
  /** A finish takes the row whoever holds it. */
  'no-fence': {
    outbox: (outbox, { owner }) => ({
      ...outbox,
      async finish(claim, finish) {
        await owner.query(`UPDATE delivery SET lease = $2 WHERE id = $1 AND state IN ('pending', 'ambiguous')`, [
          claim.deliveryId,
          claim.lease,
        ])
        return outbox.finish(claim, finish)
      },
    }),
  },
  /** What makes a webhook known is committed before the webhook is. */
  'dedup-before-enqueue': {
    inbox: (inbox, { committedKeys }) => ({
      ...inbox,
      async record(request, verdict, events) {
        const keys = events.map((event) => `${event.channel} ${event.dedupeKey}`)
        if (keys.length > 0 && keys.every((key) => committedKeys.has(key))) return [{ kind: 'duplicate', eventId: 'an earlier one' }]
        for (const key of keys) committedKeys.add(key)
        return inbox.record(request, verdict, events)
      },
    }),
  },
  /** The projection shows what was fetched last. */
  'arrival-wins': {
    store: (store, { owner }) => ({
      ...store,
      async applyEvent(claim, ticket, fetched) {
        const applied = await store.applyEvent(claim, ticket, fetched)
        const said = fetched.fragments.find((fragment) => fragment.entity === 'order')
        if ('orderId' in applied && said)
          await owner.query(
            `UPDATE silver_order SET canonical = canonical || jsonb_build_object('fulfilment', $2::text, 'lifecycle', $3::text) WHERE id = $1 AND origin <> 'odoo'`,
            [applied.orderId, said.fulfilment, said.lifecycle],
          )
        return applied
      },
    }),
  },
} as const satisfies Record<string, Defect>
