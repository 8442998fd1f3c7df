import type { Hub } from '../../../src/assembly.ts'
import type { DesiredOrder } from '../../../src/core/desired.ts'
import { transaction } from '../../../src/drivers/postgres/pool.ts'
import { collectErpOrders } from '../../../src/flows/collect-erp-orders.ts'
import { supervise, Wake } from '../../../src/supervise.ts'
import type { Failpoints } from '../failpoints.ts'
import { LEASE_MS } from '../node-roles.ts'

interface Row {
  id: string
  binding_id: string
  channel: string
  reference: string
  content: DesiredOrder
}

/**
 * KNOWN BAD, kept to prove that the auditor sees it: takes a batch of rows under lock and pushes them one after the other inside one
 * transaction. Whatever ends the process or the connection before COMMIT makes the whole batch leave a second time.
 */
export async function runBatchTxnWorker(hub: Hub, points: Failpoints, signal: AbortSignal): Promise<void> {
  const collect = { erp: hub.erp, store: hub.store, since: '1970-01-01T00:00:00.000Z', overlapMs: 60_000, chunk: 25, leaseMs: LEASE_MS }
  await supervise({ name: 'batch', clock: hub.clock, log: hub.log, wake: new Wake(), everyMs: 100, signal }, async () => {
    await collectErpOrders(collect, signal)
    await pushBatch(hub, points, signal)
    return 'idle'
  })
}

async function pushBatch(hub: Hub, points: Failpoints, signal: AbortSignal): Promise<void> {
  await transaction(hub.pools.worker, async (client) => {
    const { rows } = await client.query<Row>(
      `SELECT d.id, d.binding_id, d.channel, b.reference, w.content
       FROM delivery d JOIN binding b ON b.id = d.binding_id JOIN desired w ON w.id = d.desired_id
       WHERE d.state = 'pending' AND d.kind = 'order' AND d.channel <> 'odoo' ORDER BY d.id LIMIT 10 FOR UPDATE OF d SKIP LOCKED`,
    )
    for (const row of rows) {
      const { rows: tried } = await client.query<{ id: string }>(
        `INSERT INTO attempt (delivery_id, channel, purpose, operation, lease) VALUES ($1, $2, 'send', 'create', 0) RETURNING id`,
        [row.id, row.channel],
      )
      const wanted = { ...row, generation: 1, version: 1, externalId: null, desired: row.content, firstSentAt: null, personal: null }
      const requestId = tried[0]?.id ?? ''
      const sent = await hub.targetOf(row.channel).send(wanted, 'create', { kind: 'absent' }, requestId, signal)
      await points.hit('after-response-before-finish', row.channel, row.reference)
      await client.query(`UPDATE attempt SET outcome = 'ok', ended_at = hub_now() WHERE id = $1`, [requestId])
      await client.query(`UPDATE binding SET external_id = $2 WHERE id = $1`, [row.binding_id, sent.externalId])
      await client.query(`UPDATE delivery SET state = 'delivered', ended_at = hub_now() WHERE id = $1`, [row.id])
    }
  })
}
