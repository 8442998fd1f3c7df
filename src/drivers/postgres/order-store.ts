import type { FetchTicket, OrderStore } from '../../ports/order-store.ts'
import { currentTraceparent } from '../../telemetry.ts'
import {
  beginCollect,
  collectStart,
  endCollect,
  erpIdsToReread,
  quarantined,
  storeCollected,
  storeStock,
  unseenErpVersions,
} from './collect-store.ts'
import { forgottenForMs } from './database-copy.ts'
import { applyFetched, type FetchedItem } from './apply-fetched.ts'
import { grouped } from './group.ts'
import type { ApplySettings } from './order-apply.ts'
import { type Pool, transaction } from './pool.ts'
import { replan } from './replan.ts'
import { retried } from './retry.ts'
import { isTransient } from './sqlstate.ts'

/** Orders taken in by one transaction: enough to share its cost, few enough that it stays short. */
const GROUP = { maxRows: 25, maxBytes: 4 * 1024 * 1024, maxWaitingRows: 5_000, sizeOf: () => 1 }

export function postgresOrderStore(pool: Pool, settings: ApplySettings): OrderStore {
  const fetches = grouped({
    run: (items: FetchedItem[]) => retried(() => transaction(pool, (client) => applyFetched(client, items, settings))),
    flights: 2,
    ...GROUP,
    // Whatever one order's data makes throw, its neighbours are taken in without it.
    isOneRows: (error) => !isTransient(error),
  })
  return {
    drawFetch: (channel, resource, leaseMs) => drawFetch(pool, channel, resource, leaseMs),
    releaseFetch: (ticket) => releaseFetch(pool, ticket),
    applyEvent: (claim, ticket, fetched) => fetches.add({ claim, ticket, fetched, traceparent: claim.traceparent }),
    async applyTold(ticket, fetched) {
      if (!(await stakeFetch(pool, ticket))) return { kind: 'refetch' }
      return fetches.add({ claim: null, ticket, fetched, traceparent: currentTraceparent() ?? null })
    },
    forgottenForMs: (channel, references) => forgottenForMs(pool, channel, references),
    beginCollect: (name, leaseMs) => beginCollect(pool, name, leaseMs),
    collectStart: (spanMs) => collectStart(pool, spanMs),
    storeCollected: (name, ticket, batch, cursor) =>
      transaction(pool, (client) => storeCollected(client, { name, ticket, cursor }, batch, settings)),
    storeStock: (name, ticket, stock, cursor) =>
      transaction(pool, (client) => storeStock(client, { name, ticket, cursor }, stock, settings)),
    endCollect: (name, ticket, failure) => endCollect(pool, name, ticket, failure),
    unseenErpVersions: (versions) => unseenErpVersions(pool, versions),
    erpIdsToReread: (days) => erpIdsToReread(pool, days),
    quarantined: (of) => quarantined(pool, of),
    replan: (orderId) => replan(pool, orderId, settings),
  }
}

async function drawFetch(pool: Pool, channel: string, resource: string, leaseMs: number): Promise<FetchTicket | null> {
  const { rows } = await pool.query<{ fetch_no: string }>(
    `INSERT INTO resource AS r (channel, resource, fetch_no, lease_until, fetched_at)
     VALUES ($1, $2, nextval('fetch_number'), hub_now() + $3 * interval '1 ms', '-infinity')
     ON CONFLICT (channel, resource) DO UPDATE SET fetch_no = nextval('fetch_number'), lease_until = excluded.lease_until
       WHERE r.lease_until IS NULL OR r.lease_until <= hub_now()
     RETURNING fetch_no`,
    [channel, resource, leaseMs],
  )
  return rows[0] ? { channel, resource, fetchNo: Number(rows[0].fetch_no) } : null
}

async function releaseFetch(pool: Pool, ticket: FetchTicket): Promise<void> {
  await pool.query(`UPDATE resource SET lease_until = NULL WHERE channel = $1 AND resource = $2 AND fetch_no = $3`, [
    ticket.channel,
    ticket.resource,
    ticket.fetchNo,
  ])
}

// Which resource a create makes is only known from its answer, so its number was drawn without a lease; it counts while it is the newest.
async function stakeFetch(pool: Pool, ticket: FetchTicket): Promise<boolean> {
  const { rowCount } = await pool.query(
    `INSERT INTO resource AS r (channel, resource, fetch_no, fetched_at) VALUES ($1, $2, $3, '-infinity')
     ON CONFLICT (channel, resource) DO UPDATE SET fetch_no = excluded.fetch_no, lease_until = NULL WHERE r.fetch_no < excluded.fetch_no`,
    [ticket.channel, ticket.resource, ticket.fetchNo],
  )
  return rowCount === 1
}
